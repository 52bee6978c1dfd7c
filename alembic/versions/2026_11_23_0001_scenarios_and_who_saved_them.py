"""scenarios and who saved them"""

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scenario",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["scenario.id"], name=op.f("fk_scenario_parent_id_scenario")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scenario")),
        sa.UniqueConstraint("sha256", name=op.f("uq_scenario_sha256")),
    )
    op.create_table(
        "saved",
        sa.Column("owner_id", sa.String(length=64), nullable=False),
        sa.Column("scenario_id", sa.String(length=32), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["scenario_id"], ["scenario.id"], name=op.f("fk_saved_scenario_id_scenario")),
        sa.PrimaryKeyConstraint("owner_id", "scenario_id", name=op.f("pk_saved")),
    )


def downgrade() -> None:
    op.drop_table("saved")
    op.drop_table("scenario")
