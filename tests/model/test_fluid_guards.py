"""Quotas, circuit breakers, ejection and the better of two replicas as flows, beside requests."""

from dataclasses import replace

import numpy as np
import pytest

from simulator.fluid.plane import FluidPlane
from simulator.kernel.plane import DataPlane, Defect
from simulator.layout import ARRIVED, ERROR, FIRST_BIN, REFUSED
from simulator.network import (
    CLIENT,
    UNBOUNDED,
    Balancing,
    Breaker,
    Call,
    Distribution,
    Ejection,
    Function,
    Kind,
    Network,
    Node,
    Quota,
    RetryBudget,
    Station,
)

EDGES_S = np.geomspace(1e-3, 10.0, 33)
BREAKER = Breaker(errors=0.5, window_s=10.0, minimum=20, open_s=5.0, probes=3)


def network(
    quota: Quota | None,
    breaker: Breaker | None,
    retries: int,
    rates: tuple[tuple[float, float], ...],
    backoff_s: float = 0.1,
    lasts_s: float = 130.0,
) -> Network:
    """A shop that calls a bank."""
    stations = (
        Station("shop", 256, Distribution(Kind.EXPONENTIAL, 0.01)),
        Station("bank", 64, Distribution(Kind.EXPONENTIAL, 0.1), quota=quota),
    )
    calls = (Call(CLIENT, 0), Call(0, 1, timeout_s=0.8, retries=retries, backoff_s=backoff_s, breaker=breaker))
    functions = (Function("buy", rates, Node(0, (Node(1),))),)
    return Network(stations, calls, functions, 1.0, int(lasts_s), EDGES_S)


def played(
    kind: type[DataPlane] | type[FluidPlane],
    made: Network,
    seeds: int,
    error: tuple[float, float, float] = (0, 0, 0),
) -> np.ndarray:
    """By seed: the clients' failed share, and the calls that reached the bank; `error`: from when until when, share."""
    begins_s, ends_s, share = error
    found = []
    for seed in range(1, seeds + 1):
        plane = kind(made, seed)
        for index, station in enumerate(made.stations):
            plane.set_ready(index, 0, range(station.replicas[0]))
        if share > 0.0:
            plane.run(begins_s)
            plane.set_defects(1, 0, [Defect(error_ratio=share)])
            plane.run(ends_s)
            plane.set_defects(1, 0, [])
        plane.run(made.horizon_s)
        recording = plane.recording()
        client = recording.client[:, 0, 0].sum(axis=0)
        bank = recording.service[:, np.flatnonzero(recording.rows.station == 1)[0]].sum(axis=0)
        found.append((client[ERROR : REFUSED + 1].sum() / client[ARRIVED], bank[ERROR:].sum(), bank[FIRST_BIN:].sum()))
    return np.array(found, float)


