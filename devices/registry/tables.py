"""The registry's tables. A change here needs a migration; a test compares the two.

Instants are nanoseconds since the epoch, hours are seconds since the epoch, both BIGINT. `ledger`
and `dead_letters` refer to no device: they may name one that is not registered.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

NAME = 200
"""Longest name of anything, characters."""
SLUG = 64
"""Longest slug, characters."""
SUBJECT = 500
"""Longest name of somebody at an identity provider, characters."""


def key_text(length: int) -> String:
    """Return the type of a name that rows are ordered by: by its bytes, in every language."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


sites = Table(
    "sites",
    metadata,
    Column("id", key_text(SLUG), primary_key=True),
    Column("name", String(NAME), nullable=False),
    Column("zone", String(SLUG), nullable=False),
    Column("country", String(2), nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("id", key_text(SLUG), primary_key=True),
    Column("site", String(SLUG), ForeignKey("sites.id"), nullable=False),
    Column("profile", String(SLUG), nullable=False),
    Column("external_id", String(NAME), nullable=False),
    Column("name", String(NAME), nullable=False),
    Column("building", String(NAME), nullable=False),
    Column("zone", String(NAME), nullable=False),
    Column("interval_s", Float),
    Column("enrolled", Boolean, nullable=False),
    Column("hardware_id", String(NAME), nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    UniqueConstraint("site", "profile", "external_id"),
)

device_aliases = Table(
    "device_aliases",
    metadata,
    Column("site", String(SLUG), primary_key=True),
    Column("profile", String(SLUG), primary_key=True),
    Column("external_name", String(NAME), primary_key=True),
    Column("hardware_id", String(NAME), nullable=False),
)

profiles = Table(
    "profiles",
    metadata,
    Column("name", key_text(SLUG), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_ns", BigInteger, nullable=False),
)

bindings = Table(
    "bindings",
    metadata,
    Column("template", key_text(NAME), primary_key=True),
    Column("profile", String(SLUG), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("site", String(SLUG), nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", key_text(SLUG), primary_key=True),
    Column("name", String(NAME), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("revoked_ns", BigInteger),
    Column("last_used_ns", BigInteger),
    Column("user", String(SLUG)),
    Column("scopes", Text),
    Column("expires_ns", BigInteger),
    Column("rotated_from", String(SLUG)),
)

users = Table(
    "users",
    metadata,
    Column("id", key_text(SLUG), primary_key=True),
    Column("name", String(NAME), nullable=False),
    Column("subject", String(SUBJECT), unique=True),
    Column("created_ns", BigInteger, nullable=False),
    Column("disabled_ns", BigInteger),
)

grants = Table(
    "grants",
    metadata,
    Column("kind", key_text(8), primary_key=True),
    Column("holder", key_text(SLUG), primary_key=True),
    Column("role", key_text(16), primary_key=True),
    Column("site", key_text(SLUG), primary_key=True),
    Column("domain", key_text(16), primary_key=True),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ns", BigInteger, nullable=False, index=True),
    Column("event", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor", String(SUBJECT), nullable=False),
    Column("actor_name", String(NAME), nullable=False),
    Column("address", String(NAME), nullable=False),
    Column("method", String(16), nullable=False),
    Column("route", String(NAME), nullable=False),
    Column("status", Integer, nullable=False),
    Column("permission", String(SLUG), nullable=False),
    Column("sites", Text, nullable=False),
    Column("devices", Integer, nullable=False),
    Column("quantities", Text, nullable=False),
    Column("start_ns", BigInteger),
    Column("end_ns", BigInteger),
    Column("rows", BigInteger, nullable=False),
    Column("times", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("chain", String(64), nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("site", key_text(NAME), primary_key=True),
    Column("device", key_text(NAME), primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    Column("worker", String(SLUG), primary_key=True),
    Column("boot", BigInteger, primary_key=True),
    Column("received", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("duplicate", BigInteger, nullable=False),
    Column("dead_lettered", BigInteger, nullable=False),
    Column("pending", BigInteger, nullable=False),
    Column("redelivered", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False),
    Column("values_new", BigInteger, nullable=False),
    Column("values_other", BigInteger, nullable=False),
    CheckConstraint("received = stored + duplicate + dead_lettered + pending", name="balanced"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", key_text(SLUG), primary_key=True),
    Column("worker", String(SLUG), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("reason", String(SLUG), nullable=False),
    Column("detail", Text, nullable=False),
    Column("site", String(NAME), nullable=False),
    Column("device", String(NAME), nullable=False),
    Column("profile", String(SLUG), nullable=False),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("properties", Text, nullable=False),
    Column("received_ns", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Column("size", Integer, nullable=False),
    Column("settled_by", String(NAME), nullable=False),
    Column("settled_why", Text, nullable=False),
    Index(None, "received_ns", "id"),
    Index(None, "reason", "state"),
    Index(None, "state", "worker", "received_ns"),
    Index(None, "site", "device", "received_ns"),
)

replay_requests = Table(
    "replay_requests",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("worker", String(SLUG), nullable=False),
    Column("dead_letters", Text, nullable=False),
    Column("requested_by", String(NAME), nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("finished_ns", BigInteger),
    Column("replayed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("wanted", Text, nullable=False),
    Column("rate", Float, nullable=False),
    Column("why", Text, nullable=False),
    Column("matched", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("upto", BigInteger, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("waiting", Text, nullable=False),
    Column("outcomes", Text, nullable=False),
    Index(None, "worker", "finished_ns"),
)

workers = Table(
    "workers",
    metadata,
    Column("worker", key_text(SLUG), primary_key=True),
    Column("host", String(NAME), nullable=False),
    Column("version", String(SLUG), nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("store", Text, nullable=False),
    Column("spool_bytes", BigInteger, nullable=False),
    Column("spool_full", Boolean, nullable=False),
    Column("pending", BigInteger, nullable=False),
    Column("facts", Text, nullable=False),
)

answered_writes = Table(
    "answered_writes",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("created_ns", BigInteger, nullable=False, index=True),
    Column("status", Integer, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

exports = Table(
    "exports",
    metadata,
    Column("id", key_text(SLUG), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("format", String(16), nullable=False),
    Column("query", Text, nullable=False),
    Column("sites", Text, nullable=False),
    Column("owner", String(SLUG), nullable=False),
    Column("requested_by", String(NAME), nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("title", String(NAME), nullable=False),
    Column("started_ns", BigInteger),
    Column("finished_ns", BigInteger),
    Column("expires_ns", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("progress", Float, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("details", Text, nullable=False),
    Column("error", Text, nullable=False),
    Index(None, "kind", "created_ns", "id"),
    Index(None, "owner", "state"),
)

latest_values = Table(
    "latest_values",
    metadata,
    Column("site", key_text(SLUG), primary_key=True),
    Column("device", key_text(SLUG), primary_key=True),
    Column("quantity", key_text(SLUG), primary_key=True),
    Column("time_ns", BigInteger, nullable=False),
    Column("value", Double, nullable=False),
    Column("quality", Integer, nullable=False),
    Column("turn", BigInteger, nullable=False, index=True),
)

marked_hours = Table(
    "marked_hours",
    metadata,
    Column("site", key_text(SLUG), primary_key=True),
    Column("device", key_text(SLUG), primary_key=True),
    Column("category", key_text(SLUG), primary_key=True),
    Column("hour", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("version", BigInteger, nullable=False),
)

late_devices = Table(
    "late_devices",
    metadata,
    Column("site", key_text(SLUG), primary_key=True),
    Column("device", key_text(SLUG), primary_key=True),
    Column("turn", BigInteger, nullable=False, index=True),
)

kept_state = Table(
    "kept_state",
    metadata,
    Column("name", key_text(SLUG), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", key_text(SLUG), primary_key=True),
    Column("holder", String(NAME), nullable=False),
    Column("until_ns", BigInteger, nullable=False),
)

revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
