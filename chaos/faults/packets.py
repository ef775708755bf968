"""Packets: those of a link are late, lost, doubled, out of order or damaged, or only so many fit through: a bad line.

In force on packets, so that both ends meet it as on a network: by retransmissions, growing waits and broken handshakes.
A process of its own (agents/packets.py) takes the packets between caller and proxy off loopback
(chaos.staging.diversion) and sends them on. The kernel's own netem would have to be the queue of all of loopback, and
many kernels are built without it. Needs root.

Confirmed twice: the filters are there, and datagrams of our own through them meet each effect; for a share, so many are
sent that missing it has a chance of one in a million. What is on its way when the fault ends is lost, and sent again.

Not modelled: packets of an Ethernet's size, since loopback's are of up to 64 kB, so that an answer is often one packet;
bursts of loss; congestion that the link's own load brings about, but by `rate`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from chaos.errors import StagingError
from chaos.faults.agents.impairment import WAITING_MAX
from chaos.faults.base import PlanContext, Rung
from chaos.faults.errors import FaultNotConfirmed, FaultRefused
from chaos.faults.pinging import BURST, HEADERS_BYTES, Pinged, Pings
from chaos.faults.proxies import healthy_proxy
from chaos.faults.surface import Surface
from chaos.faults.toxic import tries_of
from chaos.safety.journal import JournalEntry, new_entry
from chaos.staging import diversion
from scenarios.models import Fault, Packets

__all__ = ["PACKETS"]

_AGENT = "packets"
_AFTERWARDS_S = 60.0
_CONFIRM_TIMEOUT_S = 30.0
_POLL_S = 0.02
# A smaller share would take thousands of datagrams to be felt.
_SHARE_MIN = 0.01
# The process that carries the packets does about so much.
_RATE_MAX_BYTES_PER_S = 20e6
_RESOLUTION_S = 1e-3
_SHARES = ("loss", "duplicate", "reorder", "corrupt")
_PINGS = 30
_PING_BYTES = 100
_PING_BYTES_MAX = 1_400
_RATE_S = 0.1
_EVERY_S = 2e-3
_SHOWING = 0.8
# A drill does not wait longer for a fault to be felt.
_FELT_WITHIN_S = 10.0
_PATIENCE_S = 0.25
# A clock that is read in another process may be early by some.
_FELT = 0.95
# Numbers of filters that others are not likely to have.
_NUMBERS = range(20_000, 60_000)


class PacketsFault:
    """The kind `packets`."""

    kind = "packets"
    confirmed = "filters are on loopback, and datagrams of our own through them meet each effect"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Take the filters away and end the process; again, since tc may be busy."""
        return (Rung("undivert", _undivert, 15.0), Rung("undivert again", _undivert, 30.0))

    def require_possible(self, fault: Fault) -> None:
        """Refuses what is too little to be felt."""
        effect = fault.packets
        assert effect is not None
        _require_felt(effect, _impairment(effect))

    def plan(self, surface: Surface, fault: Fault, context: PlanContext) -> JournalEntry:
        """Refuses a machine that cannot."""
        self.require_possible(fault)
        effect = fault.packets
        assert effect is not None
        _, state = healthy_proxy(surface, effect.on)
        port = int(state.listen.rpartition(":")[2])
        try:
            why_not = surface.why_not_divert(port)
        except StagingError as error:
            raise FaultRefused(f"packets on {effect.on}: {error}") from error
        if why_not is not None:
            raise FaultRefused(f"packets on {effect.on}: {why_not}")
        undo = {
            "number": _free_number(surface),
            "port": port,
            "direction": effect.direction,
            "impairment": _impairment(effect),
            "lifetime_s": fault.for_s + _AFTERWARDS_S,
        }
        return new_entry(surface.token(), context.drill_id, self.kind, str(effect.on), undo)

    def apply(self, surface: Surface, entry: JournalEntry) -> None:
        """Start the process, which diverts."""
        told = {key: entry.undo[key] for key in ("number", "port", "direction", "impairment")}
        surface.start_agent(entry.id, _AGENT, told, entry.undo["lifetime_s"])

    def confirm(self, surface: Surface, entry: JournalEntry) -> None:
        """The packets are diverted, and our own feel it."""
        deadline_s = time.monotonic() + _CONFIRM_TIMEOUT_S
        while not surface.diverted(entry.undo["number"]):
            if not surface.agents(entry.id) or time.monotonic() > deadline_s:
                raise FaultNotConfirmed(
                    f"packets on {entry.target}: nothing is diverted, must be: see log/{_AGENT}.log of the staging"
                )
            time.sleep(_POLL_S)
        direction, impairment = entry.undo["direction"], entry.undo["impairment"]
        for way in ("answers", "requests") if direction == "both" else (direction,):
            pings = _pings(impairment)
            pinged = surface.ping(entry.undo["port"], way, pings)
            missing = _not_felt(pinged, impairment, pings.size_bytes)
            if missing:
                raise FaultNotConfirmed(f"packets on {entry.target}: {', '.join(missing)} not felt by {way}: {pinged}")

    def residue(self, surface: Surface, entry: JournalEntry) -> str | None:
        """The process, filters, or what held them."""
        if surface.agents(entry.id):
            return f"the process that carries packets of {entry.target} runs"
        return surface.diversion_left(entry.undo["number"])

    def lift_from_host(self, entry: JournalEntry) -> None:
        """The filters are on the host's own loopback; their process ends with its staging."""
        diversion.undivert(entry.undo["number"])
        left = diversion.left(entry.undo["number"])
        if left is not None:
            raise StagingError(left)


