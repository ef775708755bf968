"""A peak drill from its scenario to its verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from chaos.load.workers import ALONE, Workers
from chaos.peak import WARM_UP_S, PeakBlock, PeakDrill, PeakPlan, figures
from chaos.realise import defects_of
from chaos.staging.files.loading import Loaded
from evidence.regression import Tolerance, judge_old, judge_regression
from evidence.verdicts import Check, Status, Verdict
from scenarios.models import Scenario
from windtunnel.choices import chosen_defects
from windtunnel.drilling import Say, opened, require_playable, staging_text, state_folder
from windtunnel.errors import UsageError

__all__ = ["PAIRS_MAX", "PAIRS_MIN", "PeakOutcome", "PeakOutline", "outline", "peak"]

# Two pairs have an interval, but one that hardly ever tells anything.
PAIRS_MIN = 3
PAIRS_MAX = 100
_BLOCK_MAX_S = 600.0


@dataclass(frozen=True, slots=True)
class PeakOutcome:
    """The verdict, and the folder with `peak.json` and the raw samples of each block."""

    verdict: Verdict
    folder: Path


@dataclass(frozen=True, slots=True)
class PeakOutline:
    """What a peak drill would do; nothing is touched to make it.

    `window_s` is which part of the scenario's load a block plays, `requests` how many of each function are expected in
    it, and `highest_per_s` the highest rate of each there.
    """

    scenario: str
    service: str
    versions: tuple[str, str]
    defects: tuple[str, ...]
    pairs: int
    block_s: float
    warm_up_s: float
    window_s: tuple[float, float]
    requests: dict[str, float]
    highest_per_s: dict[str, float]
    tolerance: Tolerance
    state_dir: str
    staging: str

    def text(self) -> str:
        """For a person."""
        load = "; ".join(
            f"{name} {count:.0f} requests, up to {self.highest_per_s[name]:g}/s"
            for name, count in self.requests.items()
        )
        old, new = self.versions
        lines = [
            f"peak drill of {self.scenario}: {self.service} {old} and {new} in turn",
            f"  staging   {self.staging}, in {self.state_dir}",
            f"  blocks    {self.pairs} pairs of {self.block_s:g} s, each after {self.warm_up_s:g} s of warm-up",
            f"  load      that of {self.window_s[0]:g} to {self.window_s[1]:g} s of the scenario: {load}",
            f"  defects   {', '.join(self.defects) or 'none: the release is good'}",
            f"  tolerance p95 {self.tolerance.slower:.1%} slower, failed share {self.tolerance.failures:.2%} higher",
        ]
        return "\n".join(lines)


def outline(
    scenario: Scenario,
    *,
    defects: Sequence[str] | None = None,
    plan: PeakPlan,
    tolerance: Tolerance,
    state_dir: Path | None = None,
    on: Loaded | None = None,
) -> PeakOutline:
    """What `peak` would do with the same arguments. Raises UsageError and ChaosError as it would."""
    names = _require_playable(scenario, defects, plan, on)
    change, folder = scenario.release.change, state_folder(state_dir, on)
    return PeakOutline(
        scenario=scenario.name,
        service=change.service,
        versions=(change.old, change.new),
        defects=names,
        pairs=plan.pairs,
        block_s=plan.block_s,
        warm_up_s=WARM_UP_S,
        window_s=(plan.window.from_s, plan.window.until_s),
        requests={name: plan.window.requests(name) for name in scenario.functions},
        highest_per_s={name: plan.window.highest_per_s(name) for name in scenario.functions},
        tolerance=tolerance,
        state_dir=str(folder),
        staging=staging_text(folder, on),
    )


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
    workers: Workers = ALONE,
) -> PeakOutcome:
    """Compare both versions at the scenario's peak. `defects` as in a drill. Raises UsageError, ChaosError."""
    names = _require_playable(scenario, defects, plan, on)
    began = datetime.now(UTC)
    folder = out / f"{began:%Y%m%dT%H%M%S.%f}-peak-{scenario.name}"
    with opened(scenario, None, seed, on, state_folder(state_dir, on), say, plan.deadline_s) as (staging, lease):
        folder.mkdir(parents=True)
        drill = PeakDrill(
            scenario, defects_of(scenario, names, scenario.release.strategy), seed, staging, folder, say, lease, workers
        )
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
        "window_s": [plan.window.from_s, plan.window.until_s],
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


def _require_playable(
    scenario: Scenario, defects: Sequence[str] | None, plan: PeakPlan, on: Loaded | None
) -> tuple[str, ...]:
    """The names of the defects, of a peak drill that can be played."""
    if not PAIRS_MIN <= plan.pairs <= PAIRS_MAX:
        raise UsageError(f"pairs(={plan.pairs}) must be {PAIRS_MIN}..{PAIRS_MAX}")
    if plan.block_s > _BLOCK_MAX_S:
        raise UsageError(f"block(={plan.block_s:g} s) must be at most {_BLOCK_MAX_S:g} s")
    names = chosen_defects(scenario, defects)
    require_playable(scenario, scenario.release.strategy, names, on)
    return names


def _checks(scenario: Scenario, blocks: Sequence[PeakBlock], tolerance: Tolerance) -> list[Check]:
    """Of each function, and of the load: what was not sent in time compares nothing."""
    change = scenario.release.change
    checks = [
        Check("load", f"pair {block.pair + 1}, {block.version}", Status.ERROR, "; ".join(block.problems))
        for block in blocks
        if block.problems
    ]
    for name, function in scenario.functions.items():
        of = {
            version: [figures(block, name) for block in blocks if block.version == version]
            for version in (change.old, change.new)
        }
        checks += judge_old(name, of[change.old], function.good.success.value)
        checks += judge_regression(name, of[change.old], of[change.new], tolerance)
    return checks
