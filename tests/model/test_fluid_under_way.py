"""Requests that are being tried again when a service is back have it at their next attempt: flows beside requests."""

from collections.abc import Callable

import numpy as np
import pytest

from simulator.fluid.plane import FluidPlane
from simulator.kernel.plane import DataPlane
from simulator.layout import ARRIVED, ERROR, FIRST_BIN
from simulator.network import CLIENT, UNBOUNDED, Call, Distribution, Function, Kind, Network, Node, RetryBudget, Station

EDGES_S = np.geomspace(1e-3, 10.0, 65)
CELLS, RESOLUTION_S = 400, 0.5
RATE, OUTAGES, OUTAGE_S = 60.0, 15, 2.0
SHOP, STOCK = range(2)


Plane = DataPlane | FluidPlane


def replicas_are_gone(plane: Plane, out: bool) -> None:
    plane.set_ready(STOCK, 0, [] if out else [0])


def the_call_is_cut(plane: Plane, out: bool) -> None:
    plane.set_cut(1, out)


def the_route_leads_nowhere(plane: Plane, out: bool) -> None:
    plane.set_weights(STOCK, [0.0, 1.0] if out else [1.0, 0.0])


def clients(
    kind: type[Plane],
    *,
    retries: int,
    jitter: bool = False,
    budget: RetryBudget | None = None,
    workers: int = 256,
    queue: int = UNBOUNDED,
    outage_s: float = OUTAGE_S,
    apart_s: float = 12.0,
    rate: float = RATE,
    goes_out: Callable[[Plane, bool], None] = replicas_are_gone,
) -> np.ndarray:
    """The clients' cells; stock is out of reach for a while, again and again, and the shop tries at most for 1.5 s."""
    stations = (
        Station("shop", workers, Distribution(Kind.CONSTANT, 0.002), queue=queue),
        Station("stock", 16, Distribution(Kind.EXPONENTIAL, 0.005), replicas=(1, 1)),
    )
    calls = (Call(CLIENT, SHOP), Call(SHOP, STOCK, retries=retries, backoff_s=0.5, jitter=jitter, budget=budget))
    functions = (Function("buy", ((0.0, rate), (195.0, 0.0)), Node(0, (Node(1),))),)
    plane = kind(Network(stations, calls, functions, RESOLUTION_S, CELLS, EDGES_S), 5)
    plane.set_ready(SHOP, 0, [0])
    plane.set_ready(STOCK, 0, [0])
    for outage in range(round(OUTAGES * 12.0 / apart_s)):
        begins_s = 10.1 + apart_s * outage
        for at_s, out in ((begins_s, True), (begins_s + outage_s, False)):
            plane.run(at_s)
            goes_out(plane, out)
    plane.run(CELLS * RESOLUTION_S)
    recording = plane.recording()
    assert recording.unfinished.sum() == 0
    return recording.client[:, 0, 0]


def failed(cells: np.ndarray) -> int:
    return int(cells[:, ERROR:FIRST_BIN].sum())


def test_only_those_fail_whose_last_attempt_comes_before_the_end() -> None:
    """Of 2 s those of the first 0.5 s: their third attempt comes 1.5 s later."""
    cells = clients(FluidPlane, retries=2)
    expected = RATE * OUTAGES * (OUTAGE_S - 1.5)
    assert failed(cells) == pytest.approx(expected, abs=5 * np.sqrt(expected))
    assert (cells[:, ERROR:] >= 0).all()
    assert cells[:, ERROR:].sum() == cells[:, ARRIVED].sum()


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_as_many_fail_as_request_by_request(retries: int) -> None:
    flows, requests = (failed(clients(kind, retries=retries, jitter=True)) for kind in (FluidPlane, DataPlane))
    assert flows == pytest.approx(requests, rel=0.02, abs=5 * np.sqrt(flows + requests))
    assert requests < RATE * OUTAGES * OUTAGE_S * 1.1


@pytest.mark.parametrize("goes_out", [the_call_is_cut, the_route_leads_nowhere])
def test_whatever_ends_is_seen_as_it_was_before_its_end(goes_out: Callable[[Plane, bool], None]) -> None:
    flows, requests = (failed(clients(kind, retries=2, goes_out=goes_out)) for kind in (FluidPlane, DataPlane))
    assert flows == pytest.approx(requests, rel=0.02, abs=5 * np.sqrt(flows + requests))
    assert requests < RATE * OUTAGES * OUTAGE_S * 0.5


def test_who_waited_behind_what_failed_meets_the_end() -> None:
    """All 30 workers of the shop are in attempts that fail for 1.5 s; three come for each that goes.

    Flows let the first of them end at once, so that at each outage as many more fail as there are workers.
    """
    flows, requests = (failed(clients(kind, retries=2, workers=30, outage_s=6.0)) for kind in (FluidPlane, DataPlane))
    assert flows == pytest.approx(requests, abs=30 * OUTAGES)
    assert requests < 0.5 * RATE * OUTAGES * (6.0 - 1.5)


