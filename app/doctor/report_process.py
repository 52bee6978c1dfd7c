"""Asks the doctor in a process of its own: opening hypervisors changes signal handlers, and may crash."""

import socket
import sys

import msgspec

from engine.session import doctor


def main() -> None:
    with socket.socket(fileno=int(sys.argv[1])) as server:
        server.sendall(msgspec.json.encode(doctor.report()))


if __name__ == "__main__":
    main()
