"""The portal: who is logged in, links that work once, brakes, mails, promo codes, the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    for column in _of_accounts():
        op.add_column("accounts", column)
    hidden = sa.Column("hidden", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("keys", hidden)
    _sessions()
    _tokens()
    _identities()
    _brakes()
    _audit()
    _promos()
    _mails()


def _of_accounts() -> list[sa.Column[object]]:
    return [
        sa.Column("verified_at", sa.Double),
        sa.Column("totp_nonce", sa.String),
        sa.Column("totp_at", sa.Double),
        sa.Column("totp_step", sa.BigInteger),
        sa.Column("plan_until", sa.Double),
        sa.Column("plan_after", sa.String),
    ]


def _account(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_account_id_accounts"
    return sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=name)


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("agent", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("sha256", name="uq_sessions_sha256"),
        _account("sessions"),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("email", sa.String),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double),
        sa.PrimaryKeyConstraint("sha256", name="pk_tokens"),
        _account("tokens"),
    )
    op.create_index("ix_tokens_account_id", "tokens", ["account_id"])


def _identities() -> None:
    op.create_table(
        "identities",
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("provider", "subject", name="pk_identities"),
        _account("identities"),
    )
    op.create_index("ix_identities_account_id", "identities", ["account_id"])


def _brakes() -> None:
    op.create_table(
        "brakes",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last_at", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_brakes"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_target", "audit", ["target"])


def _promos() -> None:
    op.create_table(
        "promos",
        sa.Column("code", sa.String, nullable=False),
        sa.Column("trial_days", sa.Integer, nullable=False),
        sa.Column("plan", sa.String),
        sa.Column("plan_days", sa.Integer, nullable=False),
        sa.Column("most_uses", sa.Integer),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.PrimaryKeyConstraint("code", name="pk_promos"),
    )
    op.create_table(
        "promo_uses",
        sa.Column("code", sa.String, nullable=False),
        sa.Column("account_id", sa.String, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("code", "account_id", name="pk_promo_uses"),
        sa.ForeignKeyConstraint(["code"], ["promos.code"], name="fk_promo_uses_code_promos"),
        _account("promo_uses"),
    )
    op.create_index("ix_promo_uses_account_id", "promo_uses", ["account_id"])


def _mails() -> None:
    op.create_table(
        "mails",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("recipient", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("body", sa.String, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_at", sa.Double),
        sa.Column("sent_at", sa.Double),
        sa.Column("error", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
    )
    op.create_index("ix_mails_next_at", "mails", ["next_at"])
