"""Bounded queues of the fluid plane: beside their chain solved as one matrix, and beside the request-level plane."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.near_capacity import EDGES_S, failed_share
from simulator.fluid.bounded import PHASES_MAX, bounded, burst_of, felt, levels
from simulator.fluid.plane import FluidPlane
from simulator.fluid.walk import LEVELS
from simulator.kernel.plane import DataPlane
from simulator.layout import ARRIVED, FIRST_BIN
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station
from simulator.verification.closed_forms import mm1k_refused

Chain = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]

NONE = np.zeros(LEVELS)
"""Nothing comes to a level by itself."""


def chain(workers: int, places: float, load: float, phases: int) -> Chain:
    """Its generator, per holding time, rate of refusals by state, where they lead, and the share taken by level."""
    top = workers + math.ceil(places)
    rate, states = load * phases, (top + 1) * phases
    generator = np.zeros((states, states))
    refusals, after = np.zeros(states), np.arange(states)
    takes = np.ones(top + 1)
    takes[top] = 0.0
    if places > 0:
        takes[top - 1] = places - math.ceil(places) + 1
    for state in range(states):
        level, phase = divmod(state, phases)
        if phase < phases - 1:
            generator[state, state + 1] += rate
        else:
            refusals[state], after[state] = rate * (1 - takes[level]), level * phases
            generator[state, after[state]] += refusals[state]
            if level < top:
                generator[state, state + 1] += rate * takes[level]
        if level > 0:
            generator[state, state - phases] += min(level, workers)
    generator -= np.diag(generator.sum(axis=1))
    return generator, refusals, after, takes


def probabilities(generator: NDArray[np.float64]) -> NDArray[np.float64]:
    equations = np.vstack([generator.T, np.ones(len(generator))])
    return np.linalg.lstsq(equations, np.append(np.zeros(len(generator)), 1.0), rcond=None)[0]


CASES = [(1, 4, 0.9, 1), (8, 8, 7.6, 2), (8, 24, 9.0, 4), (2, 3.3, 1.6, 3), (3, 0, 2.0, 8), (1, 0.5, 0.4, 2)]


@pytest.mark.parametrize(("workers", "places", "load", "phases"), CASES)
def test_refusals_and_waits_are_those_of_the_chain(workers: int, places: float, load: float, phases: int) -> None:
    generator, _, _, takes = chain(workers, places, load, phases)
    met = probabilities(generator).reshape(-1, phases)[:, -1] * phases
    refused, waits, wait_s, first, _ = bounded(levels(), NONE, workers, places, load, 0.1, phases, 1.0)
    level = np.arange(len(met))
    behind = np.where(level >= workers, met * takes, 0.0)
    assert refused == pytest.approx((met * (1 - takes)).sum(), rel=1e-9)
    assert waits == pytest.approx(behind.sum() / (1 - refused), rel=1e-9, abs=1e-12)
    assert waits * wait_s == pytest.approx(
        (behind * (level - workers + 1)).sum() * 0.1 / workers / (1 - refused), abs=1e-12
    )
    assert first == pytest.approx(probabilities(generator)[-phases], rel=1e-9)


@pytest.mark.parametrize(("workers", "places", "load", "phases"), CASES)
def test_bursts_are_those_of_the_chain(workers: int, places: float, load: float, phases: int) -> None:
    generator, refusals, after, _ = chain(workers, places, load, phases)
    steady = probabilities(generator)
    deviation = np.linalg.inv(np.outer(np.ones(len(steady)), steady) - generator) - steady
    further = (deviation @ refusals)[after]
    expected = 2 * (steady * refusals) @ further / (steady @ refusals)
    _, _, _, first, full = bounded(levels(), NONE, workers, places, load, 0.1, phases, 1.0)
    found = burst_of(levels(), NONE, workers, places, load, phases, first, full)
    assert found == pytest.approx(expected, rel=1e-7)


def test_one_replica_refuses_as_m_m_1_k() -> None:
    assert bounded(levels(), NONE, 1, 4, 0.9, 0.1, 1, 1.0)[0] == pytest.approx(mm1k_refused(0.9, 5), rel=1e-9)


@pytest.mark.parametrize(
    ("workers", "places", "load"), [(1, 0, 1e-9), (256, 1000, 1e-3), (64, 2000, 30.0), (8, 8, 1e6)]
)
def test_loads_next_to_nothing_and_to_infinity_are_shares_still(workers: int, places: int, load: float) -> None:
    refused, waits, wait_s, _, _ = bounded(levels(), NONE, workers, places, load, 0.1, PHASES_MAX, 1.0)
    assert 0.0 <= refused <= 1.0
    assert 0.0 <= waits <= 1.0
    assert 0.0 <= wait_s <= 0.1 * (places + 1) / workers
    assert refused == pytest.approx(max(0.0, 1 - workers / load), abs=1e-4)


def test_a_deep_queue_may_refuse_less_than_there_are_numbers_for() -> None:
    rates = tuple((float(second), 0.1 * 1.01**second) for second in range(70))  # one of them refuses 5e-324 or so
    loads = [0.1 * rate for _, rate in rates]
    assert any(0.0 < bounded(levels(), NONE, 4, 128.0, load, 0.1, 1, 1.0)[0] < 1e-322 for load in loads)
    stations = (Station("desk", 4, Distribution(Kind.EXPONENTIAL, 0.1), queue=128),)
    made = Network(stations, (Call(CLIENT, 0),), (Function("ask", rates, Node(0)),), 1.0, 70, EDGES_S)
    plane = FluidPlane(made, 1)
    plane.set_ready(0, 0, [0])
    plane.run(70.0)
    client = plane.recording().client.sum(axis=(0, 1, 2))
    assert client[FIRST_BIN:].sum() == client[ARRIVED] > 0


def test_a_long_queue_feels_all_of_the_variation_and_one_without_memory_no_more_than_its_own() -> None:
    assert felt(4, 10**6, 3.8, 4.0, 1.0, False) == pytest.approx(4.0, rel=1e-3)
    assert felt(4, 8, 3.8, 1.0, 0.5, True) == 1.0
    assert 0.7 < felt(32, 2, 30.0, 4.0, 1.0, False) < 1.2
    assert felt(8, 0, 7.0, 4.0, 1.0, False) == 4.0


def network(variation: float, replicas: int, queue: int, busy: float) -> Network:
    """A caller with room for all, and a bounded service of 8 workers."""
    sigma2 = math.log1p(variation)
    service = Distribution(Kind.LOGNORMAL, math.log(0.05) - 0.5 * sigma2, math.sqrt(sigma2))
    if variation == 1.0:
        service = Distribution(Kind.EXPONENTIAL, 0.05)
    stations = (
        Station("edge", 8192, Distribution(Kind.EXPONENTIAL, 0.0005)),
        Station("shop", 8, service, queue=queue, replicas=(replicas,)),
    )
    functions = (Function("buy", ((0.0, busy * 8 * replicas / 0.05),), Node(0, (Node(1),))),)
    return Network(stations, (Call(CLIENT, 0), Call(0, 1)), functions, 1.0, 1200, EDGES_S)


@pytest.mark.parametrize(
    ("variation", "replicas", "queue", "busy", "tolerance"),
    [
        (1.0, 4, 8, 0.85, 0.06),
        (1.0, 8, 8, 0.95, 0.06),
        (0.25, 2, 8, 0.95, 0.06),
        (4.0, 1, 8, 0.85, 0.06),
        (1.69, 2, 32, 1.0, 0.06),
        (1.69, 4, 8, 0.95, 0.1),
    ],
)
def test_a_bounded_queue_refuses_as_request_by_request(
    variation: float, replicas: int, queue: int, busy: float, tolerance: float
) -> None:
    made = network(variation, replicas, queue, busy)
    by_requests = np.array([failed_share(DataPlane(made, seed), 1190.0) for seed in (1, 2, 3, 4)])
    plane = FluidPlane(made, 1)
    failed_share(plane, 30.0)
    chance = 3.0 * by_requests.std(ddof=1) / 2.0
    assert plane.state.replies[1, 0]["fail"] == pytest.approx(by_requests.mean(), rel=tolerance, abs=chance)
