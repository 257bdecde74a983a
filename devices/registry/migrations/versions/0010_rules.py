"""Alert rules as they were written, labels of devices, and who wears which device when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _key(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "alert_rules",
        sa.Column("name", _key(64), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_alert_rules")),
    )
    op.create_table(
        "device_labels",
        sa.Column("device", _key(64), nullable=False),
        sa.Column("name", _key(64), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.id"],
            name=op.f("fk_device_labels_device"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("device", "name", name=op.f("pk_device_labels")),
    )
    op.create_table(
        "assignments",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("device", _key(64), nullable=False),
        sa.Column("person", _key(64), nullable=False),
        sa.Column("site", _key(64), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=True),
        sa.Column("assigned_by", sa.String(length=200), nullable=False),
        sa.Column("ended_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignments")),
    )
    for column in ("device", "person"):
        op.create_index(
            op.f(f"ix_assignments_{column}_start_ns"),
            "assignments",
            [column, "start_ns"],
            unique=False,
        )


def downgrade() -> None:
    """Take it back."""
    for column in ("person", "device"):
        op.drop_index(op.f(f"ix_assignments_{column}_start_ns"), table_name="assignments")
    op.drop_table("assignments")
    op.drop_table("device_labels")
    op.drop_table("alert_rules")
