"""What a drill left: what its release or rollback did to application and data, and whether all is well again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chaos.drill_log import DrillLog
from chaos.errors import ChaosError
from chaos.invariants import settle
from chaos.ledger import FinalRead, done_against_the_odds, looked_up, there_despite
from chaos.load.run import LoadRun
from chaos.proof import Proof, not_the_releases
from chaos.realise import load_plan
from chaos.safety.guard import Guard
from chaos.staging.adapter import StagingAdapter
from chaos.steady import unsteady
from evidence.events import EventKind
from evidence.tables import Ledger
from evidence.timeline import Timeline
from scenarios.models import Scenario, Strategy

__all__ = ["Aftermath"]

_STEADY_S = 3.0


class Aftermath:
    """Looks at a staging after a drill, against what `proof` took before it; what it finds are events of the drill."""

    def __init__(
        self,
        scenario: Scenario,
        strategy: Strategy,
        staging: StagingAdapter,
        proof: Proof,
        log: DrillLog,
        folder: Path,
        seed: int,
    ) -> None:
        self._scenario = scenario
        self._strategy = strategy
        self._staging = staging
        self._proof = proof
        self._log = log
        self._folder = folder
        self._seed = seed

    def look(self, ledger: Ledger, load: LoadRun, *, stopped: bool) -> Ledger:
        """What the release, or its rollback, left: the ledger looked up, before the drill's own undo touches data."""
        if gone := self._gone():
            lost = [f"{store} is gone with its data, and nobody brought it back" for store in gone]
            self._log.event(load.now_s(), EventKind.VERIFY, "ledger", differences=lost)
            for store in gone:
                ledger = looked_up(ledger, store, FinalRead(frozenset(), {}))
            return ledger
        self._prove_rollback(load, stopped=stopped)
        try:
            ledger = self._read_back(ledger, load)
            self._settle(ledger, load)
        except ChaosError as error:
            self._log.event(load.now_s(), EventKind.ERROR, "ledger", message=f"{type(error).__name__}: {error}")
        return ledger

    def check(self, load: LoadRun, guard: Guard) -> None:
        """All that must hold again is checked; what cannot be checked makes the verdict an error."""
        try:
            found = self._proof.compare("after the undo")
            self._log.event(load.now_s(), EventKind.VERIFY, "staging as before", differences=found)
            self._steady_again(load, guard)
        except ChaosError as error:
            self._log.event(load.now_s(), EventKind.ERROR, "afterwards", message=f"{type(error).__name__}: {error}")

    def _prove_rollback(self, load: LoadRun, *, stopped: bool) -> None:
        """What a rollback left is compared with what was there before, while nothing but the rollback put it back."""
        outcomes = [event.detail["outcome"] for event in self._log.events if event.kind == EventKind.RELEASE_END]
        if stopped or outcomes != ["rolled-back"]:
            return
        try:
            differences = self._proof.compare("after the rollback", not_the_releases(self._scenario, self._strategy))
            self._log.event(
                load.now_s(), EventKind.VERIFY, "application and data after the rollback", differences=differences
            )
        except ChaosError as error:
            self._log.event(
                load.now_s(), EventKind.ERROR, "after the rollback", message=f"{type(error).__name__}: {error}"
            )

    def _gone(self) -> list[str]:
        """Stores whose data is destroyed, and nobody brought back."""
        timeline = Timeline.of(self._log.events)
        return [store for store in self._staging.stores() if timeline.gone(store)]

    def _read_back(self, ledger: Ledger, load: LoadRun) -> Ledger:
        """Look every write up in the stores themselves; rows that should not be there are differences."""
        since = datetime.now(UTC) - timedelta(seconds=load.now_s())
        for store in self._staging.stores():
            ids = ledger.write_id[ledger.store == store].tolist()
            read = self._staging.final_read(store, ids, since)
            ledger = looked_up(ledger, store, read)
            own = ledger.where(ledger.store == store)
            odd = {
                "there more than once": list(read.duplicates),
                "written by nobody": list(read.strangers),
                "there though never sent": done_against_the_odds(own),
                "there though its recovery says that they are lost": there_despite(
                    own, Timeline.of(self._log.events).failures_s(store)
                ),
            }
            differences = [f"{len(ids)} {store} {what}, such as {ids[0]}" for what, ids in odd.items() if ids]
            self._log.event(
                load.now_s(), EventKind.VERIFY, f"duplicates and strangers in {store}", differences=differences
            )
        return ledger

    def _settle(self, ledger: Ledger, load: LoadRun) -> None:
        """Orders against the ledger of payments."""
        books = self._staging.books
        if books is None:
            return
        acknowledged = ledger.write_id[ledger.outcome == "ok"].tolist()
        settled = settle(books.orders_since(self._proof.began), books.payments_since(self._proof.began), acknowledged)
        counts = asdict(settled)
        broken = counts.pop("broken")
        self._log.event(load.now_s(), EventKind.VERIFY, "orders against payments", differences=list(broken), **counts)

    def _steady_again(self, first: LoadRun, guard: Guard) -> None:
        """A short load after the undo must find every function well."""
        self._log.say("checking steady state after the undo")
        folder = self._folder / "steady"
        folder.mkdir()
        plan = load_plan(self._scenario, self._staging, self._seed + 1, _STEADY_S)
        # Without a watchdog nothing is in force any more, and the load ends with us all the same.
        watching = guard.lease.guard if guard.lease.lost() is None else None
        with LoadRun.start(plan, folder, guard=watching) as load:
            load.wait()
            raw = load.samples()
        failed = unsteady(self._scenario, raw)
        if failed:
            self._log.event(first.now_s(), EventKind.ERROR, "steady state", during="after the undo", failed=failed)
        else:
            self._log.event(first.now_s(), EventKind.VERIFY, "steady state", differences=[])
