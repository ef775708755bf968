"""The controller of a release: plays the plan, listens to the guardrails, and takes the release back.

It is a set of SimPy processes over `World`. The release process plays the steps; each guardrail and each fault is
a process of its own; a guardrail that trips interrupts the release, at once or after a person has decided.
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
from rollout.plan import Bake, Deploy, Route, Step, plan
from rollout.rollback import look, roll_back
from rollout.world import World
from scenarios.models import Guardrail, Scenario, Strategy, guardrail_labels

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
        self._world = world
        self._scenario = scenario
        self._strategy = strategy
        self._defects = list(defects)
        self._rng = rng
        self._change = scenario.release.change
        self._replicas = scenario.system.services[self._change.service].replicas
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
            self._world.record("decision", self._change.service, decision="rollback", cause=cause)
            self._taken_back.succeed(cause)

    def _is_taken_back(self) -> bool:
        return self._taken_back.triggered

    def _release(self) -> Generator[simpy.Event, Any, None]:
        world, change = self._world, self._change
        yield world.env.timeout(self._scenario.release.at_s) | self._taken_back
        if self._is_taken_back():
            return
        world.record(
            "release-start",
            change.service,
            strategy=self._strategy.kind,
            old=change.old,
            new=change.new,
            defects=self._defects,
        )
        guardrails, resolution_s = self._scenario.release.guardrails, self._scenario.measure.resolution_s
        for guardrail, name in zip(guardrails, guardrail_labels(guardrails), strict=True):
            world.env.process(watch(world, guardrail, name, change, resolution_s, self._on_trip, self._taken_back))
        steps = world.env.process(self._play_steps())
        yield steps | self._taken_back
        if not self._is_taken_back():
            world.record("release-end", change.service, outcome="promoted")
        elif steps.is_alive:
            steps.interrupt("taken back")
        cause: str = yield self._taken_back
        steps_back = self._scenario.release.rollback
        complete = yield from roll_back(world, change, self._replicas, steps_back, cause)
        if "verify" not in steps_back:
            # What became of the release does not depend on whether its rollback looks.
            complete = (yield from look(world, change)) and complete
        world.record("release-end", change.service, outcome="rolled-back" if complete else "failed")

    def _play_steps(self) -> Generator[simpy.Event, Any, None]:
        world = self._world
        for step in plan(self._strategy, self._change, self._replicas):
            world.record("step-start", str(step))
            action = self._perform(step)
            try:
                yield action
            except simpy.Interrupt:
                # Nobody waits for the action any more; should it fail now, that is no crash.
                action.defused = True
                return
            except WorldError as error:
                world.record("error", str(step), during="release", message=str(error))
                self.abort(f"step failed: {step}")
                return
            world.record("step-end", str(step))

    def _perform(self, step: Step) -> simpy.Event:
        service = self._change.service
        if isinstance(step, Deploy):
            return self._world.deploy(service, step.version, step.replicas)
        if isinstance(step, Route):
            shares = {self._change.old: 1.0 - step.new_share, self._change.new: step.new_share}
            return self._world.route(service, shares)
        assert isinstance(step, Bake), step
        return self._world.env.timeout(step.duration_s)

    def _on_trip(self, guardrail: Guardrail, name: str) -> None:
        if guardrail.action == "page":
            self._world.env.process(self._ask(name))
        elif guardrail.action == "rollback":
            self.abort(name)

    def _ask(self, name: str) -> Generator[simpy.Event, Any, None]:
        on_call = self._scenario.operations.on_call
        assert on_call is not None, "the rules of the language ask for operations.on_call"
        if not self._is_taken_back():
            yield from page(self._world, on_call, name, self._rng)
            self.abort(name)
