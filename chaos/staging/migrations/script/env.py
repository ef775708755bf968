"""Alembic's own entry: runs revisions on the connection that chaos.staging.migrations hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
