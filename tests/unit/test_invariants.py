"""Orders against payments: a planted gap on either side is read right each time."""

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chaos.invariants import settle
from chaos.staging.data_verbs import Payment, StoredOrder
from chaos.staging.orders_data import OrdersData
from chaos.staging.servers import Servers
from chaos.staging.shop.payments_ledger import LEDGER_FILE, LEDGER_FOLDER, PaymentsLedger
from chaos.staging.state import StateFile
from chaos.staging.toxiproxy import ToxiproxyClient

NOW = datetime.now(UTC)
FATES = ("there", "lost", "failed", "unpaid", "wrong")


@given(fates=st.lists(st.sampled_from(FATES), max_size=12))
def test_every_planted_gap_is_counted(fates: list[str]) -> None:
    named = {f"order-{number:02d}": fate for number, fate in enumerate(fates)}
    stored = [name for name, fate in named.items() if fate in ("there", "unpaid", "wrong")]
    paid = [Payment(name, 55.5 + (fate == "wrong")) for name, fate in named.items() if fate != "unpaid"]
    acknowledged = [name for name, fate in named.items() if fate != "failed"]
    settled = settle([StoredOrder(name, 55.5, NOW) for name in stored], paid, acknowledged)
    lost, failed, unpaid, wrong = (fates.count(fate) for fate in FATES[1:])
    assert (settled.paid_without_order, settled.paid_and_lost, settled.wrong) == (lost + failed, lost, wrong)
    assert [line.split()[0] for line in settled.broken] == [str(count) for count in (unpaid, wrong) if count]


def test_an_empty_amount_and_doubles_are_broken() -> None:
    orders = [StoredOrder("a", None, NOW), StoredOrder("b", 1.0, NOW), StoredOrder("b", 1.0, NOW)]
    payments = [Payment("a", 1.0), Payment("b", 1.0), Payment("a", 1.0)]
    broken = " | ".join(settle(orders, payments, ()).broken)
    assert "1 orders whose amount is not the payment's, such as a" in broken
    assert "1 orders there more than once, such as b" in broken
    assert "1 orders paid more than once, such as a" in broken


def test_less_than_half_a_cent_is_no_difference_and_some_examples_are_named() -> None:
    off = {"a": 0.0, "b": 0.004, "c": -0.004, "d": 0.006, "e": -0.006, "f": 1.0, "g": 2.0}
    orders = [StoredOrder(name, 55.0 + by, NOW) for name, by in off.items()]
    settled = settle(orders, [Payment(name, 55.0) for name in off], ())
    assert settled.broken == ("4 orders whose amount is not the payment's, such as d, e, f",)


def test_a_payment_is_taken_once_for_each_order(tmp_path: Path) -> None:
    (tmp_path / LEDGER_FOLDER).mkdir()
    replicas = [PaymentsLedger(tmp_path / LEDGER_FOLDER / LEDGER_FILE) for _ in range(2)]
    file = StateFile(tmp_path)
    for ledger in replicas:
        ledger.take("a", 55.0)
    replicas[1].take("b", 7.0)
    read = OrdersData(file, Servers(file, ToxiproxyClient(1))).payments_since(datetime.fromtimestamp(0, UTC))
    assert read == [Payment("a", 55.0), Payment("b", 7.0)]
    for ledger in replicas:
        ledger.close()
