"""Callers whose workers wait for a slow callee near its capacity: what flows play of them request by request."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.near_capacity import EDGES_S
from simulator.fluid.luck import by_luck
from simulator.fluid.plane import FluidPlane
from simulator.kernel.plane import DataPlane
from simulator.layout import ARRIVED, ERROR, FIRST_BIN, REFUSED
from simulator.network import CLIENT, UNBOUNDED, Call, Distribution, Function, Kind, Network, Node, Station

SECONDS, SEEDS = 200, 8
HOLDS = Call(0, 1, timeout_s=2.0)
AGAIN = Call(0, 1, timeout_s=0.6, retries=1, backoff_s=0.1)
MEANS_S = np.append(EDGES_S, EDGES_S[-1])


def kiosk(rate: float, queue: int = UNBOUNDED, call: Call = HOLDS) -> Network:
    """Two replicas of 16 workers that wait for three of 4: of 133 calls per second these are all busy."""
    stations = (
        Station("kiosk", 16, Distribution(Kind.EXPONENTIAL, 0.01), queue=queue, replicas=(2,)),
        Station("check-in", 4, Distribution(Kind.EXPONENTIAL, 0.09), replicas=(3,)),
    )
    functions = (Function("f", ((0.0, rate), (SECONDS - 10.0, 0.0)), Node(0, (Node(1),)), timeout_s=4.0),)
    return Network(stations, (Call(CLIENT, 0), call), functions, 1.0, SECONDS, EDGES_S)


def slow_shop(busy: float, timeout_s: float) -> Network:
    """A shop of 8 workers and 64 places that are slow for the callee's sake, and tried again."""
    stations = (
        Station("edge", 8192, Distribution(Kind.EXPONENTIAL, 0.0005)),
        Station("shop", 8, Distribution(Kind.EXPONENTIAL, 0.002), queue=64),
        Station("depot", 512, Distribution(Kind.EXPONENTIAL, 0.048)),
    )
    calls = (Call(CLIENT, 0), Call(0, 1, timeout_s=timeout_s, retries=1, backoff_s=0.1), Call(1, 2))
    root = Node(0, (Node(1, (Node(2),)),))
    return Network(stations, calls, (Function("f", ((0.0, busy * 160.0),), root),), 1.0, SECONDS, EDGES_S)


def played(kind: type[DataPlane] | type[FluidPlane], made: Network, seeds: int) -> np.ndarray:
    """By seed: the clients' failed share, and the mean latency of the others, s."""
    found = []
    for seed in range(1, seeds + 1):
        plane = kind(made, seed)
        for index, station in enumerate(made.stations):
            plane.set_ready(index, 0, range(station.replicas[0]))
        plane.run(made.horizon_s)
        counts = plane.recording().client[:, 0, 0].sum(axis=0)
        answers = counts[FIRST_BIN:]
        found.append((counts[ERROR : REFUSED + 1].sum() / counts[ARRIVED], answers @ MEANS_S / answers.sum()))
    return np.array(found)


def agree(made: Network, seeds: int = SEEDS) -> np.ndarray:
    """Means by both planes, compared within 5 % or three standard errors; returns those of requests."""
    requests, flows = played(DataPlane, made, 2 * seeds), played(FluidPlane, made, seeds)
    chance = 3.0 * np.sqrt(requests.var(axis=0, ddof=1) / len(requests) + flows.var(axis=0, ddof=1) / len(flows))
    for one, other, margin in zip(requests.mean(axis=0), flows.mean(axis=0), chance, strict=True):
        assert other == pytest.approx(one, rel=0.05, abs=margin)
    found: np.ndarray = requests.mean(axis=0)
    return found


