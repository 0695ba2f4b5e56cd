"""Calls, and how far the journal has been drained into them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply."""
    op.create_table("calls", *_columns(), sa.PrimaryKeyConstraint("id", name="pk_calls"))
    op.create_index("ix_calls_account_id_admitted_at", "calls", ["account_id", "admitted_at"])
    op.create_index("ix_calls_admitted_at", "calls", ["admitted_at"])
    op.create_table(
        "journal_positions",
        sa.Column("segment", sa.String, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("segment", name="pk_journal_positions"),
    )


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.String, nullable=False),
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("key_id", sa.String, nullable=False),
        sa.Column("plan", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("stream", sa.Boolean, nullable=False),
        sa.Column("admitted_at", sa.Double, nullable=False),
        sa.Column("settled_at", sa.Double),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("minute", sa.Integer, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.Column("minute_counted", sa.Boolean, nullable=False),
        sa.Column("error", sa.String, nullable=False),
        sa.Column("replica", sa.String, nullable=False),
        sa.Column("tokens_in", sa.Integer, nullable=False),
        sa.Column("tokens_out", sa.Integer, nullable=False),
        sa.Column("tokens_cached", sa.Integer, nullable=False),
        sa.Column("finish", sa.String, nullable=False),
        sa.Column("queue_ms", sa.Double, nullable=False),
        sa.Column("first_ms", sa.Double, nullable=False),
        sa.Column("total_ms", sa.Double, nullable=False),
        sa.Column("day_left", sa.Integer),
        sa.Column("minute_left", sa.Integer),
    ]
