"""Simulations that go on until they are precise enough, alone or side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evidence.precision import FEWEST, Precision, looks, precision_of
from evidence.reach import stores_written
from evidence.strata import Chances
from scenarios.models import Scenario
from simulator.replications import Simulation
from windtunnel.errors import UsageError

__all__ = ["MOST", "Stop", "play", "stop_of"]

MOST = 10_000
"""Replications at which a simulation gives up, where nothing else is said."""

_OF_WRITES = ("rpo_attainment", "lost_writes")


@dataclass(frozen=True, slots=True)
class Stop:
    """When to stop: once all `precisions` are reached, looking first after `fewest` replications, and at `most`."""

    precisions: tuple[Precision, ...]
    fewest: int
    most: int

    @property
    def text(self) -> str:
        """As the user asked for them."""
        return "; ".join(each.text for each in self.precisions)


def stop_of(scenario: Scenario, until: Sequence[str], fewest: int | None, most: int | None, *, compared: bool) -> Stop:
    """From what the user asked for. Raises UsageError, and JudgeError for a precision that says nothing."""
    revenues = (function.revenue for function in scenario.functions.values())
    currency = next((revenue.currency for revenue in revenues if revenue is not None), None)
    precisions = tuple(precision_of(each, tuple(scenario.functions), currency) for each in until)
    for each in precisions:
        if each.difference and not compared:
            raise UsageError(f"until(={each.text}): a difference must be of several strategies or variants, compared")
        if each.measured.name in _OF_WRITES and not _writes(scenario, each.function):
            who = "no function" if each.function is None else f"function {each.function} does not"
            raise UsageError(f"until(={each.text}): {who} {'writes' if each.function is None else 'write'} to a store")
    first, last = FEWEST if fewest is None else fewest, MOST if most is None else most
    if first < FEWEST:
        raise UsageError(f"replications(={first}) must be at least {FEWEST} with until: it is the fewest")
    if last < first:
        raise UsageError(f"max-replications(={last}) must be at least the fewest, {first}")
    return Stop(precisions, first, last)


def play(
    simulations: Mapping[str, Simulation],
    stop: Stop,
    chances: Mapping[str, Chances],
    risks: Mapping[str, Chances],
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[bool, str]:
    """Play all of them to as many replications as it takes; whether all precisions were reached, and what was of each.

    `chances` are those of the defects that each draws, `risks` those of its rollback. All have the same
    number of replications in the end: they stay pairs.
    """
    precise, measures = False, {name: simulation.measures for name, simulation in simulations.items()}
    for n in looks(stop.fewest, stop.most):
        for name, simulation in simulations.items():
            simulation.play_to(n, _named(progress, name), of=stop.most)
        precise = all(each.reached(measures, chances, risks) for each in stop.precisions)
        if precise:
            break
    return precise, "; ".join(each.told(measures, chances, risks) for each in stop.precisions)


def _writes(scenario: Scenario, function: str | None) -> bool:
    names = scenario.functions if function is None else (function,)
    return any(stores_written(scenario, scenario.functions[name]) for name in names)


def _named(progress: Callable[[str, int, int], None] | None, name: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    report = progress
    return lambda done, total: report(name, done, total)
