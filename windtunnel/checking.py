"""Regressions for CI: every scenario simulated with a fixed seed and judged by its own expectations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from scenarios.loading import load
from windtunnel.simulating import SimulationOutcome, simulate

__all__ = ["check"]


def check(
    references: Sequence[str],
    *,
    replications: int = 200,
    seed: int = 1,
    out: Path = Path("runs"),
    say: Callable[[str], None] = lambda _: None,
) -> list[SimulationOutcome]:
    """Simulate and judge each scenario (file or library name), in the order given.

    All are read before the first is played, so that a bad one costs no time. Raises ScenarioError,
    RequestError and EvidenceError.
    """
    loaded = [load(reference) for reference in references]
    outcomes = []
    for scenario, source in loaded:
        outcome = simulate(scenario, source, replications=replications, seed=seed, out=out)
        say(f"{scenario.name}: {outcome.verdict.status.value}")
        outcomes.append(outcome)
    return outcomes
