"""${message}"""

import sqlalchemy as sa

# Rendered types may name Text without its module (JSONB's astext_type does).
from sqlalchemy import Text  # noqa: F401

from alembic import op
${imports if imports else ""}
revision: str = ${repr(up_revision)}
down_revision: str | None = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
