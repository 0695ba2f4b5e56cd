"""Which account each change was about."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "change_log",
        sa.Column("number", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("mark", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_change_log"),
    )
