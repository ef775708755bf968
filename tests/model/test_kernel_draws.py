"""The draws are uniform, independent between streams, requests and attempts, and follow their distributions."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from simulator.draws import Stream, duration, mix, nth, stream_keys, unit
from simulator.network import Kind

COUNT = 20_000
SMALLEST_P = 1e-4
"""Fixed seeds: a p-value below this once means a fault, not bad luck."""


def uniforms(stream: Stream, first: int = 0) -> NDArray[np.float64]:
    """What the kernel draws for the same stream of one request after the other."""
    keys = stream_keys(17, 0)
    with np.errstate(over="ignore"):
        root = nth(np.uint64(keys[Stream.REQUEST]), 0)
        jobs = [np.uint64(nth(np.uint64(root), n)) for n in range(first, first + COUNT)]
        return np.array([unit(np.uint64(mix(np.uint64(job + keys[stream])))) for job in jobs])


@pytest.mark.parametrize("stream", [Stream.ROUTE, Stream.SERVICE, Stream.DEFECT])
def test_uniform_without_memory(stream):
    values = uniforms(stream)
    assert stats.kstest(values, "uniform").pvalue > SMALLEST_P
    assert stats.pearsonr(values[:-1], values[1:]).pvalue > SMALLEST_P
    pairs = np.histogram2d(values[:-1:2], values[1::2], bins=10)[0].ravel()
    assert stats.chisquare(pairs).pvalue > SMALLEST_P


def test_streams_of_one_request_are_independent():
    one, two = uniforms(Stream.ROUTE), uniforms(Stream.SERVICE)
    assert stats.pearsonr(one, two).pvalue > SMALLEST_P
    cells = np.histogram2d(one, two, bins=10)[0].ravel()
    assert stats.chisquare(cells).pvalue > SMALLEST_P


@pytest.mark.parametrize(
    ("kind", "p0", "p1", "law"),
    [
        (Kind.EXPONENTIAL, 0.25, 0.0, stats.expon(scale=0.25)),
        (Kind.LOGNORMAL, -1.5, 0.8, stats.lognorm(s=0.8, scale=math.exp(-1.5))),
        (Kind.UNIFORM, 0.1, 0.4, stats.uniform(0.1, 0.3)),
    ],
    ids=["exponential", "lognormal", "uniform"],
)
def test_durations_follow_their_law(kind, p0, p1, law):
    key = int(stream_keys(3, 1)[Stream.SERVICE])
    with np.errstate(over="ignore"):
        values = [duration(int(kind), p0, p1, np.uint64(nth(np.uint64(key), n))) for n in range(COUNT)]
    assert stats.kstest(values, law.cdf).pvalue > SMALLEST_P


def test_a_unit_draw_is_never_zero_or_one():
    assert 0 < unit(np.uint64(0)) < 1e-15
    assert 1 - 1e-15 < unit(np.uint64(2**64 - 1)) < 1
