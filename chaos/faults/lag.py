"""Lag: what the primary writes reaches the standby later, by a latency toxic on the way of the replication.

When the primary dies meanwhile, what was on its way is lost with it. In force means measured: a write made for it takes
at least half of `add` to reach the standby.

Not modelled: a standby that is behind because it replays slowly (it would lose nothing by that, only take longer to be
promoted); lag that grows with the load.
"""

from __future__ import annotations

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.proxies import UPPER_RUNGS
from chaos.faults.store_servers import servers_of
from chaos.faults.surface import Surface, Toxic
from chaos.safety.journal import JournalEntry, new_entry
from chaos.staging.config import REPLICATION
from scenarios.models import Fault

__all__ = ["LAG"]

_PATIENCE_S = 5.0


class LagFault:
    """The kind `lag`."""

    kind = "lag"
    confirmed = "a write of our own takes so long to reach the standby"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Remove the toxic, recreate the proxy, restart the server."""
        return (Rung("remove toxic", _remove, 10.0), *UPPER_RUNGS)

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """The toxic under a name of its own."""
        effect = fault.lag
        assert effect is not None
        if not servers_of(surface).streaming():
            raise FaultRefused(f"lag of {effect.of}: no standby streams")
        state = surface.proxy(REPLICATION)
        undo = {
            "proxy": REPLICATION,
            "listen": state.listen,
            "upstream": state.upstream,
            "latency_ms": round(effect.add_s * 1000),
        }
        return new_entry(surface.token(), context.drill_id, self.kind, effect.of, undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Add the toxic."""
        surface.add_toxic(REPLICATION, _toxic_name(entry), _toxic(entry))

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """Measured on a write of its own."""
        add_s = entry.undo["latency_ms"] / 1000
        lag_s = servers_of(surface).lag_s(add_s + _PATIENCE_S)
        if lag_s < add_s / 2:
            raise FaultNotConfirmed(f"lag of {entry.target}: measured {lag_s:.3f} s, must be near {add_s:g} s")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The toxic, if it is still there."""
        name = _toxic_name(entry)
        return f"toxic {name} on proxy {REPLICATION}" if name in surface.proxy(REPLICATION).toxics else None


def _toxic_name(entry: JournalEntry) -> str:
    return f"lag-{entry.id}"


def _toxic(entry: JournalEntry) -> Toxic:
    return Toxic("latency", {"latency": entry.undo["latency_ms"], "jitter": 0})


def _remove(surface: Surface, entry: JournalEntry) -> None:
    surface.remove_toxic(REPLICATION, _toxic_name(entry))


LAG = LagFault()
