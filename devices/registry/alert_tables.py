"""The registry's tables of alerts: as they stand, what happened to them, who is told, who is not.

They refer to no site and no device: an alert stays known when its device is removed. `watch` is the
digest of (rule, subject), see `devices.registry.alert_rows`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from devices.registry.tables import NAME, SLUG, key_text, metadata

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database gives: SQLite does so for INTEGER only, which has 64 bits there."""

alerts = Table(
    "alerts",
    metadata,
    Column("id", key_text(SLUG), primary_key=True),
    Column("watch", key_text(SLUG), nullable=False),
    Column("rule", key_text(SLUG), nullable=False),
    Column("version", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("alarm_class", String(16), nullable=False),
    Column("site", key_text(SLUG), nullable=False),
    Column("building", String(NAME), nullable=False),
    Column("zone", String(NAME), nullable=False),
    Column("device", key_text(NAME), nullable=False),
    Column("quantity", String(NAME), nullable=False),
    Column("person", key_text(SLUG), nullable=False),
    Column("state", key_text(16), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("since_ns", BigInteger),
    Column("until_ns", BigInteger),
    Column("opened_ns", BigInteger, nullable=False),
    Column("closed_ns", BigInteger),
    Column("applied", Text, nullable=False),
    Column("acknowledged_ns", BigInteger),
    Column("acknowledged_by", String(NAME), nullable=False),
    Column("acknowledged_note", Text, nullable=False),
    Column("value", Double),
    Column("unit", String(SLUG), nullable=False),
    Column("facts", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("runbook", Text, nullable=False),
    Column("retroactive", Boolean, nullable=False),
    Column("cause", key_text(SLUG), nullable=False),
    Column("silence", key_text(SLUG), nullable=False),
    Column("flapping", Boolean, nullable=False),
    Column("changes", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("group", key_text(SLUG), nullable=False),
    Column("told", String(16), nullable=False),
    Column("told_ns", BigInteger),
    Column("level", Integer, nullable=False),
    Column("next_ns", BigInteger),
    Index(None, "opened_ns", "id"),
    Index(None, "site", "opened_ns", "id"),
    Index(None, "rule", "opened_ns", "id"),
    Index(None, "device", "opened_ns"),
    Index(None, "state", "opened_ns"),
    Index(None, "watch", "at_ns"),
    Index(None, "next_ns"),
)

alert_events = Table(
    "alert_events",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("alert", key_text(SLUG), nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("actor", String(NAME), nullable=False),
    Column("detail", Text, nullable=False),
    Index(None, "alert", "id"),
)

alert_groups = Table(
    "alert_groups",
    metadata,
    Column("id", key_text(SLUG), primary_key=True),
    Column("route", key_text(SLUG), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("label", Text, nullable=False),
    Column("due_ns", BigInteger, index=True),
    Column("told_ns", BigInteger),
)

alert_tellings = Table(
    "alert_tellings",
    metadata,
    Column("alert", key_text(SLUG), primary_key=True),
    Column("route", key_text(SLUG), primary_key=True),
    Column("group", key_text(SLUG), nullable=False),
    Column("wanted", String(16), nullable=False),
    Column("told", String(16), nullable=False),
    Column("told_ns", BigInteger),
    Column("since_ns", BigInteger),
    Column("level", Integer, nullable=False),
    Column("next_ns", BigInteger, index=True),
    Index(None, "group", "wanted"),
    Index(None, "wanted"),
)

alert_silences = Table(
    "alert_silences",
    metadata,
    Column("id", key_text(SLUG), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("match", Text, nullable=False),
    Column("by", String(NAME), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False, index=True),
    Column("ended_by", String(NAME), nullable=False),
    Index(None, "created_ns", "id"),
)

alert_late = Table(
    "alert_late",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("digest", key_text(SLUG), nullable=False, unique=True),
    Column("rule", key_text(SLUG), nullable=False),
    Column("site", key_text(SLUG), nullable=False),
    Column("building", String(NAME), nullable=False),
    Column("zone", String(NAME), nullable=False),
    Column("person", String(SLUG), nullable=False),
    Column("device", key_text(NAME), nullable=False),
    Column("quantity", String(NAME), nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("value", Double, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
)

alert_checkpoints = Table(
    "alert_checkpoints",
    metadata,
    Column("name", key_text(SLUG), primary_key=True),
    Column("blob", LargeBinary, nullable=False),
    Column("facts", Text, nullable=False),
    Column("saved_ns", BigInteger, nullable=False),
)
