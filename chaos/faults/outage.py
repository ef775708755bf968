"""Outage: a service, such as a third party, is out of reach for all who call it.

On every link to it: cut, so that callers are refused at once, or silent, so that they wait for their timeout. Not
modelled: a third party that answers with errors (error.py), slowly (latency.py) or to a few only (quota.py).
"""

from __future__ import annotations

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.surface import Surface, Toxic
from chaos.faults.toxic import PATIENCE_S
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["OUTAGE"]

_SILENCE = Toxic("timeout", {"timeout": 0})


class OutageFault:
    """The kind `outage`."""

    kind = "outage"
    confirmed = "no connection of our own is answered on any link to it"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Open the links, recreate their proxies, restart the server."""
        return (
            Rung("open links", _open, 15.0),
            Rung("recreate proxies", _recreate, 15.0),
            Rung("restart Toxiproxy", _restart, 20.0),
        )

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses a service that nobody calls, and links that are cut already."""
        effect = fault.outage
        assert effect is not None
        names = surface.proxies_to(effect.of)
        if not names:
            raise FaultRefused(f"outage of {effect.of}: must be called by somebody")
        links = {name: surface.proxy(name) for name in names}
        cut = [name for name, state in links.items() if not state.enabled]
        if cut:
            raise FaultRefused(f"outage of {effect.of}: proxy {cut[0]} is cut already; faults on it cannot overlap")
        undo = {
            "silent": effect.silent,
            "links": {name: {"listen": state.listen, "upstream": state.upstream} for name, state in links.items()},
        }
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Cut or silence each link."""
        for proxy in entry.undo["links"]:
            if entry.undo["silent"]:
                surface.add_toxic(proxy, _name(entry), _SILENCE)
            else:
                surface.set_enabled(proxy, False)

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """No connection of our own is answered on any link."""
        for proxy in entry.undo["links"]:
            if _left(surface, entry, proxy) is None:
                raise FaultNotConfirmed(f"outage of {entry.target}: proxy {proxy} is open, must not be")
            felt = surface.feel(proxy, PATIENCE_S)
            if felt.answered_s is not None:
                raise FaultNotConfirmed(f"outage of {entry.target}: on {proxy} {felt}, must have none")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """Links that are still closed."""
        left = [found for proxy in entry.undo["links"] if (found := _left(surface, entry, proxy))]
        return "; ".join(left) or None


def _name(entry: JournalEntry) -> str:
    return f"{entry.kind}-{entry.id}"


def _left(surface: Surface, entry: JournalEntry, proxy: str) -> str | None:
    state = surface.proxy(proxy)
    if entry.undo["silent"]:
        return f"toxic {_name(entry)} on proxy {proxy}" if _name(entry) in state.toxics else None
    return None if state.enabled else f"proxy {proxy} is disabled"


def _open(surface: Surface, entry: JournalEntry) -> None:
    for proxy in entry.undo["links"]:
        if entry.undo["silent"]:
            surface.remove_toxic(proxy, _name(entry))
        else:
            surface.set_enabled(proxy, True)


def _recreate(surface: Surface, entry: JournalEntry) -> None:
    for proxy, state in entry.undo["links"].items():
        surface.recreate_proxy(proxy, state["listen"], state["upstream"])


def _restart(surface: Surface, _entry: JournalEntry) -> None:
    surface.restart_toxiproxy()


OUTAGE = OutageFault()
