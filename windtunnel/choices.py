"""What a user may choose of a scenario, by name; a wrong name is told with the right ones."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.models import Scenario, Strategy
from windtunnel.errors import UsageError

__all__ = ["chosen_defects", "chosen_strategies", "chosen_strategy"]


def chosen_strategy(scenario: Scenario, kind: str | None) -> Strategy:
    """The scenario's strategy of that kind; its main one when None. Raises UsageError."""
    if kind is None:
        return scenario.release.strategy
    strategy = scenario.release.strategy_of(kind)
    if strategy is None:
        known = ", ".join(each.kind for each in _all(scenario))
        raise UsageError(f"strategy(={kind}) must be one of scenario {scenario.name}'s: {known}")
    return strategy


def chosen_strategies(scenario: Scenario, kinds: Sequence[str] | None) -> tuple[Strategy, ...]:
    """The strategies of those kinds, in that order; all of the scenario's when None. Raises UsageError."""
    if kinds is None:
        return _all(scenario)
    if len(set(kinds)) != len(kinds):
        raise UsageError(f"strategies(={','.join(kinds)}) must all differ")
    return tuple(chosen_strategy(scenario, kind) for kind in kinds)


def chosen_defects(scenario: Scenario, names: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the defects that a drill switches on; the scenario's first when None. Raises UsageError.

    A drill has to prove the rollback, so unless told otherwise the release is a bad one.
    """
    known = [defect.name for defect in scenario.release.defects]
    if names is None:
        return tuple(known[:1])
    for name in names:
        if name not in known:
            listed = ", ".join(known) or "(it has none)"
            raise UsageError(f"defect(={name}) must be one of scenario {scenario.name}'s: {listed}")
    return tuple(dict.fromkeys(names))


def _all(scenario: Scenario) -> tuple[Strategy, ...]:
    return (scenario.release.strategy, *scenario.release.alternatives)
