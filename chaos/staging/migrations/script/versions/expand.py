"""Expand: the new column beside the old one, which may be empty from now on. Both versions can write."""

import sqlalchemy as sa
from alembic import context, op

revision = "expand"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The lock is kept for as long as the scenario says: so it is on a large table behind long statements."""
    op.add_column("orders", sa.Column("amount_cents", sa.BigInteger(), nullable=True))
    op.alter_column("orders", "amount", nullable=True)
    lock_s = context.config.attributes["lock_s"]
    if lock_s:
        op.execute(sa.text("SELECT pg_sleep(:lock_s)").bindparams(lock_s=lock_s))


def downgrade() -> None:
    """Rows that only the new version wrote, and that nobody reconciled, do not fit the old schema: they are lost."""
    op.execute("DELETE FROM orders WHERE amount IS NULL")
    op.alter_column("orders", "amount", nullable=False)
    op.drop_column("orders", "amount_cents")
