"""Alerts, what happened to them, whom they are told, silences, and the evaluator's state."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INDICES = (
    ("alert_events", "alert", "id"),
    ("alert_groups", "due_ns"),
    ("alert_silences", "created_ns", "id"),
    ("alert_silences", "end_ns"),
    ("alert_tellings", "group", "wanted"),
    ("alert_tellings", "next_ns"),
    ("alert_tellings", "wanted"),
    ("alerts", "device", "opened_ns"),
    ("alerts", "next_ns"),
    ("alerts", "opened_ns", "id"),
    ("alerts", "rule", "opened_ns", "id"),
    ("alerts", "site", "opened_ns", "id"),
    ("alerts", "state", "opened_ns"),
    ("alerts", "watch", "at_ns"),
)


def _key(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _number() -> sa.BigInteger:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _name(table: str, *columns: str) -> str:
    return op.f(f"ix_{table}_{'_'.join(columns)}")


def upgrade() -> None:
    """Make the change."""
    _alerts()
    op.create_table(
        "alert_events",
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("alert", _key(64), nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_events")),
    )
    op.create_table(
        "alert_groups",
        sa.Column("id", _key(64), nullable=False),
        sa.Column("route", _key(64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("due_ns", sa.BigInteger(), nullable=True),
        sa.Column("told_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_groups")),
    )
    op.create_table(
        "alert_tellings",
        sa.Column("alert", _key(64), nullable=False),
        sa.Column("route", _key(64), nullable=False),
        sa.Column("group", _key(64), nullable=False),
        sa.Column("wanted", sa.String(length=16), nullable=False),
        sa.Column("told", sa.String(length=16), nullable=False),
        sa.Column("told_ns", sa.BigInteger(), nullable=True),
        sa.Column("since_ns", sa.BigInteger(), nullable=True),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("next_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("alert", "route", name=op.f("pk_alert_tellings")),
    )
    op.create_table(
        "alert_silences",
        sa.Column("id", _key(64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("match", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_silences")),
    )
    op.create_table(
        "alert_late",
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("digest", _key(64), nullable=False),
        sa.Column("rule", _key(64), nullable=False),
        sa.Column("site", _key(64), nullable=False),
        sa.Column("building", sa.String(length=200), nullable=False),
        sa.Column("zone", sa.String(length=200), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("device", _key(200), nullable=False),
        sa.Column("quantity", sa.String(length=200), nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("seen_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_late")),
        sa.UniqueConstraint("digest", name=op.f("uq_alert_late_digest")),
    )
    op.create_table(
        "alert_checkpoints",
        sa.Column("name", _key(64), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("saved_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alert_checkpoints")),
    )
    for table, *columns in _INDICES:
        op.create_index(_name(table, *columns), table, columns, unique=False)


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", _key(64), nullable=False),
        sa.Column("watch", _key(64), nullable=False),
        sa.Column("rule", _key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("alarm_class", sa.String(length=16), nullable=False),
        sa.Column("site", _key(64), nullable=False),
        sa.Column("building", sa.String(length=200), nullable=False),
        sa.Column("zone", sa.String(length=200), nullable=False),
        sa.Column("device", _key(200), nullable=False),
        sa.Column("quantity", sa.String(length=200), nullable=False),
        sa.Column("person", _key(64), nullable=False),
        sa.Column("state", _key(16), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=True),
        sa.Column("until_ns", sa.BigInteger(), nullable=True),
        sa.Column("opened_ns", sa.BigInteger(), nullable=False),
        sa.Column("closed_ns", sa.BigInteger(), nullable=True),
        sa.Column("applied", sa.Text(), nullable=False),
        sa.Column("acknowledged_ns", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=200), nullable=False),
        sa.Column("acknowledged_note", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("unit", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("runbook", sa.Text(), nullable=False),
        sa.Column("retroactive", sa.Boolean(), nullable=False),
        sa.Column("cause", _key(64), nullable=False),
        sa.Column("silence", _key(64), nullable=False),
        sa.Column("flapping", sa.Boolean(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("group", _key(64), nullable=False),
        sa.Column("told", sa.String(length=16), nullable=False),
        sa.Column("told_ns", sa.BigInteger(), nullable=True),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("next_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )


def downgrade() -> None:
    """Take it back: what was known of alerts is gone."""
    for table, *columns in reversed(_INDICES):
        op.drop_index(_name(table, *columns), table_name=table)
    for table in (
        "alert_checkpoints", "alert_late", "alert_silences", "alert_tellings", "alert_groups",
        "alert_events", "alerts",
    ):  # fmt: skip
        op.drop_table(table)
