"""Versions side by side: routed by cohort, sharing replicas, misunderstanding each other, mirrored; rates held back."""

import math

import numpy as np
import pytest

from simulator.errors import NetworkError
from simulator.kernel.plane import DataPlane, Defect
from simulator.layout import ARRIVED, ERROR, FIRST_BIN
from simulator.network import CLIENT, Call, Distribution, Function, Kind, Network, Node, Station

EDGES_S = np.arange(1, 101) / 10.0


def shop(replicas=(1, 1), shares=(), workers=1000, service_s=0.05, rate=10.0, cohort_shares=(0.5, 0.5)) -> DataPlane:
    """A front in two versions that calls a store: `rate`/s for 100 s, of two cohorts."""
    network = Network(
        (
            Station("front", workers, Distribution(Kind.CONSTANT, service_s), replicas=replicas, shares=shares),
            Station("store", 1000, Distribution(Kind.CONSTANT, 0.01), replicas=(1, 1)),
        ),
        (Call(CLIENT, 0), Call(0, 1, writes=True)),
        (Function("f", ((0.0, rate), (100.0, 0.0)), Node(0, (Node(1),)), cohort_shares=cohort_shares),),
        1.0,
        200,
        EDGES_S,
        cohorts=2,
    )
    plane = DataPlane(network, 1)
    for station, counts in ((0, replicas), (1, (1, 1))):
        for version, count in enumerate(counts):
            plane.set_ready(station, version, range(count))
    return plane


def answered(plane: DataPlane, station: int, version: int) -> np.ndarray:
    return plane.service_sum(station, version, 0, 200)


def by_version_and_cohort(plane: DataPlane) -> list[list[int]]:
    recording = plane.recording()
    rows, totals = recording.rows, recording.service.sum(axis=(0, 2))
    return [
        [int(totals[(rows.station == 0) & (rows.version == v) & (rows.cohort == c)].sum()) for c in (0, 1)]
        for v in (0, 1)
    ]


def test_a_cohort_is_routed_wholly_while_the_other_stays():
    plane = shop()
    plane.set_weights(0, (0.0, 1.0), cohort=1)
    plane.run(200.0)
    (old, none), (nothing, new) = by_version_and_cohort(plane)
    assert none == nothing == 0
    assert old > 400
    assert new > 400


def test_weights_of_all_cohorts_replace_those_of_one():
    plane = shop()
    plane.set_weights(0, (0.0, 1.0), cohort=1)
    plane.set_weights(0, (1.0, 0.0))
    plane.run(200.0)
    assert by_version_and_cohort(plane)[1] == [0, 0]


def test_versions_that_share_replicas_share_their_workers_and_keep_their_own_defects():
    plane = shop(replicas=(1, 0), shares=(0, 0), workers=1, service_s=0.02)
    plane.set_weights(0, (0.5, 0.5))
    plane.set_defects(0, 1, [Defect(error_ratio=1.0)])
    plane.run(200.0)
    old, new = answered(plane, 0, 0), answered(plane, 0, 1)
    assert old[ERROR] == 0
    assert new[ERROR] == new.sum() > 400
    assert plane.state.stations[0]["waited_s"] > 0


def test_a_killed_replica_takes_the_jobs_of_every_version_that_it_serves():
    plane = shop(replicas=(1, 0), shares=(0, 0), service_s=50.0)
    plane.set_weights(0, (0.5, 0.5))
    plane.run(20.0)
    plane.kill(0, 0, 0)
    plane.run(21.0)
    assert plane.jobs_n == 0
    assert answered(plane, 0, 0).sum() + answered(plane, 0, 1).sum() > 100


def test_a_contract_fails_calls_between_two_versions_only_and_without_work():
    plane = shop()
    plane.set_weights(0, (0.5, 0.5))
    plane.set_weights(1, (0.5, 0.5))
    plane.set_contract(0, 0, 1, 1, 1.0)
    plane.run(200.0)
    assert answered(plane, 1, 0)[ERROR] == 0
    broken = answered(plane, 1, 1)
    assert broken[ERROR] == pytest.approx(broken.sum() / 2, rel=0.15)
    assert plane.state.stations[1]["entered"] == answered(plane, 1, 0).sum() + broken.sum() - broken[ERROR]
    plane.set_contract(0, 0, 1, 1, 0.0)
    assert plane.state.stations[1]["features"] == 0


def test_a_mirror_copies_requests_that_work_and_call_but_never_answer_or_write():
    plane, plain = shop(), shop()
    plane.set_mirror(0, 1, 1.0)
    plane.run(200.0)
    plain.run(200.0)
    arrived = plane.recording().client[..., ARRIVED].sum()
    assert answered(plane, 0, 1)[FIRST_BIN:].sum() == arrived
    assert plane.state.stations[1]["started"] == 2 * arrived
    assert np.array_equal(plane.recording().client, plain.recording().client)
    assert np.array_equal(plane.recording().writes.view(np.uint8), plain.recording().writes.view(np.uint8))


def test_a_mirror_of_a_share_copies_that_share_and_its_errors_reach_nobody():
    plane = shop(rate=100.0)
    plane.set_mirror(0, 1, 0.1)
    plane.set_defects(0, 1, [Defect(error_ratio=1.0)])
    plane.run(200.0)
    client = plane.recording().client.sum(axis=(0, 1, 2))
    assert client[ERROR] == 0
    assert answered(plane, 0, 1)[ERROR] == pytest.approx(0.1 * client[ARRIVED], abs=4 * math.sqrt(900))


def test_a_rate_factor_multiplies_arrivals_from_now_on():
    plane = shop(rate=100.0)
    plane.run(20.0)
    plane.set_rate_factor(0, 3.0)
    plane.run(40.0)
    plane.set_rate_factor(0, 0.0)
    plane.run(60.0)
    plane.set_rate_factor(0, 1.0)
    plane.run(200.0)
    arrived = plane.recording().client[..., ARRIVED].sum(axis=(1, 2))
    for span, expected in ((slice(0, 20), 2000), (slice(20, 40), 6000), (slice(40, 60), 0), (slice(60, 100), 4000)):
        assert arrived[span].sum() == pytest.approx(expected, abs=4 * math.sqrt(expected))
    assert arrived[100:].sum() == 0


def test_a_rate_factor_of_one_changes_nothing():
    plane, plain = shop(), shop()
    plane.set_rate_factor(0, 1.0)
    plane.run(200.0)
    plain.run(200.0)
    assert np.array_equal(plane.recording().client, plain.recording().client)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.set_weights(0, (1.0, 0.0), cohort=2), "cohort(=2) must be below 2"),
        (lambda p: p.set_contract(0, 0, 1, 1, 1.5), "error_ratio(=1.5) must be in 0..1"),
        (lambda p: p.set_contract(0, 2, 1, 1, 0.5), "version(=2) must be below 2"),
        (lambda p: p.set_mirror(0, 1, -0.1), "share(=-0.1) must be in 0..1"),
        (lambda p: p.set_rate_factor(0, math.inf), "factor(=inf) must be finite"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(NetworkError) as caught:
        change(shop())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("replicas", "shares", "message"),
    [
        ((1, 0), (1, 0), "shares(=(1, 0)) must be for each of 2 versions one that has replicas of its own"),
        ((1, 0), (0,), "shares(=(0,)) must be for each of 2 versions"),
        ((1, 1), (0, 0), "replicas(=(1, 1)) must be 0 for versions that share"),
    ],
)
def test_shares_that_make_no_sense(replicas, shares, message):
    with pytest.raises(NetworkError) as caught:
        shop(replicas, shares)
    assert message in str(caught.value)
