"""Subscriptions, invoices, the provider's events, and plans that are asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "subscriptions",
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("customer", sa.String, nullable=False),
        sa.Column("subscription", sa.String, nullable=False),
        sa.Column("item", sa.String, nullable=False),
        sa.Column("plan", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("paid_until", sa.Double),
        sa.Column("ends_at", sa.Double),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_subscriptions_account_id_accounts"
        ),
        sa.PrimaryKeyConstraint("account_id", name="pk_subscriptions"),
    )
    op.create_index("ix_subscriptions_customer", "subscriptions", ["customer"])
    op.create_table(
        "invoices",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("number", sa.String, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("cents", sa.Integer, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("url", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invoices"),
    )
    op.create_index("ix_invoices_account_id_created_at", "invoices", ["account_id", "created_at"])
    op.create_table(
        "billing_events",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_billing_events"),
    )
    op.create_table(
        "plan_wishes",
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("plan", sa.String, nullable=False),
        sa.Column("asked_at", sa.Double, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_plan_wishes_account_id_accounts"
        ),
        sa.PrimaryKeyConstraint("account_id", name="pk_plan_wishes"),
    )
