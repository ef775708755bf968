"""The compiled kernel and its plain twin agree bit for bit."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator import draws
from simulator.kernel.plane import DataPlane, Defect
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station
from tests.reference import naive, naive_draws
from tests.reference.compare import assert_equal
from tests.reference.networks import EDGES_S, everything_ready, plays


def examples(count: int) -> settings:
    return settings(
        max_examples=count,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@examples(150)
@given(plays())
def test_kernel_equals_twin(play):
    network, seed, plan = play
    # A few slots and log rows at first, so that growing and draining are exercised too.
    plane = DataPlane(network, seed, 3, slots=2, log_rows=16)
    twin = naive.Naive(network, seed, 3)
    for world in (plane, twin):
        everything_ready(network, world)
        for time, wanted in plan:
            world.run(time)
            for change in wanted:
                change(world)
        world.run(network.horizon_s)
    assert_equal(plane, twin)


@examples(100)
@given(plays(plain=True))
def test_the_lean_kernel_equals_the_full_one_and_the_twin(play):
    """Without mechanics the lean kernel plays, until a mirror (here of no request) calls for the full one."""
    network, seed, plan = play
    lean, full = (DataPlane(network, seed, 3, slots=2, log_rows=16) for _ in range(2))
    twin = naive.Naive(network, seed, 3)
    full.set_mirror(0, 0, 0.0)
    assert (lean.lean, full.lean) == (True, False)
    for world in (lean, full, twin):
        everything_ready(network, world)
        for time, wanted in plan:
            world.run(time)
            for change in wanted:
                change(world)
        world.run(network.horizon_s)
    assert_equal(lean, twin)
    assert_equal(full, twin)


@examples(60)
@given(plays(), st.integers(1, 7))
def test_leaving_and_coming_back_changes_nothing(play, budget):
    network, seed, _ = play
    whole, pieces = DataPlane(network, seed), DataPlane(network, seed)
    for plane in (whole, pieces):
        everything_ready(network, plane)
    whole.run(network.horizon_s)
    while pieces.now_s < network.horizon_s:
        pieces.run(min(pieces.now_s + 0.37, network.horizon_s), budget)
    one, two = whole.recording(), pieces.recording()
    assert np.array_equal(one.client, two.client)
    assert np.array_equal(one.service, two.service)
    assert np.array_equal(one.writes.view(np.uint8), two.writes.view(np.uint8))


@examples(60)
@given(plays())
def test_requests_are_conserved_at_any_stop(play):
    network, seed, plan = play
    plane = DataPlane(network, seed)
    everything_ready(network, plane)
    for time, wanted in [*plan, (network.horizon_s, [])]:
        before = plane.now_s
        plane.run(time)
        assert plane.now_s == time >= before
        for change in wanted:
            change(plane)
        recording, jobs = plane.recording(), plane.state.jobs
        arrived = recording.client[..., 0].sum()
        answered = recording.client[..., 1:].sum()
        under_way = int(((jobs["state"] > 0) & (jobs["parent"] == -1)).sum())
        assert arrived == answered + under_way
        assert recording.unfinished.sum() == under_way
        assert recording.unfinished.min() >= 0
        used = int((jobs["state"] > 0).sum())
        assert used + plane.state.clock[0]["free_n"] == len(jobs)


@examples(100)
@given(st.floats(1e-16, 1 - 1e-15))
def test_normal_quantile_is_the_twins_and_close_to_scipys(p):
    from scipy.special import ndtri

    value = draws.normal_quantile(p)
    assert value == naive_draws.normal_quantile(p)
    assert value == pytest.approx(ndtri(p), rel=1e-14, abs=1e-15)


@examples(100)
@given(st.sampled_from(EDGES_S), st.sampled_from([0.0, 1.0, math.inf]))
def test_a_latency_on_an_edge_belongs_to_the_bin_below(edge, towards):
    value = edge if towards == 1.0 else np.nextafter(edge, towards)
    network = Network(
        (Station("s", 1, Distribution(Kind.CONSTANT, float(value))),),
        (Call(CLIENT, 0),),
        (Function("f", ((0.0, 0.01),), Node(0)),),
        100.0,
        10,
        EDGES_S,
    )
    plane = DataPlane(network, 1)
    plane.set_ready(0, 0, [0])
    plane.run(1000.0)
    latencies = plane.state.stations[0]
    assert latencies["left"] > 0
    twin = naive.Naive(network, 1)
    twin.set_ready(0, 0, [0])
    twin.run(1000.0)
    assert_equal(plane, twin)


def test_two_replications_and_two_seeds_differ_and_repeat():
    network = Network(
        (Station("s", 1, Distribution(Kind.EXPONENTIAL, 0.1)),),
        (Call(CLIENT, 0),),
        (Function("f", ((0.0, 8.0),), Node(0)),),
        0.25,
        40,
        EDGES_S,
    )

    def table(seed: int, replication: int) -> bytes:
        plane = DataPlane(network, seed, replication)
        plane.set_ready(0, 0, [0])
        plane.run(10.0)
        return plane.recording().client.tobytes()

    assert table(1, 0) == table(1, 0)
    assert len({table(1, 0), table(1, 1), table(2, 0)}) == 3


def test_strategies_share_every_draw_of_a_request():
    """Another routing, a defect and a fault change outcomes, not when requests come or how long work would take."""
    network = Network(
        (Station("s", 50, Distribution(Kind.EXPONENTIAL, 0.1), replicas=(1, 1)),),
        (Call(CLIENT, 0),),
        (Function("f", ((0.0, 8.0),), Node(0)),),
        0.25,
        400,
        EDGES_S,
    )
    planes = [DataPlane(network, 5) for _ in range(2)]
    for plane in planes:
        everything_ready(network, plane)
    planes[1].set_weights(0, (0.5, 0.5))
    planes[1].set_defects(0, 1, [Defect(error_ratio=0.2)])
    for plane in planes:
        plane.run(100.0)
    one, two = (plane.recording().client.sum(axis=(1, 2)) for plane in planes)
    assert np.array_equal(one[:, 0], two[:, 0])
    # With workers to spare, only the failed answers are missing from the histogram.
    assert np.all(one[:, 4:] >= two[:, 4:])
    assert two[:, 1].sum() > 0


def busy(service_s: float, rate: float, timeout_s: float, horizon_s: float, replicas: int = 1) -> Network:
    return Network(
        (Station("s", 10**6, Distribution(Kind.EXPONENTIAL, service_s), replicas=(replicas,)),),
        (Call(CLIENT, 0),),
        (Function("f", ((0.0, rate),), Node(0), timeout_s),),
        horizon_s / 40,
        40,
        EDGES_S,
    )


def test_timer_rings_grow_under_many_timers():
    network = busy(0.01, 400.0, 1.0, 4.0)
    plane, twin = DataPlane(network, 9), naive.Naive(network, 9)
    for world in (plane, twin):
        world.set_ready(0, 0, [0])
        world.run(4.0)
    assert plane.state.timers.shape[1] > 64
    assert_equal(plane, twin)


def test_the_heap_grows_under_events_gone_stale():
    """Jobs of killed replicas leave events behind that come to nothing; only their room is needed."""
    network = busy(1000.0, 40.0, math.inf, 40.0)
    plane, twin = DataPlane(network, 9), naive.Naive(network, 9)
    before = len(plane.state.heap)
    for second in range(1, 41):
        for world in (plane, twin):
            world.set_ready(0, 0, [0])
            world.run(float(second))
            world.kill(0, 0, 0)
    assert len(plane.state.heap) > before
    assert len(plane.state.jobs) == 256
    assert_equal(plane, twin)
