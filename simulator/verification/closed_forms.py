"""Formulas with known answers, from the textbooks named; times in seconds, loads per server and below 1."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from scipy import stats

__all__ = [
    "all_survive",
    "all_survive_independent",
    "erlang_c_wait_s",
    "found_at_one_look",
    "md1k_refused",
    "mm1k_refused",
    "pollaczek_khinchine_wait_s",
    "retries_failed",
    "retries_load",
    "retries_load_variance",
]

_MIXED = 4000


def erlang_c_wait_s(servers: int, load: float, service_s: float) -> float:
    """Mean wait in M/M/c (Erlang C; Kleinrock, Queueing Systems I, 3.5); M/M/1 with one server."""
    offered = servers * load
    term = offered**servers / math.factorial(servers) / (1 - load)
    waiting = term / (sum(offered**k / math.factorial(k) for k in range(servers)) + term)
    return waiting * service_s / (servers * (1 - load))


def pollaczek_khinchine_wait_s(load: float, service_s: float, cv: float) -> float:
    """Mean wait in M/G/1; service times have mean `service_s`, coefficient of variation `cv` (Kleinrock I, 5.6)."""
    return load * service_s * (1 + cv**2) / (2 * (1 - load))


def mm1k_refused(load: float, places: int) -> float:
    """Share of arrivals refused by M/M/1/K, `places` = K counting the one in service (Kleinrock I, 3.6)."""
    return (1 - load) * load**places / (1 - load ** (places + 1))


def md1k_refused(load: float, places: int) -> float:
    """Share of arrivals refused by M/D/1/K, `places` = K counting the one in service.

    From the chain of those left behind by departures (Takagi, Queueing Analysis, volume 2: M/G/1/K).
    """
    arrive = stats.poisson.pmf(np.arange(places), load)
    chain = np.zeros((places, places))
    for before in range(places):
        for after in range(max(0, before - 1), places - 1):
            chain[before, after] = arrive[after - max(0, before - 1)]
        chain[before, -1] = 1.0 - chain[before].sum()
    balance = np.vstack([chain.T - np.eye(places), np.ones(places)])
    left_behind = np.linalg.lstsq(balance, np.append(np.zeros(places), 1.0))[0]
    return 1.0 - 1.0 / (float(left_behind[0]) + load)


def retries_failed(x: float, retries: int) -> float:
    """Share of requests that fail when each attempt fails with probability x by itself."""
    return x ** (retries + 1)


def retries_load(x: float, retries: int) -> float:
    """Mean attempts a request: the geometric series 1 + x + ... + x**retries."""
    return (1 - x ** (retries + 1)) / (1 - x)


def retries_load_variance(x: float, retries: int) -> float:
    """Variance of the attempts of a request, a geometric number cut off at retries + 1."""
    mean = retries_load(x, retries)
    stopped = sum((k - mean) ** 2 * x ** (k - 1) * (1 - x) for k in range(1, retries + 1))
    return stopped + (retries + 1 - mean) ** 2 * x**retries


def retries_take_s(timeout_s: float, backoff_s: float, retries: int, waited: float) -> float:
    """Mean time of a call whose attempts all time out: retry k waits `waited` of backoff_s * 2**k, half with jitter."""
    return timeout_s * (retries + 1) + waited * backoff_s * ((1 << retries) - 1)


def retries_take_variance(backoff_s: float, retries: int) -> float:
    """Of that time with jitter: each wait is a uniform draw of its own."""
    return sum((backoff_s * (1 << k)) ** 2 / 12 for k in range(retries))


def all_survive(needed: Iterable[int], others: int, killed: int) -> float:
    """Probability that each service needed keeps a replica when `killed` of all replicas die, every set alike.

    `needed` holds the replicas of each service, `others` counts the replicas that nobody needs. Exact, in integers: the
    sets of victims that leave each service one are counted by the product of (1 + z)**r - z**r over the services
    needed, times (1 + z)**others, at z**killed.
    """
    ways, total = [1], others
    for replicas in needed:
        total += replicas
        ways = _product(ways, [math.comb(replicas, dead) for dead in range(replicas)])
    ways = _product(ways, [math.comb(others, dead) for dead in range(others + 1)])
    return (ways[killed] if killed < len(ways) else 0) / math.comb(total, killed)


def _product(a: list[int], b: list[int]) -> list[int]:
    result = [0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            result[i + j] += x * y
    return result


def all_survive_independent(needed: Iterable[int], dead: float) -> float:
    """The same when each replica is dead with the probability `dead`, by itself."""
    return math.prod(1 - dead**replicas for replicas in needed)


def found_at_one_look(mean: float, share: float, limit: float, alpha: float) -> float:
    """Chance that so many requests on the mean, of which `share` fail, are evidence of 1/alpha against `limit`."""
    goods = np.arange(*stats.poisson.interval(1 - 1e-9, mean * (1 - share)), dtype=int)
    found, enough = 0.0, 0
    for good in goods.tolist():
        while _evidence(enough, good, limit) < 1 / alpha:
            enough += 1
        found += float(stats.poisson.pmf(good, mean * (1 - share)) * stats.poisson.sf(enough - 1, mean * share))
    return found


def _evidence(bad: int, good: int, limit: float) -> float:
    """Of a share above the limit: the likelihood ratio, mixed by Beta(1/2, 1/2), in whose angle all are equally likely.

    Summed up by the midpoint rule, where the judge has a closed form.
    """
    low = math.asin(math.sqrt(limit))
    share = np.sin(low + (math.pi / 2 - low) * (np.arange(_MIXED) + 0.5) / _MIXED) ** 2
    return float(np.mean(np.exp(bad * np.log(share / limit) + good * np.log((1 - share) / (1 - limit)))))
