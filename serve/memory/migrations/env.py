"""What Alembic runs to bring a store to a schema version, on the connection of
serve/memory/schema.py.
"""

from __future__ import annotations

from alembic import context

from serve.memory.store_tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
