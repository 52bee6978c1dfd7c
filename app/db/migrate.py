"""Brings a database to the newest schema, through Alembic's API."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import make_url

from app.settings import ROOT


def configuration(url: str) -> Config:
    """Alembic's configuration for the database at `url`."""
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    return config


def upgrade(url: str) -> None:
    """Create or upgrade; blocks, and wants no running event loop in this thread."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    command.upgrade(configuration(url), "head")
