"""What keeps trouble from spreading, exactly: breakers, budgets, quotas, ejection, shedding, cancellation."""

import math

import numpy as np
import pytest

from simulator.errors import NetworkError
from simulator.kernel.plane import DataPlane, Defect
from simulator.layout import ARRIVED, ERROR, FIRST_BIN, REFUSED, TIMEOUT, WRITE_INDETERMINATE
from simulator.network import (
    CLIENT,
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

EDGES_S = np.arange(1, 101) / 10.0
HORIZON_S = 200.0


def plane_of(back: Station, call: Call, rate: float = 10.0, until_s: float = 100.0, quiet_s: float = 0.0) -> DataPlane:
    """A front that does nothing itself calls the back; after `quiet_s` `rate`/s until `until_s`, then silence."""
    rates = ((0.0, rate),) if quiet_s == 0 else ((0.0, 0.0), (quiet_s, rate))
    network = Network(
        (Station("front", 10**6, Distribution(Kind.CONSTANT, 0.0)), back),
        (Call(CLIENT, 0), call),
        (Function("f", (*rates, (until_s, 0.0)), Node(0, (Node(1),))),),
        1.0,
        200,
        EDGES_S,
    )
    plane = DataPlane(network, 1)
    plane.set_ready(0, 0, [0])
    plane.set_ready(1, 0, range(back.replicas[0]))
    return plane


def back(service_s: float = 0.05, workers: int = 1000, **more) -> Station:
    return Station("back", workers, Distribution(Kind.CONSTANT, service_s), **more)


def answers(plane: DataPlane, begin: int = 0, end: int = 200) -> np.ndarray:
    return plane.service_sum(1, 0, begin, end)


def client(plane: DataPlane) -> np.ndarray:
    return plane.recording().client.sum(axis=(1, 2))


def test_an_open_breaker_makes_no_calls_probes_after_its_time_and_closes_on_success():
    plane = plane_of(back(), Call(0, 1, breaker=Breaker(0.5, 10.0, 20, 30.0, 3)), rate=50.0)
    plane.run(20.0)
    plane.set_error_share(1, 1.0)
    plane.run(40.0)
    mode = plane.state.links[1]
    assert mode["mode"] == 1
    opened_s = float(mode["since_s"])
    # Twenty seconds' worth of good answers leave the ten of the window: half of it must have failed first.
    assert opened_s == pytest.approx(25.0, abs=1.5)
    assert answers(plane, math.ceil(opened_s), 40).sum() == 0
    assert client(plane)[math.ceil(opened_s) : 40, REFUSED].sum() == 0  # the front answers an error, not a refusal
    plane.set_error_share(1, 0.0)
    plane.run(HORIZON_S)
    assert mode["mode"] == 0
    probed = math.floor(opened_s + 30.0)
    assert answers(plane, math.ceil(opened_s), probed).sum() == 0
    assert answers(plane, probed + 1, 100).sum() == pytest.approx(50 * (99 - probed), rel=0.1)


def test_a_failed_probe_opens_the_breaker_again():
    plane = plane_of(back(), Call(0, 1, breaker=Breaker(1.0, 10.0, 5, 10.0, 1)), rate=50.0)
    plane.set_error_share(1, 1.0)
    plane.run(99.0)
    # It opens after 5 failures and lets one probe through every 10 s.
    assert answers(plane).sum() == 5 + 9


def test_refusals_of_a_breaker_are_not_retried():
    plane = plane_of(back(), Call(0, 1, retries=5, breaker=Breaker(1.0, 10.0, 5, 1000.0, 1)), rate=50.0)
    plane.set_error_share(1, 1.0)
    plane.run(HORIZON_S)
    arrived = client(plane)[:, ARRIVED].sum()
    # One job each for request and call, and the retries of the first five failures.
    assert plane.state.clock[0]["serial"] - 1 == pytest.approx(2 * arrived, abs=6)


@pytest.mark.parametrize(("share", "minimum_per_s"), [(0.2, 0.0), (0.1, 3.0), (0.0, 5.0)])
def test_a_retry_budget_bounds_the_retries_in_the_long_run(share, minimum_per_s):
    """Closed form: share of the first attempts plus the minimum, and what the balance held at the start."""
    plane = plane_of(back(), Call(0, 1, retries=3, budget=RetryBudget(share, minimum_per_s)), rate=100.0)
    plane.set_error_share(1, 1.0)
    plane.run(HORIZON_S)
    first = client(plane)[:, ARRIVED].sum()
    retries = answers(plane)[ERROR] - first
    paid = share * first + minimum_per_s * 100.0
    assert retries <= paid + 10.0 * minimum_per_s + 1
    assert retries == pytest.approx(paid + 10.0 * minimum_per_s, rel=0.02, abs=2)


def test_a_quota_takes_its_burst_and_then_its_rate():
    plane = plane_of(back(quota=Quota(20.0, 50.0)), Call(0, 1), rate=100.0)
    plane.run(HORIZON_S)
    assert answers(plane)[FIRST_BIN:].sum() == pytest.approx(50 + 20 * 100, abs=5)
    assert answers(plane)[REFUSED] == client(plane)[:, ARRIVED].sum() - answers(plane)[FIRST_BIN:].sum()


def test_a_quota_saves_no_more_than_its_burst():
    plane = plane_of(back(quota=Quota(20.0, 50.0)), Call(0, 1), rate=100.0, until_s=40.0, quiet_s=30.0)
    plane.run(HORIZON_S)
    assert answers(plane)[FIRST_BIN:].sum() == pytest.approx(50 + 20 * 10, abs=5)


def test_a_quota_that_is_not_reached_refuses_nobody():
    plane = plane_of(back(quota=Quota(200.0, 100.0)), Call(0, 1), rate=100.0)
    plane.run(HORIZON_S)
    assert answers(plane)[REFUSED] == 0


def test_shedding_bounds_the_wait_by_its_limit_and_the_time_of_those_ahead():
    plane = plane_of(back(0.1, workers=1, shed_s=0.45), Call(0, 1), rate=50.0)
    plane.run(HORIZON_S)
    seen = answers(plane)
    # Ten a second are served. Nobody joins a queue whose head has waited above 0.45 s, but those behind it do wait.
    assert seen[FIRST_BIN:].sum() == pytest.approx(1000, abs=60)
    assert seen[REFUSED] > 3500
    # Those ahead have come within 0.45 s: 22.5 on average, 44 at most (1 in 100,000), of 0.1 s each.
    assert seen[FIRST_BIN + 50 :].sum() == 0
    assert seen[FIRST_BIN + 10 :].sum() > 500


def test_ejection_takes_a_failing_replica_out_and_lets_it_back():
    """With one replica of four out of two workers and without a queue, refusals count against it."""
    station = back(10.0, workers=1, queue=0, replicas=(2,), ejection=Ejection(3, 20.0, 0.5))
    plane = plane_of(station, Call(0, 1), rate=20.0)
    plane.run(2.0)
    out = plane.state.replicas["ejected_until"][1:]
    assert np.count_nonzero(out > plane.now_s) == 1  # most: half of two
    plane.run(HORIZON_S)
    assert answers(plane)[REFUSED] > 1500


def test_timeouts_count_for_ejection():
    station = back(5.0, replicas=(2,), ejection=Ejection(3, 1000.0, 0.5))
    plane = plane_of(station, Call(0, 1, timeout_s=0.5), rate=20.0)
    plane.run(5.0)
    assert np.count_nonzero(plane.state.replicas["ejected_until"][1:] > plane.now_s) == 1


def test_cancelled_work_frees_its_worker_and_queue_place_and_what_it_called():
    store = Station("store", 1000, Distribution(Kind.CONSTANT, 50.0))

    def play(cancel: bool) -> DataPlane:
        network = Network(
            (Station("front", 10**6, Distribution(Kind.CONSTANT, 0.0)), back(0.01, workers=5), store),
            (Call(CLIENT, 0), Call(0, 1, timeout_s=1.0, cancel=cancel), Call(1, 2, writes=True)),
            (Function("f", ((0.0, 10.0), (100.0, 0.0)), Node(0, (Node(1, (Node(2),)),))),),
            1.0,
            200,
            EDGES_S,
        )
        plane = DataPlane(network, 1)
        for station in range(3):
            plane.set_ready(station, 0, [0])
        plane.run(90.0)
        return plane

    wasteful, frugal = play(False), play(True)
    assert wasteful.jobs_n > 500
    assert frugal.jobs_n < 40
    back_jobs = frugal.state.stations[1]
    assert back_jobs["entered"] - back_jobs["left"] < 20
    assert frugal.service_sum(2, 0, 0, 200)[TIMEOUT] > 400  # given up by a caller that was given up
    assert set(frugal.recording().writes["outcome"]) == {WRITE_INDETERMINATE}
    assert not frugal.recording().writes["stored"].any()


@pytest.mark.parametrize("holds", [True, False])
def test_work_that_is_cancelled_gives_its_worker_back_whether_or_not_calls_hold_it(holds: bool) -> None:
    """Each attempt is cancelled at work, long after the load has ended: nobody is busy any more."""
    plane = plane_of(back(5.0, 2, holds_worker=holds), Call(0, 1, timeout_s=1.0, cancel=True), until_s=20.0)
    plane.run(40.0)
    assert plane.state.replicas["busy"].tolist() == [0, 0]
    assert plane.state.stations[1]["started"] > 20


def test_without_cancel_or_timeouts_nothing_is_different():
    one, two = (plane_of(back(), Call(0, 1, timeout_s=1.0, cancel=cancel)) for cancel in (False, True))
    for plane in (one, two):
        plane.run(HORIZON_S)
    assert np.array_equal(one.recording().client, two.recording().client)


@pytest.mark.parametrize("balancing", list(Balancing))
def test_idle_replicas_serve_at_once_whatever_the_balancing(balancing):
    plane = plane_of(back(replicas=(3,), balancing=balancing), Call(0, 1))
    plane.run(HORIZON_S)
    assert plane.state.stations[1]["waited_s"] == 0
    assert answers(plane)[FIRST_BIN:].sum() == client(plane)[:, ARRIVED].sum()


def test_least_request_avoids_the_replica_that_is_stuck():
    plane = plane_of(back(0.01, workers=1, replicas=(2,), balancing=Balancing.LEAST_REQUEST), Call(0, 1))
    plane.set_defects(1, 0, [Defect(latency_add_s=1000.0)])
    while plane.state.stations[1]["started"] == 0:
        plane.run(plane.now_s + 0.01)
    plane.set_defects(1, 0, [])
    plane.run(HORIZON_S)
    # A few wait behind the stuck job: it is the first, and takes one whenever the other has as many.
    assert plane.state.replicas["waiting"][1:].sum() < 6
    assert answers(plane)[FIRST_BIN:].sum() > 950


def fan_out(parallel: bool, retries: int = 0, timeout_s: float = math.inf) -> DataPlane:
    """A front that calls three backs of 0.1, 0.2 and 0.3 s, and a last one of 0.05 s after them."""
    times_s = (0.1, 0.2, 0.3, 0.05)
    backs = tuple(Station(f"b{i}", 1000, Distribution(Kind.CONSTANT, t)) for i, t in enumerate(times_s))
    calls = tuple(
        Call(0, 1 + i, timeout_s if i == 1 else math.inf, retries, parallel=parallel and i in (1, 2)) for i in range(4)
    )
    network = Network(
        (Station("front", 10**6, Distribution(Kind.CONSTANT, 0.0)), *backs),
        (Call(CLIENT, 0), *calls),
        (Function("f", ((0.0, 10.0), (100.0, 0.0)), Node(0, tuple(Node(1 + i) for i in range(4)))),),
        1.0,
        200,
        EDGES_S,
    )
    plane = DataPlane(network, 1, slots=2)
    for station in range(5):
        plane.set_ready(station, 0, [0])
    return plane


@pytest.mark.parametrize(("parallel", "latency_s"), [(True, 0.35), (False, 0.65)])
def test_parallel_calls_take_as_long_as_the_longest(parallel, latency_s):
    plane = fan_out(parallel)
    plane.run(HORIZON_S)
    seen = client(plane).sum(axis=0)
    assert seen[FIRST_BIN + math.floor(latency_s * 10)] == seen[ARRIVED] > 900
    assert plane.jobs_n == 0


def test_each_parallel_call_has_its_own_retries_and_one_failure_fails_the_caller():
    plane = fan_out(True, retries=2, timeout_s=0.15)
    plane.run(HORIZON_S)
    seen = client(plane).sum(axis=0)
    assert seen[ERROR] == seen[ARRIVED]
    assert plane.service_sum(2, 0, 0, 200)[TIMEOUT] == 3 * seen[ARRIVED]
    assert plane.service_sum(1, 0, 0, 200).sum() == plane.service_sum(3, 0, 0, 200).sum() == seen[ARRIVED]
    assert plane.service_sum(4, 0, 0, 200).sum() == 0
    assert plane.jobs_n == 0


def test_a_killed_caller_leaves_its_parallel_calls_without_a_listener():
    plane = fan_out(True)
    plane.run(50.0)
    plane.kill(0, 0, 0)
    plane.run(51.0)
    assert plane.jobs_n == 0
    assert plane.recording().unfinished.sum() == 0


@pytest.mark.parametrize(
    ("station", "call", "message"),
    [
        (back(shed_s=0.0), Call(0, 1), "stations[1].shed_s(=0.0) must be > 0"),
        (back(quota=Quota(1.0, 0.5)), Call(0, 1), "stations[1].quota"),
        (back(ejection=Ejection(0, 1.0)), Call(0, 1), "stations[1].ejection"),
        (back(), Call(0, 1, budget=RetryBudget(-1.0)), "calls[1].budget"),
        (back(), Call(0, 1, breaker=Breaker(0.0, 1.0, 1, 1.0)), "calls[1].breaker"),
    ],
)
def test_refusals(station, call, message):
    with pytest.raises(NetworkError) as caught:
        plane_of(station, call)
    assert message in str(caught.value)
