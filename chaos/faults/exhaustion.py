"""Exhaustion: somebody else holds the database's connections, so that it takes no more than a few.

A process of its own (agents/) opens them until only so many are left, and takes those that others give back; it ends
by its own time at the latest, and the server's side of its connections with it. Connections that a replica has open
already serve on: what fails are pools that grow and replicas that start. Confirmed by a connection that is tried. Not
modelled: limits of single users; memory that so many connections take from a server that is tuned for fewer.
"""

from __future__ import annotations

import time

from chaos.faults.base import PlanContext, Rung
from chaos.faults.database import store_of, store_or_refuse
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["EXHAUSTION"]

_AGENT = "connections"
_CONFIRM_TIMEOUT_S = 30.0
_AFTERWARDS_S = 60.0
_END_TIMEOUT_S = 10.0
_POLL_S = 0.1


class ExhaustionFault:
    """The kind `exhaustion`."""

    kind = "exhaustion"
    confirmed = "a connection of our own finds no more than those left"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """End the agent; again, and wait longer for the server to notice."""
        return (Rung("give back", _give_back, 15.0), Rung("give back again", _give_back, 30.0))

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses a database with no more connections than are to be left."""
        effect = fault.exhaustion
        assert effect is not None
        free = store_or_refuse(surface, self.kind, effect.of).free_connections()
        if free <= effect.left:
            raise FaultRefused(f"exhaustion of {effect.of}: left(={effect.left}) must be below {free}, those free now")
        undo = {"store": effect.of, "left": effect.left, "lifetime_s": fault.for_s + _AFTERWARDS_S}
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Start the agent."""
        surface.start_agent(entry.id, _AGENT, {"left": entry.undo["left"]}, entry.undo["lifetime_s"])

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The agent runs, and no more connections are taken than are to be left."""
        deadline_s = time.monotonic() + _CONFIRM_TIMEOUT_S
        while True:
            if not surface.agents(entry.id):
                raise FaultNotConfirmed(f"exhaustion of {entry.target}: its agent does not run, must")
            free = store_of(surface, entry).free_connections()
            # ours is one of those left
            if free <= entry.undo["left"] + 1:
                return
            if time.monotonic() > deadline_s:
                raise FaultNotConfirmed(
                    f"exhaustion of {entry.target}: {free} connections are left, must be {entry.undo['left']}"
                )
            time.sleep(_POLL_S)

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The agent, or a database that takes no connection though it is gone."""
        if surface.agents(entry.id):
            return f"connections of {entry.target} are held"
        return None if store_of(surface, entry).free_connections() else f"{entry.target} takes no connection"


def _give_back(surface: Surface, entry: JournalEntry) -> None:
    surface.stop_agents(entry.id)
    deadline_s = time.monotonic() + _END_TIMEOUT_S
    while store_of(surface, entry).free_connections() <= entry.undo["left"] and time.monotonic() < deadline_s:
        time.sleep(_POLL_S)


EXHAUSTION = ExhaustionFault()
