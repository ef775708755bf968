"""Switch: the new column is the one that counts; rows that the old version wrote meanwhile are brought over first."""

from alembic import op

revision = "switch"
down_revision = "backfill"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No row without it from now on."""
    op.execute("UPDATE orders SET amount_cents = round(amount * 100) WHERE amount_cents IS NULL")
    op.alter_column("orders", "amount_cents", nullable=False)


def downgrade() -> None:
    """The old version writes no cents."""
    op.alter_column("orders", "amount_cents", nullable=True)
