"""Cut: a link's connections are broken and new ones refused, by disabling its Toxiproxy proxy.

Not modelled: packets that vanish, one way or both, for all or a share of the connections (a caller sees a refusal at
once, never a silent wait: timeout.py does that); broken name resolution. Connections that the callee holds on its own
side of the proxy are closed as well.
"""

from __future__ import annotations

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed
from chaos.faults.proxies import UPPER_RUNGS, healthy_proxy
from chaos.faults.surface import Surface
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault

__all__ = ["CUT"]


class CutFault:
    """The kind `cut`."""

    kind = "cut"
    confirmed = "the proxy says that it is disabled"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Enable the proxy, recreate it, restart the server."""
        return (Rung("enable proxy", _enable, 10.0), *UPPER_RUNGS)

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses a link that is cut already: the undo of the first would lift the second."""
        effect = fault.cut
        assert effect is not None
        name, state = healthy_proxy(surface, effect.on)
        undo = {"proxy": name, "listen": state.listen, "upstream": state.upstream}
        return new_entry(surface.token(), context.drill_id, self.kind, str(effect.on), undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Disable the proxy."""
        surface.set_enabled(entry.undo["proxy"], False)

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The proxy says that it is disabled."""
        if surface.proxy(entry.undo["proxy"]).enabled:
            raise FaultNotConfirmed(f"cut on {entry.target}: proxy {entry.undo['proxy']} is enabled, must be disabled")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The proxy, if it is still disabled."""
        if not surface.proxy(entry.undo["proxy"]).enabled:
            return f"proxy {entry.undo['proxy']} is disabled"
        return None


def _enable(surface: Surface, entry: JournalEntry) -> None:
    surface.set_enabled(entry.undo["proxy"], True)


CUT = CutFault()