def _impairment(effect: Packets) -> dict[str, Any]:
    return effect.model_dump(exclude={"on", "direction"})


def _require_felt(effect: Packets, impairment: Mapping[str, Any]) -> None:
    for name in _SHARES:
        share = getattr(effect, name)
        if 0 < share < _SHARE_MIN:
            raise FaultRefused(f"packets on {effect.on}: {name}(={share:g}) must be at least {_SHARE_MIN:g}")
    for name in ("delay_s", "jitter_s"):
        seconds = getattr(effect, name)
        if 0 < seconds < _RESOLUTION_S:
            raise FaultRefused(f"packets on {effect.on}: {name}(={seconds:g}) must be at least {_RESOLUTION_S:g}")
    rate = effect.rate_bytes_per_s
    if rate is not None and rate > _RATE_MAX_BYTES_PER_S:
        raise FaultRefused(
            f"packets on {effect.on}: rate_bytes_per_s(={rate:g}) must be at most {_RATE_MAX_BYTES_PER_S:g}"
        )
    takes_s = _pings(impairment).takes_s
    if takes_s > _FELT_WITHIN_S:
        raise FaultRefused(
            f"packets on {effect.on}: would be felt after {takes_s:.0f} s, must be within {_FELT_WITHIN_S:g} s: "
            "with a larger share, a higher rate or a shorter delay"
        )


def _free_number(surface: Surface) -> int:
    while surface.diverted(number := secrets.choice(_NUMBERS)):
        pass
    return number


def _pings(impairment: Mapping[str, Any]) -> Pings:
    """So many that each share is met, so large that a rate takes some time, and never more at once than may wait."""
    shares = [impairment[name] for name in _SHARES if impairment[name] > 0]
    # Of a datagram that is lost nothing else shows; nor of one that is damaged in its header.
    arriving = _SHOWING * ((1.0 - impairment["loss"]) or 1.0)
    counts = [tries_of(share * arriving) if share < 1 else _PINGS for share in shares]
    count, size_bytes = max([_PINGS, *counts]), _PING_BYTES
    longest_s, rate = impairment["delay_s"] + impairment["jitter_s"], impairment["rate_bytes_per_s"]
    if rate is not None:
        size_bytes = min(_PING_BYTES_MAX, max(_PING_BYTES, round(rate * _RATE_S / count) - HEADERS_BYTES))
        count = max(count, round(rate * _RATE_S / (size_bytes + HEADERS_BYTES)))
        longest_s += min(count, WAITING_MAX) * (size_bytes + HEADERS_BYTES) / rate
    every_s = max(_EVERY_S, longest_s * 2 * BURST / WAITING_MAX) if count > WAITING_MAX / 2 else _EVERY_S
    return Pings(count, size_bytes, every_s, longest_s + _PATIENCE_S)


def _not_felt(pinged: Pinged, impairment: Mapping[str, Any], size_bytes: int) -> list[str]:
    """Effects that these datagrams cannot have met."""
    missing = []
    if impairment["loss"] > 0 and not pinged.lost:
        missing.append("loss")
    if impairment["loss"] == 1.0:
        return missing if not pinged.arrivals and not pinged.damaged else ["loss"]
    seen = {"duplicate": pinged.doubled, "reorder": pinged.overtaken, "corrupt": pinged.damaged}
    missing += [name for name, hits in seen.items() if impairment[name] > 0 and not hits]
    late_s = sorted(pinged.late_s.values()) or [float("inf")]
    delay_s, jitter_s = impairment["delay_s"], impairment["jitter_s"]
    overtaking = impairment["reorder"] > 0
    if late_s[-1 if overtaking else 0] < _FELT * delay_s or late_s[-1] < _FELT * (delay_s + jitter_s / 2):
        missing.append("delay")
    rate, came = impairment["rate_bytes_per_s"], len(pinged.arrivals) + pinged.damaged
    if rate is not None and pinged.spread_s < _FELT * (came - 1) * (size_bytes + HEADERS_BYTES) / rate:
        missing.append("rate")
    return missing


def _undivert(surface: Surface, entry: JournalEntry) -> None:
    """The filters first, so that nothing is swallowed; again, since a process that was just starting may have come."""
    surface.undivert(entry.undo["number"])
    surface.stop_agents(entry.id)
    surface.undivert(entry.undo["number"])


PACKETS = PacketsFault()
