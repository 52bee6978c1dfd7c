"""Tables. Times are milliseconds since 1970, UTC: the same number on SQLite and on PostgreSQL."""

from sqlalchemy import BigInteger, ForeignKey, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Named constraints from the first day: SQLite's batch mode cannot drop one that has no name."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Scenario(Base):
    """Never updated and never deleted: `id` comes from the hash of `body`, so a link shows the same for ever."""

    __tablename__ = "scenario"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(Text)
    about: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    """Canonical JSON."""
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("scenario.id"))
    """What it was forked from by whoever saved it first."""
    created_at: Mapped[int] = mapped_column(BigInteger)


class Saved(Base):
    """Who keeps which scenario in their list."""

    __tablename__ = "saved"

    owner_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    scenario_id: Mapped[str] = mapped_column(ForeignKey("scenario.id"), primary_key=True)
    saved_at: Mapped[int] = mapped_column(BigInteger)
