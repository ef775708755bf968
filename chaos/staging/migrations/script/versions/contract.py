"""Contract: what the old version needs is dropped. The point of no return."""

from alembic import op

from chaos.staging.migrations.__main__ import PointOfNoReturn

revision = "contract"
down_revision = "switch"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The old column and all that was in it."""
    op.drop_column("orders", "amount")


def downgrade() -> None:
    """Refused: the column's values are gone."""
    raise PointOfNoReturn("the column orders.amount was dropped by the contract: its values are gone")
