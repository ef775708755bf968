"""The ledger calls a write acknowledged, failed or indeterminate, and finds what is planted."""

from typing import Any

import numpy as np
import pytest

from chaos.ledger import (
    FinalRead,
    LedgerError,
    done_against_the_odds,
    final_read,
    from_load,
    looked_up,
    there_despite,
)
from chaos.load.raw import COLUMNS, RawSamples
from chaos.load.schedule import request_id, write_id


def request(index: int, kind: str, status: int, function: str = "order", **changes: Any) -> list[Any]:
    values = {
        "function": function, "index": index, "cohort": "default", "intended_s": float(index),
        "sent_s": index + 0.001, "finished_s": index + 0.5, "status": status, "kind": kind,
        "version": "", "request_id": request_id("token", function, index), "error": "", **changes,
    }  # fmt: skip
    return [values[name] for name in COLUMNS]


def the_id(index: int) -> str:
    return write_id(request_id("token", "order", index))


@pytest.fixture
def raw() -> RawSamples:
    return RawSamples.from_rows(
        [
            request(1, "ok", 201),
            request(0, "ok", 201),
            request(2, "error", 500),
            request(3, "timeout", 0),
            request(4, "refused", 0),
            request(5, "unfinished", 0, finished_s=None),
            request(6, "ok", 202),
            request(7, "error", 0, error="ConnectionResetError"),
            request(0, "ok", 200, function="browse"),
        ]
    )


def test_only_an_acknowledgement_is_ok_and_only_what_was_never_sent_is_failed(raw: RawSamples) -> None:
    ledger = from_load(raw, {"order": "orders"})
    assert ledger.write_id.tolist() == [the_id(index) for index in range(8)]
    assert ledger.outcome.tolist() == ["ok", "ok", "indeterminate", "indeterminate", "failed"] + ["indeterminate"] * 3
    assert ledger.acknowledged_s[:2].tolist() == [0.5, 1.5]
    assert np.isnan(ledger.acknowledged_s[2:]).all()
    assert ledger.invoked_s.tolist() == [index + 0.001 for index in range(8)]
    assert set(ledger.store.tolist()) == {"orders"}
    assert set(ledger.found.tolist()) == {-1}


def test_a_recovery_that_did_nothing_is_found_out() -> None:
    sent = from_load(RawSamples.from_rows([request(index, "ok", 201) for index in range(10)]), {"order": "orders"})
    all_there = looked_up(sent, "orders", FinalRead(frozenset(the_id(index) for index in range(10)), {}))
    assert there_despite(all_there, [(3.5, 8.0)]) == [the_id(index) for index in (5, 6, 7)], "4 may be of another clock"
    assert there_despite(all_there, [(6.5, 8.0)]) == [], "nothing was acknowledged in that time"
    one_lost = looked_up(sent, "orders", FinalRead(frozenset(the_id(index) for index in range(10) if index != 6), {}))
    assert there_despite(one_lost, [(3.5, 8.0)]) == []


def test_a_planted_loss_is_found(raw: RawSamples) -> None:
    read = FinalRead(frozenset({the_id(0), the_id(2)}), {})
    ledger = looked_up(from_load(raw, {"order": "orders"}), "orders", read)
    lost = ledger.write_id[(ledger.outcome == "ok") & (ledger.found == 0)]
    assert lost.tolist() == [the_id(1)]


def test_a_late_write_is_there_though_nobody_acknowledged_it(raw: RawSamples) -> None:
    read = FinalRead(frozenset({the_id(0), the_id(1), the_id(3)}), {})
    ledger = looked_up(from_load(raw, {"order": "orders"}), "orders", read)
    late = ledger.write_id[(ledger.outcome == "indeterminate") & (ledger.found == 1)]
    assert late.tolist() == [the_id(3)]
    assert done_against_the_odds(ledger) == []


def test_a_write_called_failed_that_is_there_is_reported(raw: RawSamples) -> None:
    read = FinalRead(frozenset({the_id(4)}), {})
    ledger = looked_up(from_load(raw, {"order": "orders"}), "orders", read)
    assert done_against_the_odds(ledger) == [the_id(4)]


def test_a_read_of_one_store_says_nothing_of_another(raw: RawSamples) -> None:
    ledger = from_load(raw, {"order": "orders", "browse": "views"})
    ledger = looked_up(ledger, "orders", FinalRead(frozenset(), {}))
    assert set(ledger.found[ledger.store == "views"].tolist()) == {-1}
    assert set(ledger.found[ledger.store == "orders"].tolist()) == {0}


def test_no_writing_function_no_ledger(raw: RawSamples) -> None:
    assert len(from_load(raw, {})) == 0


def test_a_store_that_cannot_be_read_is_an_error_and_not_a_loss() -> None:
    with pytest.raises(LedgerError, match="orders: final read failed"):
        final_read("host=127.0.0.1 port=1 dbname=orders connect_timeout=1", [the_id(0)])
