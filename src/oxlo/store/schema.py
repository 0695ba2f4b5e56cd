"""The tables. Timestamps are unix seconds in both databases.

A change here needs a migration in `migrations/versions`; a test compares the two.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("email", String, unique=True),
    Column("role", String, nullable=False),
    Column("plan", String, nullable=False),
    Column("trial_until", Double),
    Column("created_at", Double, nullable=False),
    Column("password_hash", String),
    Column("disabled_at", Double),
    Column("verified_at", Double),
    Column("totp_nonce", String),
    Column("totp_at", Double),
    Column("totp_step", BigInteger),
    Column("plan_until", Double),
    Column("plan_after", String),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("prefix", String, nullable=False),
    Column("sha256", String, nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("models", JSON, nullable=False),
    Column("endpoints", JSON, nullable=False),
    Column("origins", JSON, nullable=False),
    Column("last_used_at", Double),
    Column("hidden", Boolean, nullable=False, server_default=false()),
)

# One row per call, for receipts. No foreign keys: receipts outlive keys, and the record of a
# deleted account must not stop the drain.
calls = Table(
    "calls",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("key_id", String, nullable=False),
    Column("plan", String, nullable=False),
    Column("model", String, nullable=False),
    Column("endpoint", String, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("admitted_at", Double, nullable=False),
    Column("settled_at", Double),
    Column("day", Integer, nullable=False),
    Column("minute", Integer, nullable=False),
    Column("status", Integer),
    Column("outcome", String, nullable=False),
    Column("counted", Boolean, nullable=False),
    Column("minute_counted", Boolean, nullable=False),
    Column("error", String, nullable=False),
    Column("replica", String, nullable=False),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("tokens_cached", Integer, nullable=False),
    Column("finish", String, nullable=False),
    Column("queue_ms", Double, nullable=False),
    Column("first_ms", Double, nullable=False),
    Column("total_ms", Double, nullable=False),
    Column("day_left", Integer),
    Column("minute_left", Integer),
    Column("tried", String, nullable=False, server_default=""),
    Index(None, "account_id", "admitted_at"),
    Index(None, "admitted_at"),  # for deletion by age
)

# Additional requests granted by operators. No foreign keys, as above.
grants = Table(
    "grants",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("day", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("reason", String, nullable=False),
    Column("request_id", String, unique=True),  # a call can be refunded once
    Column("created_at", Double, nullable=False),
    Index(None, "account_id", "day"),
)

#: Readiness checks of models by hour (unix seconds // 3600), and how many were positive.
readiness = Table(
    "readiness",
    metadata,
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("model", String, primary_key=True),
    Column("checks", Integer, nullable=False),
    Column("ready", Integer, nullable=False),
    Column("checked_at", Double, nullable=False),
)

#: Position up to which each journal segment has been drained.
journal_positions = Table(
    "journal_positions",
    metadata,
    Column("segment", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

#: Counters; `changes` is the number of the last change to accounts and keys.
meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

#: The last changes to accounts and keys. Not a foreign key: accounts can be deleted.
change_log = Table(
    "change_log",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", String, nullable=False),
    #: Random, by which a change is told from one with the same number in a restored database.
    Column("mark", BigInteger, nullable=False),
)

#: Login sessions. The cookie has the token, this table its hash.
sessions = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("sha256", String, nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("address", String, nullable=False),
    Column("agent", String, nullable=False),
)

#: Single-use links: to verify an address, to set a password.
tokens = Table(
    "tokens",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("purpose", String, nullable=False),
    Column("email", String),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double),
)

#: Linked logins at external providers.
identities = Table(
    "identities",
    metadata,
    Column("provider", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("created_at", Double, nullable=False),
)

#: Hashed single-use recovery codes for TOTP.
recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("digest", String, primary_key=True),
    Column("created_at", Double, nullable=False),
    Column("used_at", Double),
)

#: Throttling counters of failed log-ins and sign-ups.
brakes = Table(
    "brakes",
    metadata,
    Column("name", String, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", Double, nullable=False),
    Column("until", Double, nullable=False),
)

# No foreign keys: audit entries outlive accounts.
audit = Table(
    "audit",
    metadata,
    Column("id", String, primary_key=True),
    Column("at", Double, nullable=False, index=True),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False, index=True),
    Column("detail", String, nullable=False),
    Column("address", String, nullable=False),
)

promos = Table(
    "promos",
    metadata,
    Column("code", String, primary_key=True),
    Column("trial_days", Integer, nullable=False),
    Column("plan", String),
    Column("plan_days", Integer, nullable=False),
    Column("most_uses", Integer),
    Column("uses", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("ended_at", Double),
)

promo_uses = Table(
    "promo_uses",
    metadata,
    Column("code", ForeignKey("promos.code"), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True, index=True),
    Column("at", Double, nullable=False),
)

#: The outbox; without a mail server the operator reads mails here.
mails = Table(
    "mails",
    metadata,
    Column("id", String, primary_key=True),
    Column("at", Double, nullable=False),
    Column("recipient", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("body", String, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", Double),
    Column("sent_at", Double),
    Column("error", String, nullable=False),
    Index(None, "next_at"),
)

#: Subscriptions as last reported by the payment provider.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("customer", String, nullable=False, index=True),
    Column("subscription", String, nullable=False),
    Column("item", String, nullable=False),
    Column("plan", String, nullable=False),
    Column("status", String, nullable=False),
    Column("paid_until", Double),
    Column("ends_at", Double),
)

# No foreign key: an invoice may be reported before its subscription.
invoices = Table(
    "invoices",
    metadata,
    Column("id", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("number", String, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("cents", Integer, nullable=False),
    Column("currency", String, nullable=False),
    Column("status", String, nullable=False),
    Column("url", String, nullable=False),
    Index(None, "account_id", "created_at"),
)

#: Processed events of the payment provider.
billing_events = Table(
    "billing_events",
    metadata,
    Column("id", String, primary_key=True),
    Column("type", String, nullable=False),
    Column("received_at", Double, nullable=False),
)

#: Pending requests of accounts for plans.
plan_wishes = Table(
    "plan_wishes",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("plan", String, nullable=False),
    Column("asked_at", Double, nullable=False),
)