def test_who_waited_in_a_full_queue_behind_what_failed_meets_the_end() -> None:
    """A full queue grows no more: who came so long ago has so much less before him. Else 9 % too many fail."""
    flows, requests = (
        failed(clients(kind, retries=2, workers=160, queue=400, outage_s=5.0, apart_s=30.0, rate=260.0))
        for kind in (FluidPlane, DataPlane)
    )
    assert flows == pytest.approx(requests, rel=0.06)
    assert requests > 2000


@pytest.mark.parametrize(("workers", "outage_s"), [(32, 12), (512, 5)])
def test_who_waits_for_the_next_attempt_comes_to_those_that_are_back(workers: int, outage_s: int) -> None:
    """A stock that can do a third more than is asked finds as many in backoffs as come in more than a second.

    They are before all that come when it is back, in its own queue or, where they are all workers of the shop, there.
    """
    stations = (
        Station("shop", workers, Distribution(Kind.CONSTANT, 0.002)),
        Station("stock", 6, Distribution(Kind.EXPONENTIAL, 0.16)),
    )
    calls = (Call(CLIENT, SHOP), Call(SHOP, STOCK, retries=3, backoff_s=0.5, jitter=True))
    functions = (Function("buy", ((0.0, 28.0), (1190.0, 0.0)), Node(0, (Node(1),))),)
    lasts_s, chance = [], 0.0
    middles_s = np.concatenate(([EDGES_S[0]], np.sqrt(EDGES_S[:-1] * EDGES_S[1:]), [EDGES_S[-1]]))
    for kind in (FluidPlane, DataPlane):
        found = []
        for seed in range(1, 7):
            plane = kind(Network(stations, calls, functions, 1.0, 1200, EDGES_S), seed)
            plane.set_ready(SHOP, 0, [0])
            plane.set_ready(STOCK, 0, [0])
            for begins_s in range(20, 1160, 60):
                plane.run(begins_s)
                replicas_are_gone(plane, out=True)
                plane.run(begins_s + outage_s)
                replicas_are_gone(plane, out=False)
            plane.run(1200.0)
            client = plane.recording().client[:, 0, 0, FIRST_BIN:]
            for ends_s in range(20 + outage_s, 1160 + outage_s, 60):
                answers = client[ends_s : ends_s + 8].sum(axis=0)
                found.append(float(answers @ middles_s / answers.sum()))
        lasts_s.append(np.mean(found))
        chance += np.var(found, ddof=1) / len(found)
    assert lasts_s[0] == pytest.approx(lasts_s[1], rel=0.1, abs=3.0 * chance**0.5)
    assert chance**0.5 < 0.1 * lasts_s[1]


def through_cuts(kind: type[Plane], cut_s: float, backoff_s: float, every_s: float) -> float:
    """Share that fails of what comes to a queue of 8 places at 90 % of its capacity, cut off once in 12 s.

    What its callers have in backoffs is more than it can take when it is back.
    """
    stations = (
        Station("shop", 4096, Distribution(Kind.CONSTANT, 0.002)),
        Station("stock", 8, Distribution(Kind.EXPONENTIAL, 0.05), queue=8),
    )
    calls = (Call(CLIENT, SHOP), Call(SHOP, STOCK, retries=3, backoff_s=backoff_s, jitter=True))
    functions = (Function("buy", ((0.0, 144.0), (195.0, 0.0)), Node(0, (Node(1),))),)
    plane = kind(Network(stations, calls, functions, RESOLUTION_S, CELLS, EDGES_S), 5)
    plane.set_ready(SHOP, 0, [0])
    plane.set_ready(STOCK, 0, [0])
    changes = {10.0 + 12.0 * outage + after_s: after_s == 0.0 for outage in range(15) for after_s in (0.0, cut_s)}
    for at_s in sorted({*changes, *np.arange(every_s, CELLS * RESOLUTION_S + 1e-9, every_s)}):
        plane.run(at_s)
        if at_s in changes:
            the_call_is_cut(plane, changes[at_s])
    cells = plane.recording().client[:, 0, 0]
    assert (cells >= 0).all()
    assert cells[:, ERROR:].sum() == cells[:, ARRIVED].sum()
    return failed(cells) / float(cells[:, ARRIVED].sum())


@pytest.mark.parametrize("every_s", [0.25, 200.0])
@pytest.mark.parametrize(("cut_s", "backoff_s"), [(2.0, 0.5), (4.0, 0.5), (1.0, 0.1)])
def test_who_comes_back_to_a_full_queue_may_never_get_through(cut_s: float, backoff_s: float, every_s: float) -> None:
    """Without that 3.5 % instead of 12 % fail behind 2 s; what is left is that retries of the others come later."""
    flows, requests = (through_cuts(kind, cut_s, backoff_s, every_s) for kind in (FluidPlane, DataPlane))
    assert flows == pytest.approx(requests, rel=0.15)


