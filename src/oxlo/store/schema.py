"""The tables. Moments are unix seconds, UTC: the same number in both databases.

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
)

# One row per call: the receipts. No foreign keys: a receipt outlives its key, and a record of an
# account that was deleted meanwhile must not stop the drain.
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
    Index(None, "account_id", "admitted_at"),
    Index(None, "admitted_at"),  # retention deletes by age, over all accounts
)

#: How far each journal segment has been drained.
journal_positions = Table(
    "journal_positions",
    metadata,
    Column("segment", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

#: Numbers of the installation; `changes` rises with every write to accounts and keys.
meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
