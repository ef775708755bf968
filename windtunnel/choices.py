"""What a user may choose of a scenario, by name; a wrong name is told with the right ones."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.models import Scenario
from simulator.strategies import KINDS, has_strategy
from windtunnel.errors import UsageError

__all__ = ["chosen_defects", "compared_kinds", "strategy_kinds"]


def strategy_kinds(scenario: Scenario) -> tuple[str, ...]:
    """Kinds of all strategies that the scenario describes, its main one first."""
    strategies = (scenario.release.strategy, *scenario.release.alternatives)
    return tuple(dict.fromkeys(strategy.kind for strategy in strategies))


def compared_kinds(scenario: Scenario) -> tuple[str, ...]:
    """Kinds that a comparison takes when none is named: all that the scenario describes.

    One strategy alone is compared with nothing, so to it come the other kinds that have defaults.
    """
    own = strategy_kinds(scenario)
    if len(own) > 1:
        return own
    return (*own, *(kind for kind in KINDS if kind not in own and has_strategy(scenario, kind)))


def chosen_defects(scenario: Scenario, names: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the defects that a drill switches on; the scenario's first when None.

    A drill has to prove the rollback, so unless told otherwise the release is a bad one.
    Raises UsageError for a name that the scenario does not have.
    """
    known = [defect.name for defect in scenario.release.defects]
    if names is None:
        return tuple(known[:1])
    for name in names:
        if name not in known:
            listed = ", ".join(known) or "(it has none)"
            raise UsageError(f"defect(={name}) must be one of scenario {scenario.name}'s: {listed}")
    return tuple(dict.fromkeys(names))
