"""Tables of what alert rules are, and of what they have to know of devices: labels and persons.

`assignments` refers to no device: who wore it stays known when the device is removed, as its
readings do. Labels go with their device.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from devices.registry.tables import NAME, SLUG, key_text, metadata

LABEL = 200
"""Longest value of a label, characters."""

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("name", key_text(SLUG), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("author", String(NAME), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
)

device_labels = Table(
    "device_labels",
    metadata,
    Column(
        "device", key_text(SLUG), ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("name", key_text(SLUG), primary_key=True),
    Column("value", String(LABEL), nullable=False),
)

assignments = Table(
    "assignments",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("device", key_text(SLUG), nullable=False),
    Column("person", key_text(SLUG), nullable=False),
    Column("site", key_text(SLUG), nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger),
    Column("assigned_by", String(NAME), nullable=False),
    Column("ended_by", String(NAME), nullable=False),
    Index(None, "device", "start_ns"),
    Index(None, "person", "start_ns"),
)
