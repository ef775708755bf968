"""Published incidents played again: what was known before goes in, and is compared with what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evidence.published import PublishedRow, published_beside_predicted
from scenarios.catalogue import library_names
from scenarios.loading import load
from simulator.replications import simulate
from windtunnel.errors import UsageError

__all__ = ["Replay", "replay"]


@dataclass(frozen=True, slots=True)
class Replay:
    """One incident: its scenario's name, and a row for each figure that was published."""

    scenario: str
    rows: tuple[PublishedRow, ...]


def replay(
    references: Sequence[str] = (),
    *,
    replications: int = 100,
    seed: int = 1,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Replay]:
    """Play each scenario (file or library name) that says what was published; all of the library without names.

    All are read before the first is played. Raises UsageError for one that says nothing, ScenarioError, RequestError.
    """
    loaded = [load(reference) for reference in references or library_names()]
    silent = [scenario.name for scenario, _ in loaded if not scenario.published]
    if references and silent:
        raise UsageError(f"scenario {silent[0]}: must say what was published to be replayed (published)")
    incidents = [(scenario, source) for scenario, source in loaded if scenario.published]
    found = []
    for scenario, source in incidents:
        result = simulate(
            scenario,
            source.text,
            replications=replications,
            seed=seed,
            processes=processes,
            source=source.source,
            keep=[],
        )
        rows = published_beside_predicted(scenario.published, result.measures, scenario.measure.resolution_s)
        found.append(Replay(scenario.name, tuple(rows)))
        if progress is not None:
            progress(len(found), len(incidents))
    return found
