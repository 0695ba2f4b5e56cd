"""A mark of each change, which it does not share with that of the same number before a restore."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Apply."""
    op.add_column("change_log", sa.Column("mark", sa.BigInteger, nullable=True))
