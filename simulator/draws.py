"""Randomness as a pure function of what is drawn.

Every draw is `mix(key of the job + key of the stream)`: the key of a job follows from its function, the running
number of its request, and the chain of calls and attempts that led to it. So two strategies compared on one seed share
each draw of each request (perfect common random numbers), nothing depends on the order of events, and a feature that
draws more or less shifts no other draw. A `numpy.random.Generator` per stream would give the second strategy other
numbers from the first retry on; that is why there is none.

`mix` is variant 13 of Stafford's finalisers of MurmurHash3, the output function of SplitMix64 (Steele, Lea, Flood:
Fast splittable pseudorandom number generators, OOPSLA 2014). Stream keys come from `numpy.random.SeedSequence`.
"""

import math
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from simulator.kernel.inline import inlined, outlined


class Stream(IntEnum):
    """The streams. Append only: a stream's number is part of every stored seed's meaning."""

    ARRIVAL = 0  # gaps between a function's requests
    REQUEST = 1  # the keys of requests, from which the keys of all their jobs follow
    COHORT = 2
    ROUTE = 3  # version
    SERVICE = 4  # own work
    DEFECT = 5  # error answered by a defect
    FAULT = 6  # error answered by an injected fault
    LATENCY = 7  # jitter of an injected latency
    BACKOFF = 8
    WRITE = 9  # acknowledged write lost by a defect
    CONTRACT = 10  # error answered because caller and callee do not understand each other
    MIRROR = 11  # whether a request is copied, and the key of the copy
    BALANCE = 12  # the two replicas to choose from
    QUEUE = 13  # flows: who comes to a slow queue, and who leaves it


GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30 = np.uint64(30)
_S27 = np.uint64(27)
_S31 = np.uint64(31)
_S12 = np.uint64(12)
_UNIT = 2.0**-52


def stream_keys(seed: int, replication: int) -> NDArray[np.uint64]:
    """The key of each stream for one replication, shape (streams,)."""
    states = [
        np.random.SeedSequence(seed, spawn_key=(int(stream), replication)).generate_state(1, np.uint64)[0]
        for stream in Stream
    ]
    return np.array(states, dtype=np.uint64)


@inlined
def mix(z: np.uint64) -> np.uint64:
    """Stafford's variant 13: a bijection of 64 bits without visible pattern."""
    z = (z ^ (z >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)


@inlined
def nth(key: np.uint64, n: int) -> np.uint64:
    """The n-th (from 0) number of the SplitMix64 sequence that starts at `key`."""
    return mix(key + np.uint64(n + 1) * GOLDEN)


@inlined
def unit(bits: np.uint64) -> float:
    """A double strictly inside (0, 1), on a grid of 2**-52 and symmetric about one half."""
    return (np.float64(np.int64(bits >> _S12)) + 0.5) * _UNIT


@outlined
def normal_quantile(p: float) -> float:
    """Inverse of the standard normal distribution function, relative error about 1e-16.

    Wichura, Algorithm AS 241: The percentage points of the normal distribution, Applied Statistics 37 (1988), PPND16.
    """
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        num = (((((((2.5090809287301226727e3 * r + 3.3430575583588128105e4) * r
                    + 6.7265770927008700853e4) * r + 4.5921953931549871457e4) * r
                  + 1.3731693765509461125e4) * r + 1.9715909503065514427e3) * r
                + 1.3314166789178437745e2) * r + 3.3871328727963666080e0)  # fmt: skip
        den = (((((((5.2264952788528545610e3 * r + 2.8729085735721942674e4) * r
                    + 3.9307895800092710610e4) * r + 2.1213794301586595867e4) * r
                  + 5.3941960214247511077e3) * r + 6.8718700749205790830e2) * r
                + 4.2313330701600911252e1) * r + 1.0)  # fmt: skip
        return q * num / den
    r = math.sqrt(-math.log(p if q < 0.0 else 1.0 - p))
    if r <= 5.0:
        r -= 1.6
        num = (((((((7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r
                    + 2.41780725177450611770e-1) * r + 1.27045825245236838258e0) * r
                  + 3.64784832476320460504e0) * r + 5.76949722146069140550e0) * r
                + 4.63033784615654529590e0) * r + 1.42343711074968357734e0)  # fmt: skip
        den = (((((((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r
                    + 1.51986665636164571966e-2) * r + 1.48103976427480074590e-1) * r
                  + 6.89767334985100004550e-1) * r + 1.67638483018380384940e0) * r
                + 2.05319162663775882187e0) * r + 1.0)  # fmt: skip
    else:
        r -= 5.0
        num = (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r
                    + 1.24266094738807843860e-3) * r + 2.65321895265761230930e-2) * r
                  + 2.96560571828504891230e-1) * r + 1.78482653991729133580e0) * r
                + 5.46378491116411436990e0) * r + 6.65790464350110377720e0)  # fmt: skip
        den = (((((((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r
                    + 1.84631831751005468180e-5) * r + 7.86869131145613259100e-4) * r
                  + 1.48753612908506148525e-2) * r + 1.36929880922735805310e-1) * r
                + 5.99832206555887937690e-1) * r + 1.0)  # fmt: skip
    return -num / den if q < 0.0 else num / den


@outlined
def duration(kind: int, p0: float, p1: float, bits: np.uint64) -> float:
    """Seconds drawn from a distribution (`network.Kind`) by inversion of `bits`."""
    if kind == 1:
        return -math.log(unit(bits)) * p0
    if kind == 0:
        return p0
    if kind == 2:
        return math.exp(p0 + p1 * normal_quantile(unit(bits)))
    return p0 + (p1 - p0) * unit(bits)
