"""What the faults on links share: the proxy in the entry, and the ladder's upper rungs."""

from __future__ import annotations

from chaos.errors import StagingError
from chaos.faults.base import Rung
from chaos.faults.errors import FaultRefused
from chaos.faults.surface import ProxyState, Surface
from chaos.safety.journal import JournalEntry
from scenarios.models import Link

__all__ = ["UPPER_RUNGS", "healthy_proxy"]


def healthy_proxy(surface: Surface, link: Link) -> tuple[str, ProxyState]:
    """The link's proxy and its state; FaultRefused when there is none or it is cut already."""
    try:
        name = surface.proxy_name(link.caller, link.callee)
    except StagingError as error:
        raise FaultRefused(f"fault on {link}: {error}") from error
    state = surface.proxy(name)
    if not state.enabled:
        raise FaultRefused(f"fault on {link}: proxy {name} is cut already; faults on it cannot overlap")
    return name, state


def _recreate(surface: Surface, entry: JournalEntry) -> None:
    surface.recreate_proxy(entry.undo["proxy"], entry.undo["listen"], entry.undo["upstream"])


def _restart(surface: Surface, _entry: JournalEntry) -> None:
    surface.restart_toxiproxy()


# Recreating lifts every fault on the link, restarting every fault on any link: last resorts.
UPPER_RUNGS = (Rung("recreate proxy", _recreate, 10.0), Rung("restart Toxiproxy", _restart, 20.0))
