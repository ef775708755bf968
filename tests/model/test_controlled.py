"""Flows corrected by requests: on a small scenario the corrected mean is that of many request-level replications."""

import math
from statistics import fmean

import pytest

from evidence.control_variate import controlled
from scenarios.loading import load
from simulator.controlled import ControlledSimulation, paired_replications
from simulator.errors import RequestError
from simulator.replications import simulate
from simulator.strategies import strategy_named
from windtunnel.controlled import compare_controlled

KINDS = ("canary", "recreate")


def test_the_corrected_mean_holds_the_request_level_one() -> None:
    scenario, source = load("shop-release")
    found = compare_controlled(scenario, source, strategies=KINDS, replications=60, paired=16, processes=1)
    assert (found.replications, found.paired) == (60, 16)
    bad_share = 1.0 - math.prod(1.0 - defect.probability for defect in scenario.release.defects)
    for row in found.rows:
        if (row.function, row.measure) != ("checkout", "failed_share"):
            continue
        played = simulate(scenario, source.text, strategy=row.strategy, replications=60, processes=1).measures
        bad, good = (
            fmean(
                each.failed_share or 0.0
                for each in played
                if each.function == "checkout" and bool(each.defects) == kind
            )
            for kind in (True, False)
        )
        assert row.estimate.low <= bad_share * bad + (1.0 - bad_share) * good <= row.estimate.high
    told = {each.measure: each.statement for each in found.differences if each.function == "checkout"}
    assert told["failed_share"] == "better"


def test_processes_change_nothing() -> None:
    scenario, _ = load("shop-release")
    strategies = {kind: strategy_named(scenario, kind) for kind in KINDS}
    simulations = [ControlledSimulation(scenario, strategies, replications=12, paired=4, seed=2) for _ in range(2)]
    for processes, simulation in enumerate(simulations, start=1):
        simulation.play(processes)
    one, two = (simulation.measures() for simulation in simulations)
    assert one == two
    assert controlled(scenario.name, *one, bad_share=0.5) == controlled(scenario.name, *two, bad_share=0.5)


def test_pairs_are_of_both_kinds() -> None:
    scenario, _ = load("shop-release")
    chosen = paired_replications(scenario, 1, 100, 5)
    assert len(chosen) == 5
    assert chosen == sorted(set(chosen))


def test_numbers_that_make_no_estimate_are_refused() -> None:
    scenario, _ = load("shop-release")
    strategies = {"canary": strategy_named(scenario, "canary")}
    with pytest.raises(RequestError, match=r"paired\(=3\) must be 4 to the replications\(=10\)"):
        ControlledSimulation(scenario, strategies, replications=10, paired=3, seed=1)
    locked = load("expand-contract")[0]
    calls = [call.model_copy(update={"retries": 1, "timeout_s": 0.3}) for call in locked.system.calls]
    unmodelled = locked.model_copy(update={"system": locked.system.model_copy(update={"calls": calls})})
    with pytest.raises(RequestError, match="does not model"):
        ControlledSimulation(unmodelled, {"main": unmodelled.release.strategy}, replications=10, paired=4, seed=1)
