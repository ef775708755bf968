"""The controller of a release: plays the plan, listens to the guardrails, and takes the release back.

It is a set of SimPy processes over `World`. The release process plays the steps of each change; each guardrail and each
fault is a process of its own; a guardrail that trips interrupts the release, at once or after a person has decided.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import simpy

from rollout.errors import WorldError
from rollout.faults import play_fault
from rollout.guardrails import watch
from rollout.people import page
from rollout.plan import plan
from rollout.play import Play
from rollout.rollback import roll_back
from rollout.world import World
from scenarios.models import Change, Guardrail, Scenario, Strategy, guardrail_labels

__all__ = ["Controller"]


class Controller:
    """Plays one release in one world.

    `defects` are the names of those that the new version has in this run; the controller only writes them down.
    `rng` draws what people do.
    """

    def __init__(
        self,
        world: World,
        scenario: Scenario,
        strategy: Strategy,
        defects: Sequence[str],
        rng: np.random.Generator,
    ) -> None:
        self._play = Play(world, scenario, rng)
        self._world = world
        self._scenario = scenario
        self._strategy = strategy
        self._defects = list(defects)
        # Fires with the reason for which the release is taken back.
        self._taken_back: simpy.Event = world.env.event()

    def start(self) -> None:
        """Schedule the release, its guardrails and the faults; they play as the world's clock runs."""
        env = self._world.env
        env.process(self._release())
        for fault in self._scenario.faults:
            env.process(play_fault(self._world, fault))

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
        if self._is_taken_back():
            return
        self._record_start()
        self._watch()
        steps = [world.env.process(self._play_changes(changes)) for changes in self._tracks()]
        yield (steps[0] if len(steps) == 1 else world.env.all_of(steps)) | self._taken_back
        if not self._is_taken_back():
            world.record("release-end", subject, outcome="promoted")
        for track in steps:
            if track.is_alive:
                track.interrupt("taken back")
        cause: str = yield self._taken_back
        complete = yield from roll_back(self._play, cause)
        world.record("release-end", subject, outcome="rolled-back" if complete else "failed")

    def _record_start(self) -> None:
        changes = self._play.changes
        self._world.record(
            "release-start",
            self._play.subject,
            strategy=self._strategy.kind,
            old=", ".join(change.old for change in changes),
            new=", ".join(change.new for change in changes),
            defects=self._defects,
        )

    def _watch(self) -> None:
        guardrails, resolution_s = self._scenario.release.guardrails, self._scenario.measure.resolution_s
        for guardrail, name in zip(guardrails, guardrail_labels(guardrails), strict=True):
            # A guardrail of a service that is not released looks at all of its answers, and needs no change.
            change = self._scenario.release.change_of(guardrail.of) or self._scenario.release.change
            self._world.env.process(
                watch(self._world, guardrail, name, change, resolution_s, self._on_trip, self._taken_back)
            )

    def _tracks(self) -> list[list[Change]]:
        """Changes that follow each other, for each line of them that goes on by itself."""
        changes = self._play.changes
        return [changes] if self._scenario.release.order == "sequential" else [[change] for change in changes]

    def _play_changes(self, changes: Sequence[Change]) -> Generator[simpy.Event, Any, None]:
        for change in changes:
            self._play.begun.append(change)
            if not (yield from self._play_steps(change)):
                return

    def _play_steps(self, change: Change) -> Generator[simpy.Event, Any, bool]:
        """Every step of a change; whether all of them are over and the next change may begin."""
        world = self._world
        several = len(self._play.changes) > 1
        for step in plan(self._strategy, change, self._play.replicas(change)):
            name = f"{change.service}: {step}" if several else str(step)
            world.record("step-start", name)
            action = step.perform(self._play, change)
            try:
                yield action
            except simpy.Interrupt:
                # Nobody waits for the action any more; should it fail now, that is no crash.
                action.defused = True
                return False
            except WorldError as error:
                world.record("error", name, during="release", message=str(error))
                self.abort(f"step failed: {name}")
                return False
            world.record("step-end", name)
        return True

    def _on_trip(self, guardrail: Guardrail, name: str) -> None:
        if guardrail.action == "page":
            self._world.env.process(self._ask(name))
        elif guardrail.action == "rollback":
            self.abort(name)

    def _ask(self, name: str) -> Generator[simpy.Event, Any, None]:
        on_call = self._scenario.operations.on_call
        assert on_call is not None, "the rules of the language ask for operations.on_call"
        if not self._is_taken_back():
            yield from page(self._world, on_call, name, self._play.rng)
            self.abort(name)
