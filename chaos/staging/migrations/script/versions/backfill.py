"""Backfill: old rows get the new column, batch by batch, each committed by itself so that no order waits for long."""

from alembic import op

revision = "backfill"
down_revision = "expand"
branch_labels = None
depends_on = None

BATCH = """
    UPDATE orders SET amount_cents = round(amount * 100) WHERE id IN (
        SELECT id FROM orders WHERE amount_cents IS NULL AND amount IS NOT NULL LIMIT 1000 FOR UPDATE SKIP LOCKED
    )
"""


def upgrade() -> None:
    """Until none is left."""
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        while connection.exec_driver_sql(BATCH).rowcount:
            pass


def downgrade() -> None:
    """The filled column goes with the expand."""
