"""Formulas with known answers, from the textbooks named; times in seconds, loads per server and below 1."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = [
    "all_survive",
    "all_survive_independent",
    "erlang_c_wait_s",
    "mm1k_refused",
    "pollaczek_khinchine_wait_s",
    "retries_failed",
    "retries_load",
    "retries_load_variance",
]


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
