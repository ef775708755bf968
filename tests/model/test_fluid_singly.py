"""Services that flows play request by request: the luck of single replicas, beside requests."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.fluid.plane import FluidPlane
from simulator.kernel.plane import DataPlane
from simulator.layout import ARRIVED, ERROR, FIRST_BIN, REFUSED
from simulator.network import UNBOUNDED, Balancing, Call, Ejection, Network
from tests.model.test_fluid_guards import agree, balanced, played

TURNS, LEAST, TWO = Balancing.ROUND_ROBIN, Balancing.LEAST_REQUEST, Balancing.RANDOM_OF_TWO
OUT = Ejection(5, 30.0, 0.5)
NEVER_OUT = Ejection(10**6, 30.0, 0.5)
"""Makes flows play the service singly, and ejects nobody."""


def again(retries: int, timeout_s: float = 1.0) -> Call:
    return Call(0, 1, timeout_s=timeout_s, retries=retries, backoff_s=0.1)


@pytest.mark.parametrize("balancing", [TWO, LEAST])
@pytest.mark.parametrize("ejection", [OUT, None])
def test_long_requests_are_avoided(balancing: Balancing, ejection: Ejection | None) -> None:
    agree(balanced(5, 150.0, 3.0, ejection=ejection, balancing=balancing, call=again(0, 2.0)), 15)


@pytest.mark.parametrize(("replicas", "retries"), [(3, 0), (3, 1), (6, 0)])
def test_queues_in_turn_refuse_and_are_tried_again(replicas: int, retries: int) -> None:
    made = balanced(replicas, 130.0, 2.0, queue=8, ejection=NEVER_OUT, balancing=TURNS, call=again(retries))
    assert agree(made, 20)[0] > 0.005


@pytest.mark.parametrize(("replicas", "cv", "queue"), [(4, 3.0, UNBOUNDED), (4, 2.0, UNBOUNDED), (4, 3.0, 8)])
def test_replicas_in_turn_are_stuck_by_their_own_luck(replicas: int, cv: float, queue: int) -> None:
    agree(balanced(replicas, 100.0, cv, queue=queue, balancing=TURNS, call=again(0, 0.5)), 20)


def test_replicas_in_turn_are_ejected_by_their_own_luck() -> None:
    made = balanced(6, 130.0, 2.0, queue=8, ejection=OUT, balancing=TURNS, call=again(1))
    ejecting = agree(made, 30)
    staying = balanced(6, 130.0, 2.0, queue=8, ejection=NEVER_OUT, balancing=TURNS, call=again(1))
    assert ejecting[0] > 10.0 * played(FluidPlane, staying, 5)[:, 0].mean()


def test_what_is_cancelled_holds_no_worker() -> None:
    call = Call(0, 1, timeout_s=0.5, retries=1, backoff_s=0.1, cancel=True)
    kept = Call(0, 1, timeout_s=0.5, retries=1, backoff_s=0.1)
    cancelled, working = (
        played(FluidPlane, balanced(5, 150.0, 3.0, UNBOUNDED, OUT, TURNS, each), 5)[:, 0].mean()
        for each in (call, kept)
    )
    assert cancelled < 0.5 * working
    agree(balanced(5, 150.0, 3.0, UNBOUNDED, OUT, TURNS, call), 15)


@pytest.mark.parametrize(("versions", "rate"), [((2,), 42.0), ((2, 2), 84.0)])
def test_a_retry_at_once_takes_the_turn_of_the_next_replica(versions: tuple[int, ...], rate: float) -> None:
    """While one of two replicas is full, all first attempts come to it and all retries to the other."""
    call = Call(0, 1, timeout_s=1.0, retries=1)
    made = balanced(2, rate, 0.6, queue=8, ejection=NEVER_OUT, balancing=TURNS, call=call)
    bank = replace(made.stations[1], workers=2, replicas=versions)
    made = replace(made, stations=(made.stations[0], bank))
    found = np.array([[in_turn(kind, made, seed) for seed in range(1, 25)] for kind in (DataPlane, FluidPlane)])
    requests, flows = found.mean(axis=1)
    chance = 3.0 * np.sqrt(found.var(axis=1, ddof=1).sum(axis=0) / found.shape[1])
    assert requests[0] > 0.06
    for one, other, margin in zip(requests, flows, chance, strict=True):
        assert other == pytest.approx(one, abs=margin)
    assert chance[0] < 0.18 * requests[0]  # as much was missing when turns were left to chance


def test_what_is_full_now_and_then_is_looked_at_often_enough() -> None:
    """A guardrail trips by what fails in a window: each look at a queue tells what is so then, and few vary more."""
    made = balanced(2, 42.0, 0.6, queue=8, ejection=NEVER_OUT, balancing=TURNS, call=Call(0, 1, 1.0, retries=1))
    made = replace(made, stations=(made.stations[0], replace(made.stations[1], workers=2)))
    requests, flows = (
        np.concatenate([failing(kind, made, seed) for seed in range(1, 31)]) for kind in (DataPlane, FluidPlane)
    )
    assert flows.mean() == pytest.approx(requests.mean(), rel=0.04)  # 0.95 by looks each tenth of a second
    assert flows.std() < 1.12 * requests.std()  # 1.17 by those


def test_copies_fill_the_queue_of_the_version_that_gets_them() -> None:
    made = balanced(2, 19.0, 0.6, queue=4, ejection=NEVER_OUT, balancing=TURNS, call=Call(0, 1, timeout_s=2.0))
    made = replace(made, stations=(made.stations[0], replace(made.stations[1], workers=2, replicas=(1, 1))))
    found = np.array([[mirrored(kind, made, seed) for seed in range(1, 21)] for kind in (DataPlane, FluidPlane)])
    requests, flows = found.mean(axis=1)
    chance = 3.0 * np.sqrt(found.var(axis=1, ddof=1).sum(axis=0) / found.shape[1])
    assert requests[2] > 0.05
    assert flows[1] == pytest.approx(requests[1], abs=chance[1])
    assert flows[2] == pytest.approx(requests[2], abs=chance[2])


def test_who_was_cut_off_comes_again_to_the_queue() -> None:
    """Beside it, the row lacks most of those that come again: 0.39 of it is refused, and 0.50 by requests."""
    call = Call(0, 1, timeout_s=1.0, retries=2, backoff_s=1.0)
    made = balanced(2, 36.0, 0.6, queue=8, ejection=NEVER_OUT, balancing=TURNS, call=call)
    made = replace(made, stations=(made.stations[0], replace(made.stations[1], workers=2)))
    requests, flows = (np.mean([back(kind, made, seed) for seed in range(1, 21)]) for kind in (DataPlane, FluidPlane))
    assert flows == pytest.approx(requests, rel=0.3)


def test_a_killed_replica_forgets_what_it_had() -> None:
    plane = FluidPlane(balanced(2, 60.0, 3.0, ejection=NEVER_OUT), 1)
    plane.set_ready(0, 0, [0])
    plane.set_ready(1, 0, [0, 1])
    plane.run(20.0)
    first = int(plane.state.versions[1]["first_replica"])
    busy = plane.state.free[plane.state.replicas[first]["bench"]]
    assert (busy > 20.0).any()
    plane.kill(1, 0, 0)
    assert (busy <= 20.0).all()
    plane.run(21.0)
    assert plane.state.replicas[first]["inside"] == 0.0


def test_one_seed_is_played_alike() -> None:
    made = balanced(4, 100.0, 2.0, queue=8, ejection=OUT, balancing=TURNS, call=again(1))
    assert np.array_equal(played(FluidPlane, made, 2), played(FluidPlane, made, 2))


def shares(plane: DataPlane | FluidPlane) -> list[float]:
    """The failed share of the clients' requests, and of each version's calls."""
    recording = plane.recording()
    counts = [recording.client[:, 0, 0].sum(axis=0).astype(float)]
    for version in range(len(plane.network.stations[1].replicas)):
        row = np.flatnonzero((recording.rows.station == 1) & (recording.rows.version == version))[0]
        counts.append(recording.service[:, row].sum(axis=0).astype(float))
    return [row[ERROR : REFUSED + 1].sum() / row[ERROR:].sum() for row in counts]


def failing(kind: type[DataPlane] | type[FluidPlane], made: Network, seed: int) -> NDArray[np.float64]:
    """The failed share of the clients' requests in each window of ten seconds, the first of two minutes left out."""
    plane = kind(made, seed)
    plane.set_ready(0, 0, [0])
    plane.set_ready(1, 0, [0, 1])
    plane.run(120.0)
    assert made.resolution_s == 1.0
    counts = plane.recording().client[10:120, 0, 0].reshape(11, 10, -1).sum(axis=1)
    return counts[:, ERROR : REFUSED + 1].sum(axis=1) / counts[:, ARRIVED]


