"""Sliding windows, episodes and losses against plain definitions, on random runs."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evidence.episodes import find_episodes
from evidence.health import Criteria, good_windows
from evidence.loss import loss_of
from evidence.statistics import quantile_with_interval, share_with_interval
from evidence.tables import Writes

WINDOW = st.integers(1, 6)
BINS = 4


@given(
    st.lists(st.tuples(st.integers(0, 5), st.lists(st.integers(0, 4), min_size=BINS, max_size=BINS)), min_size=1),
    WINDOW,
    st.sampled_from([0.5, 0.9, 0.99]),
    st.sampled_from([0.0, 0.5, 0.9]),
)
def test_windows_are_counted_as_defined(
    cells: list[tuple[int, list[int]]], window: int, quantile: float, floor: float
) -> None:
    failed = np.array([each[0] for each in cells])
    latency = np.array([each[1] for each in cells])
    requests = failed + latency.sum(axis=1)
    found = good_windows(Criteria(">=", floor, ((quantile, 2, 0.1),)), window, requests, failed, latency[:, None])
    for end in range(len(cells)):
        part = slice(max(0, end - window + 1), end + 1)
        n, bad, histogram = int(requests[part].sum()), int(failed[part].sum()), latency[part].sum(axis=0)
        values = sorted(np.repeat(np.arange(BINS), histogram))
        if n == 0:
            expected = end < window - 1
        else:
            place = math.ceil(round(quantile * len(values), 9))
            fast = bool(values) and values[max(place, 1) - 1] < 2
            expected = (n - bad) / n >= floor and fast
        assert found[end] == expected


def plain_episodes(good: list[bool], window: int, consecutive: int) -> list[tuple[int, int, bool]]:
    """The definition, cell by cell."""
    found, cell = [], 0
    while cell < len(good):
        if good[cell]:
            cell += 1
            continue
        start = cell
        for first in range(start + 1, len(good) - consecutive + 1):
            if all(good[first : first + consecutive]):
                found.append((start, max(first - window + 1, start + 1), False))
                cell = first + consecutive
                break
        else:
            trailing = next((back for back in range(len(good)) if not good[len(good) - 1 - back]), 0)
            end = len(good) if trailing == 0 else max(len(good) - trailing - window + 1, start + 1)
            return [*found, (start, end, True)]
    return found


@given(st.lists(st.booleans(), max_size=60), WINDOW, st.integers(1, 5))
def test_episodes_are_found_as_defined(good: list[bool], window: int, consecutive: int) -> None:
    found = find_episodes(np.array(good, dtype=bool), window, consecutive, 1.0)
    assert [(e.start_s, e.end_s, e.censored) for e in found] == plain_episodes(good, window, consecutive)


@given(st.lists(st.booleans(), max_size=60), WINDOW, st.integers(1, 5))
def test_episodes_follow_one_another(good: list[bool], window: int, consecutive: int) -> None:
    found = find_episodes(np.array(good, dtype=bool), window, consecutive, 1.0)
    assert all(episode.length_s >= 1.0 for episode in found)
    assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(found))
    assert all(not episode.censored for episode in found[:-1])


WRITE = st.tuples(st.floats(0, 100), st.floats(0, 5), st.integers(0, 2), st.integers(-1, 1))


@given(st.lists(WRITE, max_size=30), st.lists(st.floats(0, 110), max_size=4))
def test_losses_are_intervals_around_what_is_known(
    writes: list[tuple[float, float, int, int]], ends_s: list[float]
) -> None:
    invoked = np.array([each[0] for each in writes])
    outcome = np.array([each[2] for each in writes], dtype=np.int64)
    acknowledged = np.where(outcome == 0, invoked + np.array([each[1] for each in writes]), np.nan)
    found = np.array([each[3] for each in writes], dtype=np.int64)
    zeros = np.zeros(len(writes), dtype=np.int64)
    table = Writes(zeros, zeros, invoked, acknowledged, outcome, found)
    loss = loss_of(table, np.ones(len(writes), dtype=bool), sorted(ends_s), 120.0)
    assert 0.0 <= loss.rpo_s <= loss.rpo_unchecked_s <= loss.rpo_high_s <= 120.0
    missing = (outcome == 0) & (found == 0)
    assert loss.lost == int(missing.sum())
    assert loss.met(0.0) is not True or loss.lost == 0
    patient = loss_of(table, np.ones(len(writes), dtype=bool), sorted(ends_s), 120.0, patience_s=2.0)
    assert patient.rpo_s <= patient.rpo_unchecked_s <= patient.rpo_high_s <= loss.rpo_high_s
    if missing.any():
        newest = acknowledged[missing].max()
        ends = [end for end in sorted(ends_s) if end >= newest] or [120.0]
        assert loss.rpo_s == ends[0] - acknowledged[missing].min()
        straggler = any(end < newest <= end + 2.0 for end in ends_s)
        assert patient.rpo_s == (newest if straggler else ends[0]) - acknowledged[missing].min()


@given(st.integers(1, 200), st.data())
def test_shares_lie_in_their_interval(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    found = share_with_interval(hits, n)
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.sampled_from([0.05, 0.5, 0.95]))
def test_quantiles_lie_in_their_interval(values: list[float], quantile: float) -> None:
    found = quantile_with_interval(values, quantile)
    assert found.low <= found.value <= found.high
    assert found.value in values
