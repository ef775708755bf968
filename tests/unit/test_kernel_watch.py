"""A watched loop: the jobs at each step, and nothing else changed."""

import numpy as np
import pytest

from simulator.kernel.plane import DataPlane
from simulator.kernel.watch import Looks, Reached
from simulator.network import Distribution, Kind
from simulator.verification.playing import one_station, ready

STEP_S, HORIZON_S = 0.25, 40.0
NETWORK = one_station(1, Distribution(Kind.EXPONENTIAL, 1.0), 0.9, HORIZON_S)


def plane() -> DataPlane:
    return ready(NETWORK, 7, 0)


def looked_at() -> list[int]:
    """By a call from Python for every look."""
    other, seen = plane(), []
    for look in range(round(HORIZON_S / STEP_S) + 1):
        other.run(look * STEP_S)
        seen.append(other.jobs_n)
    return seen


def test_it_sees_the_jobs_at_every_step_however_time_is_advanced() -> None:
    whole, parts = plane(), plane()
    looks, others = Looks(STEP_S, 161), Looks(STEP_S, 161)
    whole.watch(looks)
    whole.run(HORIZON_S)
    parts.watch(others)
    for until_s in (0.0, 0.1, 0.25, 3.3, 3.3, 17.0, HORIZON_S):
        parts.run(until_s)
    assert looks.jobs.tolist() == others.jobs.tolist() == looked_at()


def test_it_changes_nothing_and_goes_on_after_its_last_look() -> None:
    watched, other = plane(), plane()
    looks = Looks(STEP_S, 10)
    watched.watch(looks)
    watched.run(HORIZON_S)
    other.run(HORIZON_S)
    assert len(looks.jobs) == 10
    assert np.array_equal(watched.recording().client, other.recording().client)


def test_it_stops_where_it_has_enough() -> None:
    seen = looked_at()
    enough = max(seen)
    watched, looks = plane(), Looks(STEP_S, len(seen), enough)
    watched.watch(looks)
    with pytest.raises(Reached):
        watched.run(HORIZON_S)
    first = seen.index(enough)
    assert looks.jobs.tolist() == seen[: first + 1]
    assert watched.now_s == first * STEP_S