@pytest.mark.parametrize(
    ("made", "fails"),
    [
        (kiosk(125.0), 0.0),  # 362 ms were 327 where the two were drawn side by side, of 130/s and 16 places
        (kiosk(130.0, queue=16), 0.02),
        (kiosk(148.0, queue=16), 0.1),
        (kiosk(150.0, queue=32, call=AGAIN), 0.1),
    ],
)
def test_workers_are_held_for_as_long_as_the_very_call_takes(made: Network, fails: float) -> None:
    assert by_luck(made) == {0, 1}
    assert agree(made)[0] >= fails


def test_a_full_queue_answers_just_in_time_for_its_callees_sake() -> None:
    """43 % failed where it was drawn, and 7 % should."""
    made = slow_shop(0.95, 0.45)
    assert by_luck(made) == {1}
    assert agree(made, 5)[0] > 0.03


def ended(made: Network, *, kill: bool) -> FluidPlane:
    """A plane at the end, when for ten seconds nobody has come, after a replica was away for ten seconds or not."""
    plane = FluidPlane(made, 1, singly=(0, 1))
    for index, station in enumerate(made.stations):
        plane.set_ready(index, 0, range(station.replicas[0]))
    plane.run(60.0)
    if kill:
        plane.kill(0, 0, 1)
        assert plane.state.replicas["waiting"][1] == 0
        plane.run(70.0)
        plane.set_ready(0, 0, [0, 1])
    plane.run(made.horizon_s)
    return plane


@pytest.mark.parametrize("busy", [0.98, 1.5])
def test_it_is_luck_who_is_served_of_a_line_that_callers_cancel(busy: float) -> None:
    """Of 1.5 times the capacity 15 % failed of what was drawn, and 34 % should."""
    stations = (
        Station("edge", 4096, Distribution(Kind.EXPONENTIAL, 0.0005)),
        Station("shop", 1, Distribution(Kind.EXPONENTIAL, 0.05)),
    )
    calls = (Call(CLIENT, 0), Call(0, 1, timeout_s=0.5, cancel=True))
    made = Network(stations, calls, (Function("f", ((0.0, busy * 20.0),), Node(0, (Node(1),))),), 1.0, SECONDS, EDGES_S)
    assert by_luck(made) == {1}
    assert agree(made)[0] > 0.05


@pytest.mark.parametrize(
    ("first", "below"),
    [
        (kiosk(150.0, queue=16), Call(1, 2)),
        (kiosk(128.0), Call(1, 2, timeout_s=0.4, retries=1, backoff_s=0.1)),  # an attempt given up before goes on
    ],
)
def test_calls_end_with_what_is_cancelled(first: Network, below: Call) -> None:
    """96 % failed where they went on, and 8 % should."""
    edge = Station("edge", 4096, Distribution(Kind.EXPONENTIAL, 0.0005))
    calls = (Call(CLIENT, 0), Call(0, 1, timeout_s=0.5, retries=1, backoff_s=0.1, cancel=True), below)
    functions = (replace(first.functions[0], root=Node(0, (Node(1, (Node(2),)),))),)
    made = replace(first, stations=(edge, *first.stations), calls=calls, functions=functions)
    assert by_luck(made) == {1, 2}
    assert agree(made)[0] > 0.02


@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize(
    "call", [HOLDS, AGAIN, Call(0, 1, timeout_s=0.6, retries=2), Call(0, 1, timeout_s=0.3, cancel=True)]
)
def test_nothing_is_left_of_jobs_that_are_over(call: Call, kill: bool) -> None:
    state = ended(kiosk(105.0, call=call), kill=kill).state
    assert state.replicas["waiting"][:2].sum() == 0
    assert np.isfinite(state.free).all()
    assert (state.jobs["replica"] == -1).all()
    assert len(free_places(state.jobs, int(state.clock[0]["free_job"]))) == len(state.jobs)
    assert state.clock[0]["kept"] == 0


def free_places(jobs: np.ndarray, place: int) -> set[int]:
    found: set[int] = set()
    while place >= 0:
        assert place not in found
        found.add(place)
        place = int(jobs[place]["behind"])
    return found
