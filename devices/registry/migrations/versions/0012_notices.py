"""Notices, of which alerts they tell, and the attempts to deliver them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_NOTICE_INDEXES = (
    ("state", "channel", "created_ns", "id"),
    ("channel", "finished_ns"),
    ("created_ns", "id"),
)


def _key(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "alert_notices",
        sa.Column("id", _key(64), nullable=False),
        sa.Column("channel", _key(64), nullable=False),
        sa.Column("occasion", sa.String(length=16), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("alerts", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_ns", sa.BigInteger(), nullable=False),
        sa.Column("finished_ns", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_notices")),
    )
    for columns in _NOTICE_INDEXES:
        op.create_index(
            op.f(f"ix_alert_notices_{'_'.join(columns)}"), "alert_notices", list(columns)
        )
    op.create_table(
        "alert_notice_alerts",
        sa.Column("alert", _key(64), nullable=False),
        sa.Column("notice", _key(64), nullable=False),
        sa.PrimaryKeyConstraint("alert", "notice", name=op.f("pk_alert_notice_alerts")),
    )
    op.create_index(op.f("ix_alert_notice_alerts_notice"), "alert_notice_alerts", ["notice"])
    op.create_table(
        "alert_attempts",
        sa.Column("notice", _key(64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("finished_ns", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("notice", "number", name=op.f("pk_alert_attempts")),
    )
    op.create_index(op.f("ix_alert_attempts_outcome"), "alert_attempts", ["outcome"])


def downgrade() -> None:
    """Take it back."""
    op.drop_index(op.f("ix_alert_attempts_outcome"), table_name="alert_attempts")
    op.drop_table("alert_attempts")
    op.drop_index(op.f("ix_alert_notice_alerts_notice"), table_name="alert_notice_alerts")
    op.drop_table("alert_notice_alerts")
    for columns in reversed(_NOTICE_INDEXES):
        op.drop_index(op.f(f"ix_alert_notices_{'_'.join(columns)}"), table_name="alert_notices")
    op.drop_table("alert_notices")
