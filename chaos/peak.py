"""A peak drill: the scenario's load around its peak, open loop, before the old and the new version in turn.

Both versions run with all their replicas for the whole time, and all requests go to one of them for a block. Two blocks
make a pair with the same requests, old first in one pair and new first in the next, so that a staging that gets slower
or faster meanwhile does not count for either.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chaos.load.raw import RawSamples
from chaos.load.run import LoadRun
from chaos.load.workers import ALONE, Workers
from chaos.realise import load_plan
from chaos.safety.ephemeral import plan_ephemeral
from chaos.safety.errors import DrillStopped
from chaos.safety.guard import Guard, guarded
from chaos.safety.lease import Lease
from chaos.safety.lever import lever_reason, require_lever_off
from chaos.safety.recheck import Recheck
from chaos.safety.stop import ABORT_FILE, Abort, StopConditions, abort_on_signals
from chaos.safety.target_lock import hold_target
from chaos.safety.targets import preflight
from chaos.staging.adapter import StagingAdapter
from chaos.staging.config import Defect
from evidence.regression import BlockFigures
from scenarios.models import Scenario
from scenarios.peak_window import PeakWindow

# Of each block, not counted: connections are made, and queues fill to what they are at this load.
WARM_UP_S = 1.0
_LATENESS_BOUND_S = 0.05
_CHECK_EVERY_S = 0.2
_DEPLOY_TIMEOUT_S = 60.0
# Start and drain of a block's load, and the switch before it.
_AROUND_BLOCK_S = 30.0

__all__ = ["WARM_UP_S", "PeakBlock", "PeakDrill", "PeakPlan", "figures"]


@dataclass(frozen=True)
class PeakPlan:
    """How many pairs of blocks, and the part of the scenario's load that each block plays after its warm-up."""

    pairs: int
    window: PeakWindow

    @property
    def block_s(self) -> float:
        """How long a block is counted."""
        return self.window.until_s - self.window.from_s

    @property
    def deadline_s(self) -> float:
        """The longest that all blocks may take."""
        return 2 * self.pairs * (self.block_s + WARM_UP_S + _AROUND_BLOCK_S) + 2 * _DEPLOY_TIMEOUT_S


@dataclass(frozen=True)
class PeakBlock:
    """One block that was played; `problems` say why its load was not the one that was meant."""

    pair: int
    version: str
    raw: RawSamples
    problems: tuple[str, ...]


def figures(block: PeakBlock, function: str) -> BlockFigures:
    """What the block was for a function, its warm-up left out."""
    counted = block.raw.where((block.raw.function == function) & (block.raw.intended_s >= WARM_UP_S))
    ok = counted.kind == "ok"
    p95_s = float(np.quantile(counted.latency_s[ok], 0.95)) if ok.any() else None
    return BlockFigures(len(counted), int((~ok).sum()), p95_s)


class PeakDrill:
    """One peak drill on a staging that is up. With a `lease` the staging is its own, and ends with it."""

    def __init__(
        self,
        scenario: Scenario,
        defects: Sequence[Defect],
        seed: int,
        staging: StagingAdapter,
        folder: Path,
        say: Callable[[str], None],
        lease: Lease | None = None,
        workers: Workers = ALONE,
    ) -> None:
        self._scenario = scenario
        self._defects = tuple(defects)
        self._seed = seed
        self._staging = staging
        self._folder = folder
        self._say = say
        self._lease = lease
        self._workers = workers

    def run(self, plan: PeakPlan) -> list[PeakBlock]:
        """Play all blocks and bring the staging back; raises DrillStopped, with all undone, when it is stopped."""
        staging = self._staging
        require_lever_off()
        preflight(staging.target_url(), staging.token(), staging.allow)
        drill_id, abort = uuid.uuid4().hex, Abort()
        with (
            abort_on_signals(abort),
            hold_target(staging.token()) as lock,
            guarded(
                staging.surface,
                staging.state_dir,
                drill_id,
                plan.deadline_s,
                lease=self._lease,
                faults=staging.faults,
                locks=[lock],
            ) as guard,
        ):
            if self._lease is not None:
                guard.journal.open(plan_ephemeral(staging.surface, staging.state_dir, drill_id))
            conditions = StopConditions(
                deadline_s=plan.deadline_s,
                down_allowed_s=plan.deadline_s,
                abort_file=staging.state_dir / ABORT_FILE,
                watchdog_lost=guard.lease.lost,
                lever=lever_reason,
                abort=abort,
            )
            with Recheck(lambda: preflight(staging.target_url(), staging.token(), staging.allow)) as recheck:
                return list(self._blocks(guard, conditions, recheck, plan))

    def _blocks(
        self, guard: Guard, conditions: StopConditions, recheck: Recheck, plan: PeakPlan
    ) -> Iterator[PeakBlock]:
        change = self._scenario.release.change
        replicas = self._scenario.system.services[change.service].replicas
        guard.protect_release(change.service)
        self._staging.set_defects(change.service, change.new, self._defects)
        self._staging.deploy(change.service, change.new, replicas, _DEPLOY_TIMEOUT_S)
        for pair in range(plan.pairs):
            order = (change.old, change.new) if pair % 2 == 0 else (change.new, change.old)
            for version in order:
                other = change.new if version == change.old else change.old
                self._staging.route(change.service, {version: 1.0, other: 0.0})
                block = self._block(guard, conditions, recheck, plan, pair, version)
                self._say(f"pair {pair + 1} of {plan.pairs}, {version}: {self._told(block)}")
                yield block

    def _block(
        self, guard: Guard, conditions: StopConditions, recheck: Recheck, plan: PeakPlan, pair: int, version: str
    ) -> PeakBlock:
        folder = self._folder / f"pair-{pair + 1}-{version}"
        folder.mkdir()
        duration_s, rates = WARM_UP_S + plan.block_s, plan.window.after(WARM_UP_S)
        played = load_plan(self._scenario, self._staging, self._seed + pair, duration_s, rates)
        with LoadRun.start(played, folder, workers=self._workers, guard=guard.lease.guard) as load:
            while load.running:
                conditions.check(load.now_s(), {}, {})
                recheck.require()
                dead = self._staging.dead()
                if dead:
                    raise DrillStopped("component-lost", f"the staging's own {', '.join(dead)} died")
                conditions.abort.wait(_CHECK_EVERY_S)
            load.wait()
            return PeakBlock(pair, version, load.samples(), tuple(load.problems(_LATENESS_BOUND_S)))

    def _told(self, block: PeakBlock) -> str:
        parts = []
        for name in self._scenario.functions:
            found = figures(block, name)
            p95 = "no good answer" if found.p95_s is None else f"p95 {found.p95_s * 1e3:.0f} ms"
            parts.append(f"{name} {p95}, {found.failed} of {found.requests} failed")
        return "; ".join(parts)
