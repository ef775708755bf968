"""Invariants across stores: the shop's orders against the ledger of its payments.

An order is stored after its payment was taken, so each order has a payment of its amount. The other way round it need
not be: a payment whose order failed, or was lost, stays, and is counted; the acknowledged ones among them are losses,
which the RPO judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chaos.staging.data_verbs import Payment, StoredOrder

__all__ = ["Settlement", "settle", "wrong_orders"]

_CENT = 0.005
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Settlement:
    """How orders and payments fit. `broken` has a line for each invariant that does not hold.

    paid_without_order: payments whose order is not there; paid_and_lost: those of them that were acknowledged. wrong:
    orders whose amount is not the payment's.
    """

    orders: int
    payments: int
    paid_without_order: int
    paid_and_lost: int
    wrong: int
    broken: tuple[str, ...]


def settle(orders: Sequence[StoredOrder], payments: Sequence[Payment], acknowledged: Collection[str]) -> Settlement:
    """Compare both sides. `acknowledged` are ids of orders that were promised to a client."""
    paid = {payment.order_id: payment.amount for payment in payments}
    stored = {order.id for order in orders}
    unpaid = [order.id for order in orders if order.id not in paid]
    wrong = [order.id for order in wrong_orders(orders, payments)]
    orders_twice = [name for name, count in Counter(order.id for order in orders).items() if count > 1]
    paid_twice = [name for name, count in Counter(payment.order_id for payment in payments).items() if count > 1]
    odd = {
        "orders without a payment": unpaid,
        "orders whose amount is not the payment's": wrong,
        "orders there more than once": orders_twice,
        "orders paid more than once": paid_twice,
    }
    orphans = [name for name in paid if name not in stored]
    promised = set(acknowledged)
    return Settlement(
        orders=len(orders),
        payments=len(payments),
        paid_without_order=len(orphans),
        paid_and_lost=sum(name in promised for name in orphans),
        wrong=len(wrong),
        broken=tuple(f"{len(ids)} {what}, such as {', '.join(ids[:_EXAMPLES])}" for what, ids in odd.items() if ids),
    )


def wrong_orders(orders: Sequence[StoredOrder], payments: Sequence[Payment]) -> list[StoredOrder]:
    """Orders that were paid, but not with the amount that they have."""
    paid = {payment.order_id: payment.amount for payment in payments}
    return [order for order in orders if order.id in paid and _differs(order.amount, paid[order.id])]


def _differs(amount: float | None, paid: float) -> bool:
    return amount is None or abs(amount - paid) > _CENT
