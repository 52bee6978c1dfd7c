"""What an operator may set, by environment variables that begin with RINGFENCE_."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.model.layout import MAX_RAM

ROOT = Path(__file__).resolve().parents[1]
"""The checkout: templates/, static/, labs/ and alembic/ are beside app/."""


class Settings(BaseSettings):
    """Defaults suit one person on one machine; every field is RINGFENCE_ and its name."""

    model_config = SettingsConfigDict(env_prefix="RINGFENCE_", frozen=True, secrets_dir=None)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]", "::1")
    """Names that the Host header may carry: the guard against DNS rebinding."""
    var: Path = ROOT / "var"
    """Where the SQLite database, the secret key and the event logs are."""
    database_url: str = ""
    """Empty: SQLite in `var`. `postgresql://...` goes through psycopg 3."""
    secret_key: SecretStr = SecretStr("")
    """Signs the cookies. Empty: made once and kept in `var`, mode 0600."""
    hypervisors: frozenset[Literal["kvm", "sim"]] = Field(default=frozenset({"kvm", "sim"}), min_length=1)
    max_sessions: int = Field(default=16, ge=1)
    max_sessions_per_owner: int = Field(default=4, ge=1)
    max_ram: int = Field(default=MAX_RAM, ge=1 << 20, le=MAX_RAM)
    """Bytes of guest RAM that one session may have."""
    max_ram_total: int = Field(default=0, ge=0)
    """Bytes of guest RAM that all sessions may have together. 0: half of the host's memory, at least one session's."""
    pause_after: float = Field(default=30.0, gt=0)
    """Seconds without a viewer until a session is paused."""
    close_after: float = Field(default=600.0, gt=0)
    """Seconds without a viewer until a session is closed."""
    stall_after: float = Field(default=30.0, gt=0)
    """Seconds that a viewer may leave frames unacknowledged."""

    @field_validator("database_url")
    @classmethod
    def _known_driver(cls, url: str) -> str:
        if url.startswith("postgres://"):
            url = "postgresql://" + url.removeprefix("postgres://")
        if url and not url.startswith(("sqlite+aiosqlite://", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("use sqlite+aiosqlite:///PATH or postgresql://...")
        return url

    @property
    def database(self) -> str:
        """The URL in force."""
        return self.database_url or f"sqlite+aiosqlite:///{self.var / 'ringfence.sqlite3'}"

    @property
    def ram_total(self) -> int:
        """The bound in force, bytes."""
        return self.max_ram_total or max(self.max_ram, _host_memory() // 2)

    def signing_key(self) -> str:
        """The secret key, made and stored at first use; OSError when `var` cannot be written."""
        return self.secret_key.get_secret_value() or _stored_key(self.var / "secret.key")


def _host_memory() -> int:
    """Bytes that this machine, or the container that we are in, has."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # no cgroup v2, or "max"
        return min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return machine


def _stored_key(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _make_key(path)
    key = path.read_text()
    if len(key) < 32:
        raise ValueError(f"{path} holds no key: remove it and start again")
    return key


def _make_key(path: Path) -> None:
    """Written whole under another name first: of two servers that start together, the second keeps the first's."""
    made = path.with_name(f"{path.name}.{os.getpid()}")
    made.touch(mode=0o600, exist_ok=True)
    made.write_text(secrets.token_urlsafe(32))
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(made)
    made.unlink()
