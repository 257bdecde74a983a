"""Requests about dead letters by filter, with progress; who settled a dead letter, and why.

The size of a payload is a column of its own: a list does not read payloads, and the size is still
known when the payload is gone.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _letter_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("size", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("settled_by", sa.String(length=200), nullable=False, server_default=""),
        sa.Column("settled_why", sa.Text(), nullable=False, server_default=""),
    ]


def _request_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("action", sa.String(length=16), nullable=False, server_default="replay"),
        sa.Column("wanted", sa.Text(), nullable=False, server_default=""),
        sa.Column("rate", sa.Float(), nullable=False, server_default="0"),
        sa.Column("why", sa.Text(), nullable=False, server_default=""),
        sa.Column("matched", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("done", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("position", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("upto", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("waiting", sa.Text(), nullable=False, server_default=""),
        sa.Column("outcomes", sa.Text(), nullable=False, server_default="[]"),
    ]


def upgrade() -> None:
    """Make the change."""
    for column in _letter_columns():
        op.add_column("dead_letters", column)
    op.execute("UPDATE dead_letters SET size = length(payload)")
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_dead_letters_state_worker_received_ns"),
            ["state", "worker", "received_ns"],
            unique=False,
        )
    for column in _request_columns():
        op.add_column("replay_requests", column)


def downgrade() -> None:
    """Take it back; requests that are not replays of named dead letters are forgotten."""
    op.execute("DELETE FROM replay_requests WHERE action <> 'replay' OR wanted <> ''")
    with op.batch_alter_table("replay_requests", schema=None) as batch_op:
        for column in _request_columns():
            batch_op.drop_column(column.name)
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_dead_letters_state_worker_received_ns"))
        for column in _letter_columns():
            batch_op.drop_column(column.name)
