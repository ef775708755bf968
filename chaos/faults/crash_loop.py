"""Crash loop: replicas die, are started again, and die again some time after they are ready.

A process of its own (agents/) plays the platform that restarts them; it ends by its own time at the latest. The undo
ends it, and starts what is missing. A version that is retired meanwhile is left alone. Not modelled: the growing
waits of CrashLoopBackOff.
"""

from __future__ import annotations

import time

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed
from chaos.faults.surface import Surface
from chaos.faults.victims import DEPLOY_TIMEOUT_S, choose_victims, missing, wanted
from chaos.safety.journal import JournalEntry, new_entry
from chaos.staging.processes import ProcessId
from scenarios.models import Fault

__all__ = ["CRASH_LOOP"]

_AGENT = "crash_loop"
_CONFIRM_TIMEOUT_S = 15.0
_POLL_S = 0.05
# Beyond the fault's own length: for a harness that is late, not for one that is dead.
_AFTERWARDS_S = 60.0


class CrashLoopFault:
    """The kind `crash_loop`."""

    kind = "crash_loop"
    confirmed = "as many replicas as are to die have died"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """End the agent and start what is missing; again, with all replicas afresh."""
        return (
            Rung("end the loop", _end, DEPLOY_TIMEOUT_S + 10.0),
            Rung("restart replicas", _restart, 2 * DEPLOY_TIMEOUT_S),
        )

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Chooses the victims' versions as `kill` does; which replicas die changes from time to time."""
        effect = fault.crash_loop
        assert effect is not None
        victims = choose_victims(surface, self.kind, effect, context)
        running = surface.running(effect.of)
        undo = {
            "service": effect.of,
            "victims": victims,
            "every_s": effect.every_s,
            "lifetime_s": fault.for_s + _AFTERWARDS_S,
            "before": [[each.pid, each.started] for version in victims for each in running[version]],
        }
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Start the agent."""
        arguments = {key: entry.undo[key] for key in ("service", "victims", "every_s")}
        surface.start_agent(entry.id, _AGENT, arguments, entry.undo["lifetime_s"])

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The agent runs, and so many of the replicas that ran before are dead."""
        count = sum(entry.undo["victims"].values())
        deadline_s = time.monotonic() + _CONFIRM_TIMEOUT_S
        while True:
            before = [ProcessId(pid, started) for pid, started in entry.undo["before"]]
            dead = sum(surface.state(process) == "gone" for process in before)
            if not surface.agents(entry.id):
                raise FaultNotConfirmed(f"crash loop of {entry.target}: its agent does not run, must")
            if dead >= count:
                return
            if time.monotonic() > deadline_s:
                raise FaultNotConfirmed(
                    f"crash loop of {entry.target}: {dead} replicas died within {_CONFIRM_TIMEOUT_S:g} s, "
                    f"must be {count}"
                )
            time.sleep(_POLL_S)

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """An agent that runs, or replicas that were ordered and do not run."""
        if surface.agents(entry.id):
            return f"the agent of the crash loop of {entry.target} runs"
        left = missing(surface, entry)
        listed = ", ".join(f"{replicas} of {version}" for version, replicas in left.items())
        return f"{entry.target} lacks replicas: {listed}" if left else None


def _end(surface: Surface, entry: JournalEntry) -> None:
    surface.stop_agents(entry.id)
    for version, replicas in wanted(surface, entry).items():
        if replicas:  # also when none is missing: one may not be ready yet
            surface.deploy(entry.undo["service"], version, replicas)


def _restart(surface: Surface, entry: JournalEntry) -> None:
    surface.stop_agents(entry.id)
    service = entry.undo["service"]
    for version, replicas in wanted(surface, entry).items():
        surface.kill(service, version, surface.ready(service).get(version, 0))
        surface.deploy(service, version, replicas)


CRASH_LOOP = CrashLoopFault()
