"""What happens in a drill, told as it happens: to the record's journal, to whoever watches, and line by line."""

from __future__ import annotations

import threading
from collections.abc import Callable

from chaos.watching import Watcher
from evidence.events import Event, EventKind
from evidence.record import RunRecord

__all__ = ["DrillLog", "Progress"]

Progress = Callable[[str], None]


class DrillLog:
    """The events of one drill, in the order in which they were told."""

    def __init__(self, record: RunRecord, watcher: Watcher, progress: Progress) -> None:
        self.events: list[Event] = []
        self.say = progress
        self._record = record
        self._watcher = watcher
        self._mutex = threading.Lock()

    def event(self, time_s: float, kind: EventKind, subject: str, /, **detail: object) -> None:
        """Tell what happened at a time of the load's clock."""
        self.take(Event(time_s, kind, subject, detail))

    def take(self, event: Event) -> None:
        """Tell an event; from any thread."""
        with self._mutex:  # commands are told of in the threads that call them
            self.events.append(event)
            self._record.append(event)
            self._watcher.event(event)
        detail = ", ".join(f"{key} {value}" for key, value in event.detail.items())
        self.say(f"{event.time_s:7.2f} s  {event.kind:<15} {event.subject}{f' ({detail})' if detail else ''}")
