"""Keys are ordered by their bytes on PostgreSQL too; a device's dead letters have an index.

Pages go on after a key: their order must not depend on the language that the database was made
with, nor change when the machine's C library is updated. SQLite orders by bytes anyway.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEYS = (
    ("api_keys", "id", 64),
    ("bindings", "template", 200),
    ("dead_letters", "id", 64),
    ("devices", "id", 64),
    ("ledger", "site", 200),
    ("ledger", "device", 200),
    ("profiles", "name", 64),
    ("sites", "id", 64),
    ("workers", "worker", 64),
)


def upgrade() -> None:
    """Make the change."""
    _collate("C")
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_dead_letters_site_device_received_ns"),
            ["site", "device", "received_ns"],
            unique=False,
        )


def downgrade() -> None:
    """Take it back."""
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_dead_letters_site_device_received_ns"))
    _collate("default")


def _collate(collation: str) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column, length in _KEYS:
        op.alter_column(
            table,
            column,
            existing_type=sa.String(length=length),
            type_=sa.String(length=length, collation=collation),
            existing_nullable=False,
        )
