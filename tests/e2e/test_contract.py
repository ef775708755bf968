"""The contract check on the real staging: what breaks is found, and the staging is as it was."""

from __future__ import annotations

import psycopg
import pytest

from chaos.contract import oasdiff
from chaos.contract.check import check_contract
from chaos.realise import defects_of
from chaos.staging.embedded import Staging
from chaos.staging.embedded_adapter import EmbeddedAdapter
from scenarios.loading import load

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        oasdiff.OASDIFF.find() is None,
        reason="oasdiff is neither on PATH nor in the cache: `windtunnel contract shop-contract` builds it once",
    ),
]


def orders(staging: Staging) -> int:
    with psycopg.connect(staging.orders_dsn()) as connection:
        row = connection.execute("SELECT count(*) FROM orders").fetchone()
        assert row is not None
        return int(row[0])


def test_a_broken_contract_is_found_and_nothing_is_left(staging: Staging) -> None:
    scenario = load("shop-contract")[0]
    adapter, rows = EmbeddedAdapter(staging), orders(staging)
    defects = defects_of(scenario, ["currency-required"], scenario.release.strategy)
    report = check_contract(scenario, defects, adapter, None)
    assert [(each.operation, each.path, each.kind) for each in report.breaking] == [
        ("POST", "/checkout", "new-required-request-property")
    ]
    assert [(each.call.consumer, each.call.cohort) for each in report.differences] == [
        ("edge", "coupon"),
        ("edge", "default"),
    ]
    assert all(each.new == {"500 {error}": 20} for each in report.differences)
    assert check_contract(scenario, (), adapter, None).kept
    assert staging.replicas("checkout") == {"2.3": 2}
    assert staging.routes("checkout") == {"2.3": 1.0, "2.4": 0.0}
    assert staging.defects("checkout", "2.4") == []
    assert orders(staging) == rows
