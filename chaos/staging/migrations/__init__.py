"""The migration of the orders' schema, by Alembic: amounts from numeric euros to whole cents, in parallel change."""
