"""The strategy of a kind: the scenario's own, or the language's defaults where those say enough."""

from __future__ import annotations

from typing import get_args

from scenarios.models import BlueGreen, Recreate, Rolling, Scenario, Strategy
from scenarios.strategies import StrategyKind
from simulator.errors import RequestError

__all__ = ["KINDS", "has_strategy", "same_strategy", "strategy_named"]

KINDS: tuple[str, ...] = get_args(StrategyKind)
"""Every kind that there is."""

_DEFAULTS = {
    "recreate": Strategy(recreate=Recreate()),
    "rolling": Strategy(rolling=Rolling()),
    "blue-green": Strategy.model_validate({"blue-green": BlueGreen()}),
}


def has_strategy(scenario: Scenario, kind: str) -> bool:
    """Whether `strategy_named` knows one: one with steps or waves only when the scenario describes it."""
    return kind in _DEFAULTS or scenario.release.strategy_of(kind) is not None


def same_strategy(scenario: Scenario, strategy: Strategy, drawn: Scenario) -> Strategy:
    """The strategy of `drawn` that stands where `strategy` stands in `scenario`; itself where it is a default."""
    ours = (scenario.release.strategy, *scenario.release.alternatives)
    theirs = (drawn.release.strategy, *drawn.release.alternatives)
    return next((theirs[place] for place, each in enumerate(ours) if each == strategy), strategy)


def strategy_named(scenario: Scenario, kind: str | None) -> Strategy:
    """The scenario's strategy of a kind; None names its main one.

    Recreate, rolling and blue-green have defaults for a scenario that does not describe them. The others have none:
    their steps or waves are the author's decision. Raises RequestError for those, and for an unknown kind.
    """
    if kind is None:
        return scenario.release.strategy
    if kind not in KINDS:
        raise RequestError(f"strategy(={kind}) must be one of {', '.join(KINDS)}")
    own = scenario.release.strategy_of(kind)
    if own is not None:
        return own
    if kind not in _DEFAULTS:
        what = "waves" if kind == "waves" else "steps"
        raise RequestError(
            f"strategy(={kind}): scenario {scenario.name} must describe its {what}, in release.strategy or "
            "release.alternatives"
        )
    return _DEFAULTS[kind]
