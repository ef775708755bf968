"""What a bad line does to packets, one direction of it: they are late, lost, doubled, out of order, damaged, or queue.

As netem of the kernel has it, with these differences: a jitter alone does not change their order, and each draw is
independent of the one before. No more than WAITING_MAX packets wait; those that come then are lost.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass

__all__ = ["WAITING_MAX", "Impairment", "Line"]

WAITING_MAX = 1000


@dataclass(frozen=True)
class Impairment:
    """Times in seconds, shares of one. Jitter: a uniform draw from 0 to this, besides the delay."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    rate_bytes_per_s: float | None = None


class Line:
    """One direction. Times are those of any one clock, in seconds."""

    def __init__(self, impairment: Impairment, chance: random.Random) -> None:
        self._impairment = impairment
        self._chance = chance
        self._waiting: list[tuple[float, int, bytes]] = []
        self._taken = 0
        self._free_at_s = 0.0
        self._last_s = 0.0

    def take(self, packet: bytes, header_bytes: int, now_s: float) -> None:
        """A packet, of which damage spares the first `header_bytes`."""
        impairment = self._impairment
        for _ in range(1 + self._hits(impairment.duplicate)):
            if self._hits(impairment.loss) or len(self._waiting) >= WAITING_MAX:
                continue
            sent = self._damaged(packet, header_bytes) if self._hits(impairment.corrupt) else packet
            self._taken += 1
            heapq.heappush(self._waiting, (self._due_s(len(packet), now_s), self._taken, sent))

    def due(self, now_s: float) -> list[bytes]:
        """Packets that have arrived by now, in the order of their arrival."""
        arrived = []
        while self._waiting and self._waiting[0][0] <= now_s:
            arrived.append(heapq.heappop(self._waiting)[2])
        return arrived

    def next_s(self) -> float | None:
        """When the next one arrives; None: none is on its way."""
        return self._waiting[0][0] if self._waiting else None

    def _due_s(self, size_bytes: int, now_s: float) -> float:
        impairment = self._impairment
        self._free_at_s = max(now_s, self._free_at_s)
        if impairment.rate_bytes_per_s is not None:
            self._free_at_s += size_bytes / impairment.rate_bytes_per_s
        if self._hits(impairment.reorder):
            return self._free_at_s  # it overtakes those that are delayed
        drawn_s = impairment.delay_s + impairment.jitter_s * self._chance.random()
        self._last_s = max(self._last_s, self._free_at_s + drawn_s)
        return self._last_s

    def _damaged(self, packet: bytes, header_bytes: int) -> bytes:
        """One bit is another."""
        damaged = bytearray(packet)
        damaged[self._chance.randrange(header_bytes, len(packet))] ^= 1 << self._chance.randrange(8)
        return bytes(damaged)

    def _hits(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share
