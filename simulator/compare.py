"""Strategies compared on common random numbers: the same requests, defects and people meet each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from scenarios.models import Scenario
from simulator.errors import RequestError
from simulator.replications import SimulationResult, simulate
from simulator.strategies import strategy_named

__all__ = ["compare"]


def compare(
    scenario: Scenario,
    text: str,
    strategies: Sequence[str],
    *,
    replications: int = 200,
    seed: int = 1,
    processes: int | None = None,
    executor: str = "local",
    defects: Sequence[str] | None = None,
    out: Path | None = None,
    source: str = "",
    progress: Callable[[str, int, int], None] | None = None,
) -> list[SimulationResult]:
    """One result per strategy, in the order given; replication r of each has the same draws.

    `progress` is called with the strategy, its replications done and their number; otherwise as `simulate`. All
    strategies are checked before the first is played. Raises RequestError for one that is unknown, named twice, or
    not described by the scenario.
    """
    if not strategies:
        raise RequestError("strategies must name at least one")
    for place, kind in enumerate(strategies):
        strategy_named(scenario, kind)
        if kind in strategies[:place]:
            raise RequestError(f"strategy {kind!r} must be named once")
    return [
        simulate(
            scenario,
            text,
            strategy=kind,
            replications=replications,
            seed=seed,
            processes=processes,
            executor=executor,
            defects=defects,
            out=out,
            source=source,
            progress=_for_strategy(progress, kind),
        )
        for kind in strategies
    ]


def _for_strategy(progress: Callable[[str, int, int], None] | None, kind: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    report = progress

    def tell(done: int, replications: int) -> None:
        report(kind, done, replications)

    return tell
