"""A peak drill from its scenario to its verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from chaos.peak import PeakBlock, PeakDrill, PeakPlan, figures
from chaos.realise import defects_of
from chaos.staging.files.loading import Loaded
from evidence.regression import Tolerance, judge_regression
from evidence.verdicts import Check, Status, Verdict
from scenarios.models import Scenario
from windtunnel.choices import chosen_defects
from windtunnel.drilling import Say, opened, require_playable, state_folder
from windtunnel.errors import UsageError

__all__ = ["PAIRS_MAX", "PAIRS_MIN", "PeakOutcome", "peak"]

# Two pairs have an interval, but one that hardly ever tells anything.
PAIRS_MIN = 3
PAIRS_MAX = 100
_BLOCK_MAX_S = 600.0


@dataclass(frozen=True, slots=True)
class PeakOutcome:
    """The verdict, and the folder with `peak.json` and the raw samples of each block."""

    verdict: Verdict
    folder: Path


def peak(
    scenario: Scenario,
    *,
    defects: Sequence[str] | None = None,
    plan: PeakPlan,
    tolerance: Tolerance,
    seed: int = 1,
    state_dir: Path | None = None,
    on: Loaded | None = None,
    out: Path = Path("runs"),
    say: Say = lambda _: None,
) -> PeakOutcome:
    """Compare both versions at the scenario's peak. `defects` as in a drill. Raises UsageError, ChaosError."""
    if not PAIRS_MIN <= plan.pairs <= PAIRS_MAX:
        raise UsageError(f"pairs(={plan.pairs}) must be {PAIRS_MIN}..{PAIRS_MAX}")
    if not 0 < plan.block_s <= _BLOCK_MAX_S:
        raise UsageError(f"block(={plan.block_s:g} s) must be above 0 s and at most {_BLOCK_MAX_S:g} s")
    strategy = scenario.release.strategy
    names = chosen_defects(scenario, defects)
    require_playable(scenario, strategy, names, on)
    began = datetime.now(UTC)
    folder = out / f"{began:%Y%m%dT%H%M%S.%f}-peak-{scenario.name}"
    with opened(scenario, seed, on, state_folder(state_dir, on), say, plan.deadline_s) as (staging, lease):
        folder.mkdir(parents=True)
        drill = PeakDrill(scenario, defects_of(scenario, names, strategy), seed, staging, folder, say, lease)
        blocks = drill.run(plan)
    checks = _checks(scenario, blocks, tolerance)
    verdict = Verdict(folder.name, tuple(checks))
    document = {
        **verdict.to_json(),
        "scenario": scenario.name,
        "defects": list(names),
        "seed": seed,
        "pairs": plan.pairs,
        "block_s": plan.block_s,
        "tolerance": asdict(tolerance),
        "blocks": [
            {
                "pair": block.pair + 1,
                "version": block.version,
                "problems": list(block.problems),
                "functions": {name: asdict(figures(block, name)) for name in scenario.functions},
            }
            for block in blocks
        ],
    }
    (folder / "peak.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return PeakOutcome(verdict, folder)


def _checks(scenario: Scenario, blocks: Sequence[PeakBlock], tolerance: Tolerance) -> list[Check]:
    """Of each function, and of the load: what was not sent in time compares nothing."""
    change = scenario.release.change
    checks = [
        Check("load", f"pair {block.pair + 1}, {block.version}", Status.ERROR, "; ".join(block.problems))
        for block in blocks
        if block.problems
    ]
    for name in scenario.functions:
        of = {
            version: [figures(block, name) for block in blocks if block.version == version]
            for version in (change.old, change.new)
        }
        checks += judge_regression(name, of[change.old], of[change.new], tolerance)
    return checks
