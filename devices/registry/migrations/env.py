"""What Alembic runs: the connection and its transaction come from `devices.registry.migrate`."""

from __future__ import annotations

from alembic import context

from devices.registry.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