def test_replicas_that_die_while_others_come_back_leave_every_request_one_outcome() -> None:
    stations = (
        Station("shop", 4096, Distribution(Kind.CONSTANT, 0.002)),
        Station("stock", 8, Distribution(Kind.EXPONENTIAL, 0.05), queue=8, replicas=(2,)),
    )
    calls = (Call(CLIENT, SHOP), Call(SHOP, STOCK, retries=3, backoff_s=0.5, jitter=True))
    functions = (Function("buy", ((0.0, 290.0), (35.0, 0.0)), Node(0, (Node(1),))),)
    counts = []
    for kind in (FluidPlane, DataPlane):
        plane = kind(Network(stations, calls, functions, RESOLUTION_S, 80, EDGES_S), 5)
        plane.set_ready(SHOP, 0, [0])
        plane.set_ready(STOCK, 0, [0, 1])
        for begins_s in (5.0, 12.0, 19.0):
            plane.run(begins_s)
            the_call_is_cut(plane, out=True)
            plane.run(begins_s + 2.0)
            the_call_is_cut(plane, out=False)
            for after_s, replicas in ((0.2, [1]), (0.6, []), (1.0, [0]), (1.5, [0, 1])):
                plane.run(begins_s + 2.0 + after_s)
                for replica in {0, 1} - {*replicas}:
                    plane.kill(STOCK, 0, replica)
                plane.set_ready(STOCK, 0, replicas)
        plane.run(40.0)
        cells = plane.recording().client[:, 0, 0]
        assert (cells >= 0).all()
        assert cells[:, ERROR:].sum() == cells[:, ARRIVED].sum()
        counts.append(failed(cells))
    assert counts[0] == pytest.approx(counts[1], rel=0.15)


def test_what_a_change_lets_succeed_is_told_by_its_moment_and_not_by_what_comes_much_later() -> None:
    """A cut ends, and 10 s later so much comes that most of it fails: who was tried again by then had his answer."""
    stations = (
        Station("shop", 4096, Distribution(Kind.CONSTANT, 0.002)),
        Station("stock", 8, Distribution(Kind.EXPONENTIAL, 0.005), queue=100),
    )
    calls = (Call(CLIENT, SHOP), Call(SHOP, STOCK, retries=2, backoff_s=0.5))
    functions = (Function("buy", ((0.0, RATE), (20.0, 20_000.0), (25.0, 0.0)), Node(0, (Node(1),))),)
    counts = []
    for kind in (FluidPlane, DataPlane):
        plane = kind(Network(stations, calls, functions, RESOLUTION_S, 60, EDGES_S), 5)
        plane.set_ready(SHOP, 0, [0])
        plane.set_ready(STOCK, 0, [0])
        plane.run(8.0)
        the_call_is_cut(plane, out=True)
        plane.run(10.0)
        the_call_is_cut(plane, out=False)
        plane.run(24.0)
        plane.run(30.0)
        counts.append(failed(plane.recording().client[:30, 0, 0]))
    expected = RATE * (2.0 - 1.5)
    assert counts == pytest.approx([expected, expected], abs=5 * np.sqrt(expected))


def test_retries_that_a_budget_does_not_pay_save_nothing() -> None:
    flows, requests = (
        failed(clients(kind, retries=2, budget=RetryBudget(share=0.01, minimum_per_s=1.0)))
        for kind in (FluidPlane, DataPlane)
    )
    assert flows == pytest.approx(requests, rel=0.02, abs=5 * np.sqrt(flows + requests))
    assert requests > 0.75 * RATE * OUTAGES * OUTAGE_S


def test_what_was_inside_the_last_replica_fails_with_it() -> None:
    """It has half of what came for 10 s in its queue, beside which two seconds of refusals."""
    stock = Station("stock", 4, Distribution(Kind.EXPONENTIAL, 4 / RATE))
    functions = (Function("buy", ((0.0, 2.0 * RATE), (12.0, 1.0)), Node(0)),)
    counts = []
    for kind in (FluidPlane, DataPlane):
        plane = kind(Network((stock,), (Call(CLIENT, 0),), functions, RESOLUTION_S, 60, EDGES_S), 5)
        plane.set_ready(0, 0, [0])
        plane.run(10.1)
        plane.kill(0, 0, 0)
        plane.run(12.0)
        plane.set_ready(0, 0, [0])
        plane.run(30.0)
        counts.append(failed(plane.recording().client[:, 0, 0]))
    expected = RATE * 10.1 + 2.0 * RATE * 1.9
    assert counts[1] == pytest.approx(expected, abs=4 * np.sqrt(2.0 * expected))
    assert counts[0] == pytest.approx(expected, abs=4 * np.sqrt(2.0 * expected))
