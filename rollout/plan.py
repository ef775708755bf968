"""From a strategy to the steps that the controller plays for one change.

Every strategy is a composition of the same few steps (rollout.steps, rollout.gates), so a world needs to know their
verbs and no strategy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rollout.canary import canary_steps
from rollout.cohorts import cohort_shares
from rollout.gates import Analyse, Approve
from rollout.rolling import rolling_steps
from rollout.steps import Bake, Deploy, Route, Step
from rollout.toggle import toggle_steps
from rollout.waves import wave_steps
from scenarios.models import BlueGreen, Change, Scenario, Strategy

__all__ = ["Bake", "Deploy", "Route", "Step", "plan", "planned"]


def planned(scenario: Scenario, strategy: Strategy, change: Change, replicas: int) -> tuple[Step, ...]:
    """As `plan`, with the cohorts and zones that the scenario has."""
    by_cohort = strategy.canary is not None or strategy.waves is not None
    cohorts = cohort_shares(scenario, change.service) if by_cohort else {}
    return plan(strategy, change, replicas, cohorts, scenario.system.zones, calendar=scenario.calendar.closes)


def plan(
    strategy: Strategy,
    change: Change,
    replicas: int,
    cohorts: Mapping[str, float] | None = None,
    zones: Sequence[str] = (),
    *,
    calendar: bool = False,
) -> tuple[Step, ...]:
    """The steps that take `replicas` replicas of a service from the old version to the new one.

    `cohorts` are the shares that they have of the service's requests, `zones` those over which its replicas are spread.
    `calendar`: whether there is one to ask before each further wave.
    """
    if strategy.rolling is not None:
        return tuple(rolling_steps(strategy.rolling, change, replicas))
    if strategy.blue_green is not None:
        return tuple(_blue_green(strategy.blue_green, change, replicas))
    if strategy.canary is not None:
        return tuple(canary_steps(strategy.canary, change, replicas, cohorts or {}))
    if strategy.toggle is not None:
        return tuple(toggle_steps(strategy.toggle, change, replicas))
    if strategy.waves is not None:
        return tuple(wave_steps(strategy.waves, change, replicas, cohorts or {}, zones, calendar))
    return Deploy(change.old, 0), Deploy(change.new, replicas), Route(1.0)


def _blue_green(blue_green: BlueGreen, change: Change, replicas: int) -> Iterator[Step]:
    yield Deploy(change.new, replicas)
    if blue_green.preview_s:
        yield Bake(blue_green.preview_s)
    if blue_green.approve is not None:
        yield Approve(blue_green.approve)
    yield Route(1.0)
    if blue_green.hold_s:
        yield Bake(blue_green.hold_s)
    if blue_green.analysis is not None:
        yield Analyse(blue_green.analysis)
    if blue_green.scale_down_delay_s:
        yield Bake(blue_green.scale_down_delay_s)
    yield Deploy(change.old, 0)
