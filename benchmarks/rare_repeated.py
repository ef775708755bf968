"""Intervals of splitting held against brute force: how many of them hold what that has found, and what each costs.

Three scenarios whose collapse is seldom, and whose replications are so short that brute force sees it often: `bursts`
tips over by chance alone, `rollback` at times when a bad release has been taken back, `slow-link` when a link has been
slow for half a second, below callers that both try again. Each is made of the library's `metastable`. Times are those
of the processor, of all processes.
"""

import math
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from evidence.statistics import CONFIDENCE, Estimate, share_with_interval
from scenarios.editing import edited
from scenarios.loading import load_text, read
from scenarios.models import Scenario
from simulator.rare.collapse import collapse_probability, collapsed
from simulator.replications import simulate

_SMALL = {
    "duration": "20s",
    "measure": "{resolution: 250ms, window: 1s, consecutive: 4}",
    "system.services.search": "{replicas: 1, workers: 2, queue: 500, service_time: {exponential: {mean: 100ms}}}",
    "system.calls.web->search.timeout": "1s",
    "release.at": "1s",
}
_BAD = {
    "functions.find.rate": "9/s",
    "release.changes": '[{service: search, from: "1.0", to: "1.1"}]',
    "release.defects": "[{name: slow, probability: 100%, latency: x3}]",
    "release.guardrails": "[{metric: error-ratio, of: search, version: new, above: 20%, window: 1s, minimum: 5, "
    "action: rollback}]",
}
_SLOW_LINK = {
    "system.services": "{edge: {replicas: 1, workers: 500, service_time: 1ms}, "
    "cart: {replicas: 2, workers: 20, queue: 200, service_time: {exponential: {mean: 20ms}}}, "
    "stock: {replicas: 2, workers: 1, queue: 200, service_time: {exponential: {mean: 80ms}}, "
    "balancing: least-request}, "
    "price: {replicas: 1, workers: 4, queue: 200, service_time: {exponential: {mean: 40ms}}}}",
    "system.calls": "[{from: edge, to: cart, timeout: 1500ms, retries: 1}, "
    "{from: cart, to: stock, timeout: 700ms, retries: 2, backoff: {base: 50ms}}, "
    "{from: cart, to: price, timeout: 700ms, retries: 1, parallel: true}]",
    "functions.find.path": "[edge]",
    "functions.find.rate": "10/s",
    "functions.find.timeout": "3s",
    "release.at": "1s",
    "release.changes": '[{service: edge, from: "1.0", to: "1.1"}]',
    "faults": "[{at: 4s, for: 500ms, latency: {on: cart -> stock, add: 1s}}]",
    **{key: _SMALL[key] for key in ("duration", "measure")},
}
CASES = {
    "bursts": {**_SMALL, "functions.find.rate": "11/s"},
    "rollback": {**_SMALL, **_BAD},
    "slow-link": _SLOW_LINK,
}
BLOCK = 5_000
"""Replications of one seed of brute force."""
_FIRST_SEED = 1000
"""Of brute force; splitting has those from 1 on."""


@dataclass(frozen=True)
class Block:
    """Some plain replications."""

    replications: int
    collapses: int
    cpu_s: float


@dataclass(frozen=True)
class Repeat:
    """What splitting said with one seed."""

    probability: Estimate
    cpu_s: float


def case(name: str) -> tuple[Scenario, str]:
    """The scenario, and its text."""
    text = read("metastable").text
    for path, value in CASES[name].items():
        text = edited(text, path, value)
    return load_text(text, name), text


def brute_force(name: str, number: int, replications: int = BLOCK) -> Block:
    """Block `number` of a case, from 0 on."""
    scenario, text = case(name)
    began_s = _cpu_s()
    measures = simulate(scenario, text, replications=replications, seed=_FIRST_SEED + number, keep=[]).measures
    return Block(replications, sum(collapsed([row]) for row in measures), _cpu_s() - began_s)


def split(name: str, seed: int, effort: int) -> Repeat:
    """One run of the command."""
    scenario, text = case(name)
    began_s = _cpu_s()
    found = collapse_probability(scenario, text, effort=effort, seed=seed)
    return Repeat(found.probability, _cpu_s() - began_s)


def table(cases: Sequence[str], plain: int, repeats: int, effort: int) -> Iterator[str]:
    """Lines of Markdown, each as soon as it is known."""
    yield "| " + " | ".join(_COLUMNS) + " |"
    yield "|---" * len(_COLUMNS) + "|"
    for name in cases:
        blocks = [
            brute_force(name, number, min(BLOCK, plain - BLOCK * number)) for number in range(math.ceil(plain / BLOCK))
        ]
        yield row(name, blocks, [split(name, seed, effort) for seed in range(1, repeats + 1)])


_COLUMNS = (
    "case",
    "brute force",
    "replications",
    "intervals that hold it",
    "that hold its ends",
    "mean beside it",
    "one run",
    "brute force as precise",
    "as narrow: median, least",
)


def row(name: str, plain: Sequence[Block], repeats: Sequence[Repeat]) -> str:
    """A line of the table.

    Brute force has an error of its own: beside the intervals that hold what it found stand those that hold either end
    of its interval. Times are those of a run of splitting: what brute force takes for the variance of all repeats, and
    for an interval as narrow as each one's. Raises ValueError where brute force saw no collapse, or there are fewer
    than 2 repeats.
    """
    replications, collapses = sum(each.replications for each in plain), sum(each.collapses for each in plain)
    if collapses == 0 or len(repeats) < 2:
        raise ValueError(f"{name}: collapses(={collapses}) must be > 0 and repeats(={len(repeats)}) >= 2")
    truth = share_with_interval(collapses, replications)
    values = np.array([each.probability.value for each in repeats]) / truth.value
    mean = float(values.mean())
    error = mean * math.hypot(float(values.std(ddof=1)) / math.sqrt(len(values)) / mean, 1.0 / math.sqrt(collapses))
    # A share of n replications has the variance odds / n, beside its square; and so many make the time of a run.
    odds = (1.0 - truth.value) / truth.value
    replication_s = sum(each.cpu_s for each in plain) / replications
    run_s = float(np.mean([each.cpu_s for each in repeats]))
    precise = odds / float(values.var(ddof=1)) * replication_s / run_s
    narrow = [odds / _error(each.probability) ** 2 * replication_s / each.cpu_s for each in repeats]
    cells = (
        name,
        f"{100 * truth.value:.3g} % [{100 * truth.low:.3g}, {100 * truth.high:.3g}]",
        f"{replications:,}",
        f"{_held(repeats, truth.value)} of {len(repeats)}",
        f"{_held(repeats, truth.low)}, {_held(repeats, truth.high)}",
        f"{mean:.2f} ± {error:.2f}",
        f"{run_s:.1f} s",
        f"{precise:.1f} times",
        f"{np.median(narrow):.1f}, {min(narrow):.1f} times",
    )
    return "| " + " | ".join(cells) + " |"


def _held(repeats: Sequence[Repeat], value: float) -> int:
    return sum(each.probability.low <= value <= each.probability.high for each in repeats)


def _error(estimate: Estimate) -> float:
    """The relative standard error that has an interval as narrow, on the scale of the logarithm."""
    return math.log(estimate.high / estimate.low) / 2.0 / float(special.ndtri(0.5 + CONFIDENCE / 2.0))


def _cpu_s() -> float:
    """Of this process and of those that it has waited for."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
