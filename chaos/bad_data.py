"""Rows that a defect wrote wrong, as a drill knows of them: by its staging's data, which tells which are.

What they do to requests is the staging's own doing (the shop's: chaos.staging.shop.reading); here it is told when that
is to begin and when it is over, so that people can answer it, and how many rows there are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import simpy

from chaos.errors import ChaosError
from chaos.staging.data_verbs import DataVerbs, StoredOrder
from rollout.errors import WorldError
from rollout.wallclock import WallClockEnvironment
from scenarios.models import Defect

__all__ = ["BadRows"]

_LOOK_S = 0.25
# A look takes at most one part in so many of the time.
_PAUSE_PARTS = 20

Steps = Generator[simpy.Event, Any, None]


class BadRows:
    """The wrong rows of one defect. `record` writes on the timeline."""

    def __init__(self, env: WallClockEnvironment, data: DataVerbs, defect: Defect, record: Callable[..., None]) -> None:
        assert defect.bad_data is not None
        self._env = env
        self._data = data
        self._defect, self._bad = defect, defect.bad_data
        self._record = record
        self._begun: datetime | None = None
        self._first: datetime | None = None
        self._pause_s = _LOOK_S
        self._looked = env.event()
        self.rows = 0
        self.symptom: simpy.Event = env.event()

    def begin(self, moment: datetime) -> None:
        """The release has begun: from this moment on rows may be wrong."""
        self._begun = moment
        if self._bad.errors:  # else nobody ever notices
            self._env.process(self._watch())

    def look(self) -> Steps:
        """How many there are now. Raises WorldError when that cannot be told."""
        if self._begun is None:
            return
        began_s = time.monotonic()
        try:
            found: list[StoredOrder] = yield self._env.in_thread(self._data.wrong_since, self._begun)
        except ChaosError as error:
            raise WorldError(f"{type(error).__name__}: {error}") from error
        self._pause_s = max(_LOOK_S, _PAUSE_PARTS * (time.monotonic() - began_s))
        self.rows = len(found)
        self._first = min((order.written for order in found), default=None)
        looked, self._looked = self._looked, self._env.event()
        looked.succeed()

    def _watch(self) -> Steps:
        while True:
            while (left_s := self._left_s()) > 0.0:
                yield from self._later(min(left_s, self._pause_s))
            self._record("bad-data", self._defect.name, phase="start", rows=self.rows)
            symptom, self.symptom = self.symptom, self._env.event()
            symptom.succeed()
            while self.rows:
                yield from self._later(self._pause_s)
            self._record("bad-data", self._defect.name, phase="end")

    def _left_s(self) -> float:
        """Until the oldest wrong row shows; infinite while there is none."""
        if self._first is None:
            return math.inf
        return self._bad.symptom_after_s - (datetime.now(UTC) - self._first) / timedelta(seconds=1)

    def _later(self, wait_s: float) -> Steps:
        looked = self._looked
        yield self._env.timeout(wait_s) | looked
        if not looked.triggered:  # else somebody else just did
            with suppress(WorldError):  # a store that is away tells nothing new
                yield from self.look()
