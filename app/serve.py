"""`ringfence serve`: migrate, bind, say where, serve."""

import socket
import sys

import uvicorn

from app.db.migrate import upgrade
from app.main import create_app
from app.settings import Settings


def serve(settings: Settings | None = None) -> None:
    """Serve until SIGINT or SIGTERM. OSError when the address cannot be had; port 0 takes any."""
    settings = settings or Settings()
    settings.var.mkdir(parents=True, exist_ok=True)
    upgrade(settings.database)
    server = uvicorn.Server(configuration(settings))
    with _bound(settings) as listener:
        sys.stdout.write(f"ringfence: {address(listener)}\n")
        sys.stdout.flush()
        server.run(sockets=[listener])


def configuration(settings: Settings) -> uvicorn.Config:
    """No permessage-deflate: frames are compressed already, and it would cost milliseconds each, for every viewer."""
    return uvicorn.Config(
        create_app(settings),
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=65536,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )


def address(listener: socket.socket) -> str:
    """The URL to open, for a listening socket."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _bound(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    return socket.create_server((settings.host, settings.port), family=family, backlog=256)


if __name__ == "__main__":
    serve()
