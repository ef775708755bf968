"""Orders that were written wrong hurt whoever reads them: each replica of checkout looks whether there are any.

It is the rows that hurt, not the version that wrote them: nobody tells a replica when they are put right or gone.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING

from chaos.staging.config import Symptom
from chaos.staging.shop.client import CallFailed

if TYPE_CHECKING:
    from chaos.staging.shop.store import OrderStore

__all__ = ["Reading"]

LOOK_S = 0.25
_LOOK_WITHIN_S = 5.0
# A look reads all rows: of the database's time it takes at most one part in so many.
_PAUSE_PARTS = 10


class Reading:
    """What one replica suffers from wrong rows, as its last look found."""

    def __init__(self, store: OrderStore, symptom: Symptom) -> None:
        self._store = store
        self._symptom = symptom
        self._hurts = False

    def fails(self, cohort: str, chance: random.Random) -> bool:
        """Whether a request of this cohort meets a row that cannot be read."""
        if not self._hurts or self._symptom.cohort not in (None, cohort):
            return False
        return chance.random() < self._symptom.errors_ratio

    async def watch(self) -> None:
        """Look again and again; a database that is away tells nothing new."""
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            with suppress(CallFailed, TimeoutError):
                async with asyncio.timeout(_LOOK_WITHIN_S):
                    self._hurts = await self._store.any_wrong(self._symptom.after_s)
            await asyncio.sleep(max(LOOK_S, _PAUSE_PARTS * (loop.time() - began_s)))
