"""Models of a caller's chain that did not answer."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply."""
    op.add_column("calls", sa.Column("tried", sa.String, nullable=False, server_default=""))