def mirrored(kind: type[DataPlane] | type[FluidPlane], made: Network, seed: int) -> list[float]:
    """`shares` while the second version gets copies of all that comes to the first."""
    plane = kind(made, seed)
    plane.set_ready(0, 0, [0])
    for version in range(2):
        plane.set_ready(1, version, [0])
    plane.set_weights(1, (1.0, 0.0))
    plane.set_mirror(1, 1, 1.0)
    plane.run(made.horizon_s)
    return shares(plane)


def back(kind: type[DataPlane] | type[FluidPlane], made: Network, seed: int) -> float:
    """How much of what its replicas are called for in the first four seconds after a cut they refuse."""
    plane = kind(made, seed)
    plane.set_ready(0, 0, [0])
    plane.set_ready(1, 0, [0, 1])
    plane.run(20.0)
    plane.set_cut(1, True)
    plane.run(30.0)
    plane.set_cut(1, False)
    plane.run(40.0)
    recording = plane.recording()
    row = np.flatnonzero(recording.rows.station == 1)[0]
    counts = recording.service[30:34, row].sum(axis=0)
    return float(counts[REFUSED] / counts[ERROR:].sum())


def in_turn(kind: type[DataPlane] | type[FluidPlane], made: Network, seed: int) -> list[float]:
    """`shares` of two minutes: six requests of ten come to the first version, if there are two."""
    plane = kind(made, seed)
    plane.set_ready(0, 0, [0])
    versions = made.stations[1].replicas
    for version, replicas in enumerate(versions):
        plane.set_ready(1, version, range(replicas))
    plane.set_weights(1, (0.6, 0.4) if len(versions) > 1 else (1.0,))
    plane.run(made.horizon_s)
    return shares(plane)


