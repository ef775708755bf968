"""The workers of one replica and the places before them."""

from __future__ import annotations

import asyncio
from collections import deque


class Refused(Exception):
    """Every worker is busy and every waiting place taken."""


class Workers:
    """`count` workers; at most `places` requests wait, first come first served (None: without limit)."""

    def __init__(self, count: int, places: int | None) -> None:
        self._count = count
        self._free = count
        self._places = places
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def count(self) -> int:
        """How many there are, or will be when those above it have ended what they do."""
        return self._count

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiting)

    def resize(self, count: int) -> None:
        """So many from now on; those at work above it end what they do."""
        self._free += count - self._count
        self._count = count
        while self._free > 0 and self._waiting:
            self._free -= 1
            self.release()

    async def acquire(self) -> None:
        """Take a worker, waiting for one if there is a place. Raises Refused."""
        if self._free > 0:
            self._free -= 1
            return
        if self._places is not None and len(self._waiting) >= self._places:
            raise Refused
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def release(self) -> None:
        """Hand the worker to who waits longest, unless there are too many."""
        while self._free >= 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
