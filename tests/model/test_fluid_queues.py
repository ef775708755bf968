"""The fluid plane beside closed forms and beside the request-level plane on small systems."""

import dataclasses
import math

import numpy as np
import pytest

from simulator.errors import NetworkError
from simulator.fluid.plane import FluidPlane
from simulator.fluid.steady import steady
from simulator.kernel.plane import DataPlane, Defect
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station
from simulator.verification.closed_forms import erlang_c_wait_s

EDGES_S = np.geomspace(1e-3, 10.0, 65)


def network(rate: float, *stations: Station, timeouts_s: tuple[float, ...] = (), **call: object) -> Network:
    """A chain of stations, each calling the next."""
    calls = [Call(CLIENT, 0), *(Call(below - 1, below, **call) for below in range(1, len(stations)))]  # type: ignore[arg-type]
    node = Node(len(stations) - 1)
    for index in range(len(stations) - 2, -1, -1):
        node = Node(index, (node,))
    limit_s = timeouts_s[0] if timeouts_s else math.inf
    return Network(stations, tuple(calls), (Function("f", ((0.0, rate),), node, limit_s),), 0.5, 240, EDGES_S)


def station(mean_s: float, workers: int = 8, **more: object) -> Station:
    return Station("s", workers, Distribution(Kind.EXPONENTIAL, mean_s), **more)  # type: ignore[arg-type]


def played(plane: DataPlane | FluidPlane, until_s: float = 110.0) -> np.ndarray:
    """The clients' columns in all."""
    for index, each in enumerate(plane.network.stations):
        plane.set_ready(index, 0, range(each.replicas[0]))
    plane.run(until_s)
    return plane.recording().client[:, 0, 0, :].sum(axis=0)


def test_the_wait_is_erlangs() -> None:
    for workers, busy in ((1, 0.5), (4, 0.8), (16, 0.9)):
        waits, wait_s = steady(workers, workers * busy, 0.1, 1.0)
        assert waits * wait_s == pytest.approx(erlang_c_wait_s(workers, busy, 0.1), rel=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda: network(200.0, station(0.02)),
        lambda: network(300.0, station(0.005), station(0.02, replicas=(2,)), timeout_s=0.1, retries=2, backoff_s=0.01),
        lambda: network(100.0, station(0.1, queue=8), timeouts_s=(2.0,)),  # more than it can work off
        lambda: network(  # likewise, and the caller's workers wait for it
            100.0, station(0.005, 40), station(0.2, 16, queue=200), timeouts_s=(2.0,), timeout_s=0.5, retries=1
        ),
    ],
    ids=["quiet", "retries", "refused", "slow callee"],
)
def test_both_planes_count_alike(make) -> None:
    made = make()
    # Near their capacity queues are short or long by luck, at either fidelity: six replications together.
    requests, flows = (sum(played(kind(made, seed)) for seed in range(1, 7)) for kind in (DataPlane, FluidPlane))
    assert flows[0] == pytest.approx(requests[0], rel=4 / math.sqrt(requests[0]))
    total = requests[0]
    # Failures of each kind: within a twentieth, and what chance and the lattice make of small shares.
    assert flows[1:4] == pytest.approx(requests[1:4], rel=0.05, abs=0.004 * total)
    if flows[1:4].sum() > 0.5 * total:
        return  # a collapse leaves few successes, and of its beginning only
    ok = [np.cumsum(each[4:]) / max(1, each[4:].sum()) for each in (requests, flows)]
    assert np.max(np.abs(ok[0] - ok[1])) < 0.06


def test_draws_are_keyed_by_cell_and_seed() -> None:
    made = network(200.0, station(0.02), timeout_s=0.5)
    one, other = FluidPlane(made, 1), FluidPlane(made, 1)
    for plane in (one, other):
        plane.set_ready(0, 0, [0])
    one.run(60.0)
    for until_s in (10.0, 20.25, 33.0, 60.0):
        other.run(until_s)
    same = one.state.client[:40] == other.state.client[:40]
    assert same[:, :, 0].all()
    assert not np.array_equal(one.state.client, played_state(made, 2))


def played_state(made: Network, seed: int) -> np.ndarray:
    plane = FluidPlane(made, seed)
    played(plane, 60.0)
    return plane.state.client


def test_defects_lose_writes_and_the_oldest_has_a_row() -> None:
    stations = (station(0.005), station(0.002))
    node = Node(0, (Node(1),))
    calls = (Call(CLIENT, 0), Call(0, 1, writes=True))
    made = Network(stations, calls, (Function("f", ((0.0, 500.0),), node),), 1.0, 30, EDGES_S)
    plane = FluidPlane(made, 1)
    plane.set_ready(0, 0, [0])
    plane.set_ready(1, 0, [0])
    plane.set_defects(0, 0, [Defect(lost_write_ratio=0.02)])
    plane.run(20.0)
    recording = plane.recording()
    assert recording.write_counts is not None
    stored = recording.writes["stored"] == 1
    assert recording.write_counts.sum() == pytest.approx(10_000, rel=0.05)
    assert recording.write_counts[~stored].sum() == pytest.approx(200, rel=0.25)
    lost_s = recording.writes["acknowledged_s"][~stored]
    assert lost_s.min() < 0.5


