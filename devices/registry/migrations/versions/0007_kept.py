"""What is kept beside the store: newest values, hours to roll up, and who does it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    text = sa.String(length=64)
    key = text.with_variant(sa.String(length=64, collation="C"), "postgresql")
    op.create_table(
        "latest_values",
        sa.Column("site", key, nullable=False),
        sa.Column("device", key, nullable=False),
        sa.Column("quantity", key, nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "device", "quantity", name=op.f("pk_latest_values")),
    )
    op.create_index(op.f("ix_latest_values_turn"), "latest_values", ["turn"], unique=False)
    op.create_table(
        "marked_hours",
        sa.Column("site", key, nullable=False),
        sa.Column("device", key, nullable=False),
        sa.Column("category", key, nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "device", "category", "hour", name=op.f("pk_marked_hours")),
    )
    op.create_index(op.f("ix_marked_hours_hour"), "marked_hours", ["hour"], unique=False)
    op.create_table(
        "kept_state",
        sa.Column("name", key, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_kept_state")),
    )
    op.create_table(
        "leases",
        sa.Column("name", key, nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("until_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )


def downgrade() -> None:
    """Take it back; what is kept is made anew from the store."""
    op.drop_table("leases")
    op.drop_table("kept_state")
    op.drop_index(op.f("ix_marked_hours_hour"), table_name="marked_hours")
    op.drop_table("marked_hours")
    op.drop_index(op.f("ix_latest_values_turn"), table_name="latest_values")
    op.drop_table("latest_values")
