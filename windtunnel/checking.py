"""Regressions for CI: every scenario simulated with a fixed seed and judged by its own expectations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from scenarios.loading import load
from simulator.replications import check_request
from windtunnel.simulating import SimulationOutcome, simulate

__all__ = ["called", "check"]


def check(
    references: Sequence[str],
    *,
    replications: int = 200,
    seed: int = 1,
    out: Path = Path("runs"),
    say: Callable[[str], None] = lambda _: None,
) -> list[SimulationOutcome]:
    """Simulate and judge each scenario (file or library name), in the order given.

    All are read, and those refused that the simulator cannot play, before the first is played: a bad one costs no time,
    and no verdict on the others. Raises ScenarioError, RequestError and EvidenceError.
    """
    loaded = [load(reference) for reference in references]
    for scenario, _ in loaded:
        check_request(
            scenario,
            strategy=None,
            replications=replications,
            seed=seed,
            processes=None,
            executor="local",
            defects=None,
        )
    outcomes = []
    for reference, (scenario, source) in zip(references, loaded, strict=True):
        outcome = simulate(scenario, source, replications=replications, seed=seed, out=out)
        say(f"{called(reference, scenario.name)}: {outcome.verdict.status.value}")
        outcomes.append(outcome)
    return outcomes


def called(reference: str, name: str) -> str:
    """What a scenario is called beside others: by its file too, for two files may hold the same name."""
    return name if reference == name else f"{name} ({reference})"
