"""Devices that had values stored in hours that were over: what readers keep of them is dropped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def _key(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "late_devices",
        sa.Column("site", _key(64), nullable=False),
        sa.Column("device", _key(64), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "device", name=op.f("pk_late_devices")),
    )
    op.create_index(op.f("ix_late_devices_turn"), "late_devices", ["turn"], unique=False)


def downgrade() -> None:
    """Take it back."""
    op.drop_index(op.f("ix_late_devices_turn"), table_name="late_devices")
    op.drop_table("late_devices")
