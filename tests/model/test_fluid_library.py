"""Scenarios of the library at both fidelities: `benchmarks/fluid.py` does it for all of them."""

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from evidence.assess import assess
from evidence.measures import FunctionMeasure
from evidence.record import RunRecord
from scenarios.fidelity import Fidelity
from scenarios.loading import load, load_text
from simulator.errors import RequestError
from simulator.replication import Player
from simulator.replications import simulate
from simulator.strategies import strategy_named

REPLICATIONS = 60
TOLERANCE = 0.05


def played(name: str, strategy: str | None, fidelity: Fidelity, replications: int) -> list[list[FunctionMeasure]]:
    scenario = load(name)[0].at_fidelity(fidelity)
    player = Player(scenario, strategy_named(scenario, strategy), 1)
    return [player.measures(replication) for replication in range(replications)]


def agree(requests: list[float], flows: list[float]) -> None:
    """The means, within the tolerance or what chance makes of their difference."""
    one, other = np.array(requests), np.array(flows)
    chance = 2.6 * float((other - one).std(ddof=1)) / math.sqrt(len(one))
    assert other.mean() == pytest.approx(one.mean(), rel=TOLERANCE, abs=max(chance, 1e-9))


@pytest.mark.parametrize(
    ("name", "strategy", "replications"),
    [
        ("shop-release", "canary", REPLICATIONS),
        ("shop-release", "recreate", REPLICATIONS),
        ("shop-release", "blue-green", REPLICATIONS),
        ("uncertain-inputs", None, 15),
        ("night-release", None, 15),
        ("failover-async", None, 20),
        ("shop-restore", None, 40),
        ("shop-bad-data", None, REPLICATIONS),
        ("expand-contract", None, 20),
        ("fan-out", None, 10),
        ("version-skew", "blue-green", 10),
        ("retry-storm", None, 10),
        ("third-party-quota", None, 40),
        ("slow-replicas", None, 40),
        ("zone-outage", None, 15),
        ("sync-replication", None, 15),
        ("blamed-release", None, 10),
    ],
)
def test_rto_and_failed_share_agree(name: str, strategy: str | None, replications: int) -> None:
    requests, flows = (played(name, strategy, fidelity, replications) for fidelity in get_args(Fidelity))
    for place in range(len(requests[0])):
        for measure in ("rto_s", "failed_share", "downtime_s"):
            agree(*([getattr(rows[place], measure) for rows in table] for table in (requests, flows)))
    assert [rows[0].defects for rows in requests] == [rows[0].defects for rows in flows]


@pytest.mark.parametrize(
    ("name", "measures"),
    [("failover-async", ("rpo_s", "lost_writes")), ("shop-bad-data", ("reconciled_rows",))],
)
def test_rows_that_are_lost_or_wrong_agree(name: str, measures: tuple[str, ...]) -> None:
    requests, flows = (played(name, None, fidelity, REPLICATIONS) for fidelity in get_args(Fidelity))
    for measure in measures:
        told = [[float(getattr(rows[0], measure) or 0.0) for rows in table] for table in (requests, flows)]
        assert sum(told[0]) > 0
        agree(*told)


def test_a_record_tells_its_fidelity_and_is_judged_again(tmp_path: Path) -> None:
    scenario, source = load("shop-release")
    scenario = scenario.at_fidelity("fluid")
    result = simulate(scenario, source.text, replications=5, out=tmp_path, processes=1)
    assert result.record is not None
    record = RunRecord.open(result.record)
    assert record.header.fidelity == "fluid"
    assert assess(result.record).status.value != "error"
    again = simulate(scenario, source.text, replications=5, processes=2)
    assert again.measures == result.measures


def test_what_flows_do_not_model_is_refused_by_its_key() -> None:
    text = load("expand-contract")[1].text.replace("path: [checkout]", "path: [edge, checkout]")
    text = text.replace("    checkout: {replicas", "    edge: {service_time: 1ms}\n    checkout: {replicas", 1)
    text = text.replace("  calls:\n", "  calls:\n    - {from: edge, to: checkout, timeout: 1s, cancel: true}\n")
    scenario = load_text(text, "edge.yaml").at_fidelity("fluid")
    with pytest.raises(
        RequestError, match=r"system\.calls\[0\]\.cancel \(checkout makes calls to orders, which is locked"
    ):
        simulate(scenario, text, replications=1)
    without = text.replace("    lock: 500ms\n", "")
    simulate(load_text(without, "edge.yaml").at_fidelity("fluid"), without, replications=1)


def test_a_lock_whose_retries_crowd_the_connections_is_refused_by_its_key() -> None:
    scenario, source = load("expand-contract")
    (call,) = scenario.system.calls
    call = call.model_copy(update={"retries": 1, "timeout_s": 0.3})
    system = scenario.system.model_copy(update={"calls": [call]})
    scenario = scenario.model_copy(update={"system": system, "fidelity": "fluid"})
    with pytest.raises(RequestError, match=r"release\.migration\.lock \(of 0\.5 s, with retries after 0\.3 s"):
        simulate(scenario, source.text, replications=1)
    orders = system.stores["orders"].model_copy(update={"connections": 64})
    system = system.model_copy(update={"stores": {**system.stores, "orders": orders}})
    simulate(scenario.model_copy(update={"system": system}), source.text, replications=1)
