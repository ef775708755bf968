"""The controller of a release: plays the plan, listens to the guardrails, and takes the release back.

It is a set of SimPy processes over `World`. The release process plays the steps of each change; each guardrail and each
fault is a process of its own; a guardrail that trips interrupts the release, at once or after a person has decided.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np
import simpy

from rollout.calendar import hold, tell_postponed
from rollout.errors import Foreseen, Rejected, WorldError
from rollout.faults import play_fault
from rollout.guardrails import watch
from rollout.migration import Migrate, after, before
from rollout.notices import send_notices
from rollout.plan import planned
from rollout.play import Play
from rollout.repair import repair
from rollout.rollback import roll_back
from rollout.steps import Step, Work
from rollout.suppression import Suppression
from rollout.tickets import Desk
from rollout.world import World
from scenarios.models import Change, Guardrail, RollbackRisk, Scenario, Strategy, guardrail_labels

__all__ = ["Controller"]


class Controller:
    """Plays one release in one world.

    `defects` are the names of those that the new version has in this run; the controller only writes them down.
    `rng` draws what people do; `risks` are those that its rollback has in this run.
    """

    def __init__(
        self,
        world: World,
        scenario: Scenario,
        strategy: Strategy,
        defects: Sequence[str],
        rng: np.random.Generator,
        risks: Sequence[RollbackRisk] = (),
    ) -> None:
        self._play = Play(world, scenario, strategy, rng, risks=risks)
        self._world = world
        self._scenario = scenario
        self._strategy = strategy
        self._defects = list(defects)
        self._suppression = Suppression(world, scenario.operations.suppression)
        # Fires with the reason for which the release is taken back.
        self._taken_back: simpy.Event = world.env.event()
        # Fires when the rollback under way, if there is one, has ended.
        self._rolling_back: simpy.Event | None = None

    def start(self) -> None:
        """Schedule the release, its guardrails and the faults; they play as the world's clock runs."""
        env = self._world.env
        send_notices(self._world, self._scenario.operations.notices, self._play.people)
        env.process(self._release())
        if self._scenario.release.repair is not None:
            env.process(repair(self._play, self._scenario.release.repair, lambda: self._rolling_back))
        for fault in self._scenario.faults:
            env.process(play_fault(self._play, fault))

    def abort(self, cause: str) -> None:
        """Take the release back now; nothing happens when it is being taken back already."""
        if not self._is_taken_back():
            self._world.record("decision", self._play.subject, decision="rollback", cause=cause)
            self._taken_back.succeed(cause)

    def _is_taken_back(self) -> bool:
        return self._taken_back.triggered

    def _release(self) -> Generator[simpy.Event, Any, None]:
        world, subject = self._world, self._play.subject
        yield world.env.timeout(self._scenario.release.at_s) | self._taken_back
        if self._is_taken_back() or not (yield from self._admitted()):
            return
        self._record_start()
        self._suppression.begin()
        self._watch()
        self._open_desks()
        for tracks in self._acts():
            steps = [world.env.process(track) for track in tracks]
            yield (steps[0] if len(steps) == 1 else world.env.all_of(steps)) | self._taken_back
            if self._is_taken_back():
                break
        else:
            world.record("release-end", subject, outcome="promoted")
            self._suppression.release_ended()
        for step in steps:
            if step.is_alive:
                step.interrupt("taken back")
        cause: str = yield self._taken_back
        self._rolling_back = world.env.event()
        complete = yield from roll_back(self._play, cause)
        world.record("release-end", subject, outcome="rolled-back" if complete else "failed")
        self._rolling_back.succeed()
        self._rolling_back = None

    def _admitted(self) -> Generator[simpy.Event, Any, bool]:
        """Whether the calendar lets the release start, after it has waited if need be."""
        tell_postponed(self._world, self._scenario, self._play.subject, self._defects)
        opened = yield from hold(self._world, self._scenario, self._play.subject, self._defects, self._taken_back)
        if not opened:
            self._world.record("release-end", self._play.subject, outcome="skipped")
        return opened and not self._is_taken_back()

    def _record_start(self) -> None:
        changes = self._play.changes
        self._world.record(
            "release-start",
            self._play.subject,
            strategy=self._strategy.kind,
            old=", ".join(change.old for change in changes),
            new=", ".join(change.new for change in changes),
            defects=self._defects,
            **({"behind_flag": True} if self._is_behind_flag() else {}),
            **({"defective": self._defective()} if len(changes) > 1 and self._defects else {}),
        )

    def _defective(self) -> list[str]:
        """The services whose new version has a defect, in the order of the release."""
        release = self._scenario.release
        found = {release.defective(defect) for defect in release.defects if defect.name in self._defects}
        return [change.service for change in release.changes if change.service in found]

    def _is_behind_flag(self) -> bool:
        """Whether all that is wrong with the release shows only where its flag is on."""
        flags = [defect.flag for defect in self._scenario.release.defects if defect.name in self._defects]
        return self._strategy.toggle is not None and bool(flags) and all(flags)

    def _watch(self) -> None:
        guardrails, resolution_s = self._scenario.release.guardrails, self._scenario.measure.resolution_s
        for guardrail, name in zip(guardrails, guardrail_labels(guardrails), strict=True):
            # A guardrail of a service that is not released looks at all of its answers, and needs no change.
            change = self._scenario.release.change_of(guardrail.of) or self._scenario.release.change
            for watched in self._play.watched(change, guardrail):
                looks = watch(
                    self._world,
                    guardrail,
                    name,
                    watched,
                    resolution_s,
                    self._on_trip,
                    self._taken_back,
                    suppression=self._suppression,
                )
                self._world.env.process(looks)

    def _open_desks(self) -> None:
        tickets = self._scenario.operations.tickets
        if tickets is None:
            return
        for function in self._scenario.functions:
            desk = Desk(self._world, tickets, function, self._play.people, self._on_tickets)
            self._world.env.process(desk.work())

    def _acts(self) -> Iterator[list[Generator[simpy.Event, Any, object]]]:
        """What is played one after the other, each some tracks that go on at a time; a migration is around them."""
        migration, first = self._scenario.release.migration, self._scenario.release.change
        if migration is not None:
            yield [self._play_steps(first, before(migration))]
        yield [self._play_changes(changes) for changes in self._tracks()]
        if migration is not None:
            yield [self._play_steps(first, after(migration))]

    def _tracks(self) -> list[list[Change]]:
        """Changes that follow each other, for each line of them that goes on by itself."""
        changes = self._play.changes
        return [changes] if self._scenario.release.order == "sequential" else [[change] for change in changes]

    def _play_changes(self, changes: Sequence[Change]) -> Generator[simpy.Event, Any, None]:
        for place, change in enumerate(changes):
            if place and not (yield from self._admitted_too(change)):
                return
            self._play.begun.append(change)
            prefix = f"{change.service}: " if len(self._play.changes) > 1 else ""
            if not (yield from self._play_steps(change, self._steps(change), prefix)):
                return

    def _admitted_too(self, change: Change) -> Generator[simpy.Event, Any, bool]:
        """Whether the calendar lets one more change of a release that has begun start: it waits, and is not skipped."""
        try:
            yield from hold(self._world, self._scenario, change.service, (), self._taken_back, begun=True)
        except simpy.Interrupt:
            return False
        return not self._is_taken_back()

    def _play_steps(self, change: Change, steps: Sequence[Step], prefix: str = "") -> Generator[simpy.Event, Any, bool]:
        """Every step of a change; whether all of them are over and the next change may begin."""
        world = self._world
        for step in steps:
            name = f"{prefix}{step}"
            world.record("step-start", name)
            action = step.perform(self._play, change)
            try:
                yield action
            except simpy.Interrupt:
                # Nobody waits for the action any more; should it fail now, that is no crash.
                action.defused = True
                if isinstance(action, Work) or isinstance(step, Migrate):
                    _give_up(action)
                return False
            except Rejected as rejected:
                self.abort(str(rejected))
                return False
            except WorldError as error:
                kind = "step-failed" if isinstance(error, Foreseen) else "error"
                world.record(kind, name, during="release", message=str(error))
                self.abort(f"step failed: {name}")
                return False
            world.record("step-end", name)
        return True

    def _steps(self, change: Change) -> tuple[Step, ...]:
        return planned(self._scenario, self._strategy, change, self._play.replicas(change))

    def _on_trip(self, guardrail: Guardrail, name: str) -> None:
        if guardrail.action == "page":
            self._world.env.process(self._ask(name, guardrail.of))
        elif guardrail.action == "rollback":
            self.abort(name)

    def _on_tickets(self, name: str) -> None:
        self._world.env.process(self._ask(name, None))

    def _ask(self, name: str, service: str | None) -> Generator[simpy.Event, Any, None]:
        if not self._is_taken_back():
            yield from self._play.people.page(name, service)
            self.abort(name)


def _give_up(action: simpy.Event) -> None:
    if isinstance(action, simpy.Process) and action.is_alive:
        action.interrupt("taken back")
