"""Reports as plain data for `--json`: no NaN or infinity, which JSON does not have."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from evidence.beside import Beside
from evidence.comparison import Comparison
from evidence.header import World
from evidence.plain import finite
from evidence.recovery import recoveries
from evidence.report.content import RunContent

__all__ = ["run_json", "side_by_side_json"]


def run_json(run: RunContent) -> dict[str, Any]:
    """One run: of a drill its measures, of a simulation their summary (all rows are in measures.parquet)."""
    header = run.header
    found: dict[str, Any] = {
        "run_id": header.run_id,
        "folder": str(run.record.folder),
        "scenario": header.scenario.name,
        "world": header.world.value,
        "strategy": header.strategy,
        "seed": header.seed,
        "replications": run.played,
        "resolution_s": header.resolution_s,
        "commit": header.commit,
        "verdict": run.verdict.to_json(),
    }
    if header.world is World.STAGING:
        found["measures"] = [finite(asdict(row)) for row in run.measures]
        unsettled = run.unsettled()
        if unsettled is not None:
            found["paid_without_order"], found["paid_and_lost"] = unsettled
        diagnosis = run.diagnosis()
        found["diagnosis"] = None if diagnosis is None else diagnosis.to_json()
    elif run.measures:
        found["recovery"] = [each.to_json() for each in recoveries(run.measures, run.chances)]
        found["summary"] = run.comparison().to_json()["rows"]
        found["release"] = run.summary().to_json()
        found["published"] = [row.to_json() for row in run.published()]
        found["judges"] = [row.to_json() for row in run.judges()]
        found["caveats"] = run.caveats()
        found["process"] = [row.to_json() for row in run.process()]
    return found


def side_by_side_json(
    simulation: RunContent, drill: RunContent, beside: Beside, comparison: Comparison | None = None
) -> dict[str, Any]:
    """Prediction beside measurement, and both runs."""
    return {
        "beside": beside.to_json(),
        "comparison": None if comparison is None else comparison.to_json(),
        "simulation": run_json(simulation),
        "drill": run_json(drill),
    }
