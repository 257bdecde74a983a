"""The registry's tables of notices: orders to tell somebody something, and the attempts at it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from devices.registry.tables import SLUG, key_text, metadata

alert_notices = Table(
    "alert_notices",
    metadata,
    Column("id", key_text(SLUG), primary_key=True),
    Column("channel", key_text(SLUG), nullable=False),
    Column("occasion", String(16), nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("alerts", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_ns", BigInteger, nullable=False),
    Column("finished_ns", BigInteger),
    Column("error", Text, nullable=False),
    Index(None, "state", "channel", "created_ns", "id"),
    Index(None, "channel", "finished_ns"),
    Index(None, "created_ns", "id"),
)

alert_notice_alerts = Table(
    "alert_notice_alerts",
    metadata,
    Column("alert", key_text(SLUG), primary_key=True),
    Column("notice", key_text(SLUG), primary_key=True, index=True),
)

alert_attempts = Table(
    "alert_attempts",
    metadata,
    Column("notice", key_text(SLUG), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("started_ns", BigInteger, nullable=False),
    Column("finished_ns", BigInteger),
    Column("outcome", String(16), nullable=False, index=True),
    Column("detail", Text, nullable=False),
)
