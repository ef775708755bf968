"""Latency: every message on a link takes longer, by a Toxiproxy latency toxic.

The delay is put on once, on the way back (downstream). Toxiproxy draws from latency ± jitter, the
scenario means `add` plus a uniform draw from 0 to `jitter`, so the toxic's latency is add +
jitter/2 and its jitter is jitter/2. Toxiproxy counts whole milliseconds: both are rounded, and a
delay that rounds to nothing is refused.

Not modelled: delay before the request reaches the callee (the callee works at once, only the answer
is late); slow TCP handshakes; loss, reordering and retransmission; a share of the connections (the
toxicity is 1, since Toxiproxy draws it once per connection and keep-alive would make it lumpy); a
cap on bandwidth. A protocol of several round trips, such as PostgreSQL's, suffers the delay in
each of them. The jitter is drawn by Toxiproxy, unseeded: no drill repeats another exactly.
"""

from __future__ import annotations

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.proxies import UPPER_RUNGS, healthy_proxy
from chaos.faults.surface import Surface, Toxic
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["LATENCY"]


class LatencyFault:
    """The kind `latency`."""

    kind = "latency"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Remove the toxic, recreate the proxy, restart the server."""
        return (Rung("remove toxic", _remove, 10.0), *UPPER_RUNGS)

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """The toxic under a name of its own, so that several may stand on one link."""
        effect = fault.latency
        assert effect is not None
        half_jitter_ms = round(effect.jitter_s * 1000 / 2)
        latency_ms = round(effect.add_s * 1000) + half_jitter_ms
        if latency_ms < 1:
            raise FaultRefused(
                f"latency on {effect.on}: add_s(={effect.add_s:g}) must be at least 1 ms, Toxiproxy's resolution"
            )
        name, state = healthy_proxy(surface, effect.on)
        undo = {
            "proxy": name,
            "listen": state.listen,
            "upstream": state.upstream,
            "latency_ms": latency_ms,
            "jitter_ms": half_jitter_ms,
        }
        return new_entry(surface.token(), context.drill_id, self.kind, str(effect.on), undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Add the toxic."""
        surface.add_toxic(entry.undo["proxy"], _toxic_name(entry), _toxic(entry))

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The toxic is on the proxy with these very attributes."""
        found = surface.proxy(entry.undo["proxy"]).toxics.get(_toxic_name(entry))
        if found != _toxic(entry):
            raise FaultNotConfirmed(
                f"latency on {entry.target}: proxy {entry.undo['proxy']} has {found}, must have {_toxic(entry)}"
            )

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The toxic, if it is still there."""
        name = _toxic_name(entry)
        if name in surface.proxy(entry.undo["proxy"]).toxics:
            return f"toxic {name} on proxy {entry.undo['proxy']}"
        return None


def _toxic_name(entry: JournalEntry) -> str:
    return f"latency-{entry.id}"


def _toxic(entry: JournalEntry) -> Toxic:
    return Toxic("latency", {"latency": entry.undo["latency_ms"], "jitter": entry.undo["jitter_ms"]})


def _remove(surface: Surface, entry: JournalEntry) -> None:
    surface.remove_toxic(entry.undo["proxy"], _toxic_name(entry))


LATENCY = LatencyFault()
