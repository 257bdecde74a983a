"""Answers to writes, by idempotency key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "answered_writes",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_answered_writes")),
    )
    op.create_index(
        op.f("ix_answered_writes_created_ns"), "answered_writes", ["created_ns"], unique=False
    )


def downgrade() -> None:
    """Take it back; answers are forgotten."""
    op.drop_index(op.f("ix_answered_writes_created_ns"), table_name="answered_writes")
    op.drop_table("answered_writes")