def agree(made: Network, seeds: int, error: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """Means by both planes, compared within 5 % or three standard errors; returns those of flows."""
    requests, flows = (played(kind, made, seeds, error) for kind in (DataPlane, FluidPlane))
    chance = 3.0 * np.sqrt((requests.var(axis=0, ddof=1) + flows.var(axis=0, ddof=1)) / seeds)
    for one, other, margin in zip(requests.mean(axis=0), flows.mean(axis=0), chance, strict=True):
        assert other == pytest.approx(one, rel=0.05, abs=margin)
    return flows.mean(axis=0)


PEAK = ((0.0, 40.0), (40.0, 60.0), (70.0, 40.0), (120.0, 0.0))


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("burst", [25.0, 250.0])
def test_a_quota_refuses_what_its_burst_does_not_cover(burst: float, retries: int) -> None:
    failed = agree(network(Quota(50.0, burst), None, retries, PEAK), 10)[0]
    assert failed > 0.0005


def test_who_tries_again_comes_to_an_empty_bucket_later() -> None:
    """Short peaks, again and again: first the backoffs fill, and only then does anybody fail for good."""
    peaks = tuple((25.0 * peak + after_s, rate) for peak in range(40) for after_s, rate in ((0.0, 40.0), (15.0, 55.0)))
    made = network(Quota(50.0, 10.0), None, 3, peaks, backoff_s=0.4, lasts_s=1000.0)
    at_once = network(Quota(50.0, 10.0), None, 0, peaks, lasts_s=1000.0)
    assert agree(made, 4)[0] < 0.8 * agree(at_once, 4)[0]


def test_the_bank_takes_no_more_than_its_quota() -> None:
    (found,) = played(FluidPlane, network(Quota(50.0, 10.0), None, 0, ((0.0, 80.0), (120.0, 0.0))), 1)
    assert found[2] == pytest.approx(50.0 * 120.0 + 10.0, abs=10.0)


@pytest.mark.parametrize(("share", "retries"), [(0.9, 0), (0.6, 0), (0.7, 1)])
def test_a_breaker_holds_back_while_the_bank_fails(share: float, retries: int) -> None:
    calm = ((0.0, 40.0), (120.0, 0.0))
    error = (30.0, 80.0, share)
    guarded = agree(network(None, BREAKER, retries, calm), 10, error)
    bare = played(FluidPlane, network(None, None, retries, calm), 1, error).mean(axis=0)
    assert guarded[1] < 0.8 * bare[1]


@pytest.mark.parametrize("retries", [1, 3])
def test_a_spent_budget_pays_what_it_has_income_for(retries: int) -> None:
    made = network(None, None, retries, ((0.0, 40.0), (120.0, 0.0)), backoff_s=0.01)
    bank = replace(made.calls[1], budget=RetryBudget(share=0.1, minimum_per_s=2.0))
    found = agree(replace(made, calls=(made.calls[0], bank)), 5, (20.0, 120.0, 1.0))
    # First attempts, what they pay for while all fail, and what had been saved by then: ten seconds of income at most.
    assert found[1] == pytest.approx(120.0 * 40.0 + 100.0 * (4.0 + 2.0) + 55.0, rel=0.01)


def impatient() -> Network:
    """One worker for half as much again as it can do, and callers who wait ten times as long as the work takes."""
    bank = Station("bank", 1, Distribution(Kind.CONSTANT, 0.1))
    calls = (Call(CLIENT, 0), Call(0, 1, timeout_s=1.0, cancel=True))
    stations = (Station("shop", 4096, Distribution(Kind.CONSTANT, 0.001)), bank)
    functions = (Function("buy", ((0.0, 15.0), (120.0, 0.0)), Node(0, (Node(1),))),)
    return Network(stations, calls, functions, 1.0, 130, EDGES_S)


def failed_share(plane: DataPlane | FluidPlane) -> float:
    for index in (0, 1):
        plane.set_ready(index, 0, [0])
    plane.run(130.0)
    client = plane.recording().client[:, 0, 0].sum(axis=0)
    return float(client[ERROR : REFUSED + 1].sum() / client[ARRIVED])


def test_a_queue_that_nobody_has_the_patience_for_is_told_as_near_its_capacity() -> None:
    plane = FluidPlane(impatient(), 1, singly=())
    assert 0.25 < failed_share(plane) < 0.75
    assert plane.near_capacity_s()[1] > 60.0


def test_a_queue_that_nobody_has_the_patience_for_is_played_request_by_request() -> None:
    requests = np.array([failed_share(DataPlane(impatient(), seed)) for seed in range(1, 6)])
    flows = np.array([failed_share(FluidPlane(impatient(), seed)) for seed in range(1, 6)])
    chance = 3.0 * float(np.hypot(requests.std(ddof=1), flows.std(ddof=1))) / 5**0.5
    assert flows.mean() == pytest.approx(requests.mean(), rel=0.05, abs=chance)
    assert chance < 0.1
    plane = FluidPlane(impatient(), 1)
    failed_share(plane)
    assert plane.near_capacity_s() == {}


def balanced(
    replicas: int,
    rate: float,
    cv: float,
    queue: int = UNBOUNDED,
    ejection: Ejection | None = None,
    balancing: Balancing = Balancing.RANDOM_OF_TWO,
    call: Call = Call(0, 1, timeout_s=0.5),  # noqa: B008  # frozen
) -> Network:
    """A shop that calls a bank of several replicas."""
    sigma = float(np.sqrt(np.log1p(cv * cv)))
    work = Distribution(Kind.LOGNORMAL, float(np.log(0.1)) - 0.5 * sigma * sigma, sigma)
    bank = Station("bank", 4, work, queue=queue, replicas=(replicas,), balancing=balancing, ejection=ejection)
    stations = (Station("shop", 4096, Distribution(Kind.EXPONENTIAL, 0.001)), bank)
    functions = (Function("buy", ((0.0, rate), (120.0, 0.0)), Node(0, (Node(1),))),)
    return Network(stations, (Call(CLIENT, 0), call), functions, 1.0, 130, EDGES_S)


@pytest.mark.parametrize(
    ("replicas", "rate", "cv"), [(6, 150.0, 3.0), (5, 160.0, 1.0), (3, 90.0, 1.0), (12, 400.0, 1.0)]
)
def test_the_better_of_two_keeps_waits_short(replicas: int, rate: float, cv: float) -> None:
    agree(balanced(replicas, rate, cv), 10)


@pytest.mark.parametrize(("replicas", "rate"), [(4, 150.0), (4, 170.0), (8, 330.0)])
def test_short_queues_refuse_when_both_of_two_are_full(replicas: int, rate: float) -> None:
    assert agree(balanced(replicas, rate, 1.0, queue=4), 10)[0] > 0.001


@pytest.mark.parametrize(("replicas", "rate", "cv"), [(8, 310.0, 0.9), (8, 316.0, 0.3), (3, 116.0, 0.3)])
def test_longer_queues_of_two_are_seldom_full(replicas: int, rate: float, cv: float) -> None:
    """What two replicas would refuse is of no matter for eight, which have as good as one queue."""
    assert agree(balanced(replicas, rate, cv, queue=12), 10)[0] > 0.001


@pytest.mark.parametrize("most", [0.5, 1.0])
def test_ejected_replicas_leave_the_others_their_load(most: float) -> None:
    made = balanced(4, 100.0, 0.5, queue=4, ejection=Ejection(5, 20.0, most))
    ejecting = agree(made, 10, (30.0, 80.0, 0.6))
    (staying,) = played(FluidPlane, balanced(4, 100.0, 0.5, queue=4), 1, (30.0, 80.0, 0.6))
    assert ejecting[0] > 1.02 * staying[0]