def zone_lost(kind: type[DataPlane] | type[FluidPlane], made: Network, seed: int) -> list[float]:
    """Failed share of the clients, and of each version's calls: each loses one of two replicas, one starts again."""
    plane = kind(made, seed)
    plane.set_ready(0, 0, [0])
    plane.set_weights(1, (2 / 3, 1 / 3))
    for version in range(2):
        plane.set_ready(1, version, [0, 1])
    plane.run(10.0)
    for version in range(2):
        plane.kill(1, version, 1)
        plane.set_ready(1, version, [0])
    plane.run(90.0)
    plane.set_ready(1, 0, [0, 1])
    plane.run(130.0)
    return shares(plane)


@pytest.mark.parametrize(("retries", "backoff_s"), [(1, 0.0), (3, 0.0), (3, 0.1)])
def test_what_one_version_refuses_comes_to_the_other_when_it_does(retries: int, backoff_s: float) -> None:
    call = Call(0, 1, timeout_s=1.0, retries=retries, backoff_s=backoff_s)
    made = balanced(2, 42.0, 0.6, queue=8, ejection=NEVER_OUT, balancing=TURNS, call=call)
    bank = replace(made.stations[1], workers=2, replicas=(2, 2))
    made = replace(made, stations=(made.stations[0], bank))
    requests, flows = (
        np.array([zone_lost(kind, made, seed) for seed in range(1, 25)]) for kind in (DataPlane, FluidPlane)
    )
    assert requests.mean(axis=0).min() > 0.02
    chance = 3.0 * np.sqrt((requests.var(axis=0, ddof=1) + flows.var(axis=0, ddof=1)) / len(flows))
    for one, other, margin in zip(requests.mean(axis=0), flows.mean(axis=0), chance, strict=True):
        assert other == pytest.approx(one, rel=0.05, abs=margin)


def outage(kind: type[DataPlane] | type[FluidPlane], made: Network, seed: int) -> tuple[float, float]:
    """The clients' failed share, and answers in time: a third of the bank is killed, then all; they start by turns."""
    plane = kind(made, seed)
    plane.set_ready(0, 0, [0])
    plane.set_ready(1, 0, range(6))
    for at_s, killed, ready in (
        (20.0, [0, 1], [2, 3, 4, 5]), (40.0, [2, 3, 4, 5], []), (45.0, [], [3]), (50.0, [], [0, 3]),
        (60.0, [3], [0]), (65.0, [], range(6)),
    ):  # fmt: skip
        plane.run(at_s)
        for replica in killed:
            plane.kill(1, 0, replica)
        plane.set_ready(1, 0, ready)
    plane.run(130.0)
    client = plane.recording().client[:, 0, 0].sum(axis=0)
    return client[ERROR : REFUSED + 1].sum() / client[ARRIVED], client[FIRST_BIN:].sum()


@pytest.mark.parametrize(
    ("balancing", "cv", "ejection"),
    [(TURNS, 0.6, OUT), (LEAST, 0.6, OUT), (TWO, 0.6, OUT), (TWO, 1.5, None), (TURNS, 2.0, None), (TURNS, 2.0, OUT)],
)
def test_a_zone_and_then_all_go_out(balancing: Balancing, cv: float, ejection: Ejection | None) -> None:
    made = balanced(6, 100.0, cv, queue=8, ejection=ejection, balancing=balancing, call=again(1))
    requests, flows = (
        np.array([outage(kind, made, seed) for seed in range(1, 13)]) for kind in (DataPlane, FluidPlane)
    )
    chance = 3.0 * np.sqrt((requests.var(axis=0, ddof=1) + flows.var(axis=0, ddof=1)) / len(flows))
    for one, other, margin in zip(requests.mean(axis=0), flows.mean(axis=0), chance, strict=True):
        assert other == pytest.approx(one, rel=0.05, abs=margin)
