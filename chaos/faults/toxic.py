"""What the faults by a Toxiproxy toxic share: all but the toxic itself, and what a connection must feel of it.

The toxic is on one direction, and on a share of the connections. Toxiproxy rolls that share once for each connection,
open ones too, when the toxic comes: with keep-alive some are hit always and others never, and two callers with one
connection each are no sample. Its draws are unseeded: no drill repeats another exactly.

Confirmed twice: Toxiproxy says the toxic back with these very attributes, and a connection of our own feels it. For a
share of the connections, so many are tried that missing it has a chance of one in a million.

Not modelled: loss, reordering and retransmission of packets; slow TCP handshakes (Toxiproxy itself accepts).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.feeling import Felt
from chaos.faults.proxies import UPPER_RUNGS, healthy_proxy
from chaos.faults.surface import Surface, Toxic
from chaos.safety.journal import JournalEntry, new_entry
from scenarios.models import Fault, ToxicPart

_STREAMS = {"answers": "downstream", "requests": "upstream"}
_MISSED = 1e-6
# A smaller share would take thousands of connections to be felt.
_CONNECTIONS_MIN = 0.01
# Toxiproxy keeps it in single precision.
_TOXICITY_DECIMALS = 6
# An answer that takes longer than this on loopback is not a healthy link's; longer waits would hold the drill up.
PATIENCE_S = 0.25
PATIENCE_S_MAX = 1.0

__all__ = ["PATIENCE_S", "PATIENCE_S_MAX", "ToxicFault", "tries_of", "whole_ms"]


class ToxicFault(ABC):
    """A kind whose effect is one toxic."""

    kind: str
    toxic_type: str
    confirmed = "Toxiproxy says it back, and a connection of our own feels it"
    closes = False  # whether it is felt when a connection is closed

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Remove the toxic, recreate the proxy, restart the server."""
        return (Rung("remove toxic", _remove, 10.0), *UPPER_RUNGS)

    @abstractmethod
    def attributes(self, effect: Any) -> dict[str, int]:
        """The toxic's, in Toxiproxy's units; raises FaultRefused for what is below its resolution."""

    @abstractmethod
    def patience_s(self, attributes: Mapping[str, int]) -> float:
        """How long to wait for what a healthy link would do sooner."""

    @abstractmethod
    def refuted(self, felt: Felt, attributes: Mapping[str, int], stream: str) -> bool:
        """Whether this cannot have met the toxic."""

    def require_possible(self, fault: Fault) -> None:
        """Refuses what is below Toxiproxy's resolution, and a share that could hardly be felt."""
        effect = fault.effect
        assert isinstance(effect, ToxicPart)
        if effect.connections < _CONNECTIONS_MIN:
            raise FaultRefused(
                f"{self.kind} on {effect.on}: connections(={effect.connections:g}) must be at least "
                f"{_CONNECTIONS_MIN:g}"
            )
        self.attributes(effect)

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """The toxic under a name of its own, so that several may stand on one link."""
        self.require_possible(fault)
        effect = fault.effect
        assert isinstance(effect, ToxicPart)
        attributes = self.attributes(effect)
        name, state = healthy_proxy(surface, effect.on)
        undo = {
            "proxy": name,
            "listen": state.listen,
            "upstream": state.upstream,
            "toxic": {
                "type": self.toxic_type,
                "attributes": attributes,
                "stream": _STREAMS[effect.direction],
                "toxicity": effect.connections,
            },
        }
        return new_entry(surface.token(), context.drill_id, self.kind, str(effect.on), undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Add the toxic."""
        surface.add_toxic(entry.undo["proxy"], _name(entry), Toxic(**entry.undo["toxic"]))

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The toxic is on the proxy as ordered, and one of our own connections feels it."""
        proxy, wanted = entry.undo["proxy"], Toxic(**entry.undo["toxic"])
        found = surface.proxy(proxy).toxics.get(_name(entry))
        if found is None or _comparable(found) != _comparable(wanted):
            raise FaultNotConfirmed(f"{self.kind} on {entry.target}: proxy {proxy} has {found}, must have {wanted}")
        tries = tries_of(wanted.toxicity)
        for _ in range(tries):
            felt = surface.feel(proxy, self.patience_s(wanted.attributes), self.closes)
            if not self.refuted(felt, wanted.attributes, wanted.stream):
                return
        raise FaultNotConfirmed(
            f"{self.kind} on {entry.target}: not felt on any of {tries} connections; on the last: {felt}"
        )

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The toxic, if it is still there."""
        if _name(entry) in surface.proxy(entry.undo["proxy"]).toxics:
            return f"toxic {_name(entry)} on proxy {entry.undo['proxy']}"
        return None


def tries_of(share: float) -> int:
    """How many tries hit a share at least once, but for a chance of one in a million."""
    return 1 if share == 1.0 else math.ceil(math.log(_MISSED) / math.log1p(-share))


def whole_ms(kind: str, on: object, name: str, seconds: float, least_ms: int = 1) -> int:
    """Toxiproxy counts whole milliseconds; raises FaultRefused for what rounds to fewer than `least_ms`."""
    ms = round(seconds * 1000)
    if ms < least_ms:
        raise FaultRefused(
            f"{kind} on {on}: {name}(={seconds:g}) must be at least {least_ms} ms, Toxiproxy's resolution"
        )
    return ms


def _comparable(toxic: Toxic) -> Toxic:
    return Toxic(toxic.type, dict(toxic.attributes), toxic.stream, round(toxic.toxicity, _TOXICITY_DECIMALS))


def _name(entry: JournalEntry) -> str:
    return f"{entry.kind}-{entry.id}"


def _remove(surface: Surface, entry: JournalEntry) -> None:
    surface.remove_toxic(entry.undo["proxy"], _name(entry))
