"""Strategies compared by flows, with a few replications request by request to correct them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from evidence.control_variate import Controlled, controlled
from evidence.report.controlled import controlled_text
from scenarios.loading import ScenarioText
from scenarios.models import Scenario
from scenarios.uncertain import uncertain
from simulator.controlled import ControlledSimulation
from simulator.errors import RequestError
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

    Raises UsageError for inputs that are ranges, RequestError and JudgeError; what ends it before its time (Ctrl-C, a
    lost worker) carries a note of what was played until then, and what that tells.
    """
    if uncertain(source.text, source.source) is not None:
        raise UsageError("--control-variate takes a scenario without ranges: its pairs are of one system")
    scenario, _ = settled(scenario, source, seed)
    kinds = compared_kinds(scenario) if strategies is None else strategies
    simulation = ControlledSimulation(
        scenario,
        {kind: strategy_named(scenario, kind) for kind in kinds},
        replications=REPLICATIONS if replications is None else replications,
        paired=paired,
        seed=seed,
    )
    try:
        simulation.play(processes, progress)
    except RequestError:  # before anything was played
        raise
    except BaseException as error:  # Ctrl-C, a lost worker
        error.add_note(_told_early(simulation, scenario))
        raise
    return _estimated(simulation, scenario)


def _estimated(simulation: ControlledSimulation, scenario: Scenario) -> Controlled:
    bad_share = 1.0 - math.prod(1.0 - defect.probability for defect in scenario.release.defects)
    return controlled(scenario.name, *simulation.measures(), bad_share)


def _told_early(simulation: ControlledSimulation, scenario: Scenario) -> str:
    flows, pairs = simulation.played()
    played = (
        f"{len(flows)} of {simulation.replications} replications as flows, {len(pairs)} of {len(simulation.chosen)} "
        "of them request by request too"
    )
    if not simulation.enough():
        return f"{played} were played under each strategy, and are lost: an estimate takes more of the latter"
    return f"{played} were played under each strategy, and tell:\n\n{controlled_text(_estimated(simulation, scenario))}"
