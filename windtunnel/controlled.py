"""Strategies compared by flows, with a few replications request by request to correct them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from evidence.control_variate import Controlled, controlled
from scenarios.loading import ScenarioText
from scenarios.models import Scenario
from scenarios.uncertain import uncertain
from simulator.controlled import play_controlled
from simulator.strategies import strategy_named
from windtunnel.choices import compared_kinds
from windtunnel.errors import UsageError
from windtunnel.simulating import settled

__all__ = ["REPLICATIONS", "compare_controlled"]

REPLICATIONS = 100
"""As flows, where nothing else is said."""


def compare_controlled(
    scenario: Scenario,
    source: ScenarioText,
    *,
    strategies: Sequence[str] | None = None,
    replications: int | None = None,
    paired: int = 5,
    seed: int = 1,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Controlled:
    """Means of each strategy and their differences; strategies None: as `windtunnel.choices.compared_kinds` chooses.

    Raises UsageError for inputs that are ranges, RequestError and JudgeError.
    """
    if uncertain(source.text, source.source) is not None:
        raise UsageError("--control-variate takes a scenario without ranges: its pairs are of one system")
    scenario, _ = settled(scenario, source, seed)
    kinds = compared_kinds(scenario) if strategies is None else strategies
    flows, requests = play_controlled(
        scenario,
        {kind: strategy_named(scenario, kind) for kind in kinds},
        replications=REPLICATIONS if replications is None else replications,
        paired=paired,
        seed=seed,
        processes=processes,
        progress=progress,
    )
    bad_share = 1.0 - math.prod(1.0 - defect.probability for defect in scenario.release.defects)
    return controlled(scenario.name, flows, requests, bad_share)