def followed(rate_per_s: float, services_s: tuple[float, float], cells: int) -> FluidPlane:
    """A service before a store in which each request writes a row, all of which are followed."""
    calls = (Call(CLIENT, 0), Call(0, 1, writes=True))
    functions = (Function("f", ((0.0, rate_per_s),), Node(0, (Node(1),))),)
    stations = tuple(station(service_s) for service_s in services_s)
    plane = FluidPlane(Network(stations, calls, functions, 1.0, cells, EDGES_S), 1, rows_followed=True)
    for service in range(2):
        plane.set_ready(service, 0, [0])
    return plane


def test_rows_that_are_followed_stand_for_few_writes_and_none_is_after_its_store_died() -> None:
    plane = followed(500.0, (0.005, 0.002), 30)
    plane.run(10.4)
    asked = sum(int(counts.sum()) for _, counts in plane.writes_after(0))
    plane.kill(1, 0, 0)
    plane.run(20.0)
    recording = plane.recording()
    assert recording.write_counts is not None
    stored = recording.writes["stored"] == 1
    assert recording.write_counts[stored].sum() == asked == pytest.approx(5_200, rel=0.05)
    assert recording.write_counts.max() <= 500 / 64 * 1.5
    assert recording.writes["invoked_s"][stored].max() == pytest.approx(10.4, abs=0.05)
    assert len(np.unique(recording.writes["key"])) == len(recording.writes)


def test_followed_writes_are_spread_evenly_over_their_cell() -> None:
    plane = followed(96.0, (0.001, 0.001), 60)
    plane.run(50.0)
    recording = plane.recording()
    assert recording.write_counts is not None
    at_s = recording.writes["invoked_s"] % 1.0
    # 96 in 64 rows, rounded down, would be late by 0.003 s.
    assert np.average(at_s, weights=recording.write_counts) == pytest.approx(0.5, abs=0.0015)


def test_what_cannot_be_is_refused() -> None:
    plane = FluidPlane(network(10.0, station(0.01, replicas=(1, 1))), 1)
    with pytest.raises(NetworkError, match="weights"):
        plane.set_weights(0, [0.5, 0.6])
    with pytest.raises(NetworkError, match="until_s"):
        plane.run(-1.0)


def test_latencies_that_nobody_looks_at_change_nothing_else() -> None:
    made = network(200.0, station(0.02), station(0.01, workers=4, queue=2), timeout_s=0.1, retries=1)
    whole, counted = FluidPlane(made, 1), FluidPlane(made, 1, detailed=[0])
    clients = [played(plane) for plane in (whole, counted)]
    assert np.array_equal(*clients)
    one, other = whole.recording().service, counted.recording().service
    assert np.array_equal(one[:, 0], other[:, 0])
    assert np.array_equal(one[:, 1, :4], other[:, 1, :4])
    assert np.array_equal(one[:, 1, 4:].sum(axis=1), other[:, 1, 4:].sum(axis=1))
    assert np.count_nonzero(other[:, 1, 4:]) < np.count_nonzero(one[:, 1, 4:])


def test_refusals_come_in_bursts() -> None:
    made = network(19.0, station(0.1, 2, queue=8))
    counts = []
    for plane in (DataPlane(made, 1), FluidPlane(made, 1)):
        played(plane)
        refused = plane.recording().client[10:220, 0, 0, 3].reshape(-1, 10).sum(axis=1)
        counts.append((refused.mean(), refused.var() / refused.mean()))
    (mean, index), (flow_mean, flow_index) = counts
    assert flow_mean == pytest.approx(mean, rel=0.4)
    assert flow_index == pytest.approx(index, rel=0.6)
    assert flow_index > 3.0  # a Poisson count has 1


def test_a_retry_meets_the_queue_that_refused_it() -> None:
    made = network(1.0, station(0.001, 64), station(0.1, 2, queue=8), retries=1)
    made = dataclasses.replace(
        made, functions=(dataclasses.replace(made.functions[0], rates=((0.0, 21.0),)),), cells=4000
    )
    shares = []
    for plane in (DataPlane(made, 1), FluidPlane(made, 1)):
        played(plane, 1990.0)
        answers = plane.recording().service[:, 1].sum(axis=0)
        shares.append(answers[3] / answers.sum())
    assert shares[1] == pytest.approx(shares[0], rel=0.1)
