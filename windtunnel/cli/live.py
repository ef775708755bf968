"""A drill at a terminal: health, versions, steps, faults, the clock against each RTO, and the key that aborts it.

The drill's lines go on above the view, so that the log stays when the view is gone. Keys are read from a terminal in
cbreak mode, which is put back on every way out; Ctrl-C stays a signal.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chaos.safety.stop import Abort
from chaos.watching import Snapshot
from evidence.events import Event, EventKind
from scenarios.models import Scenario
from windtunnel.cli.output import lasting_stderr

__all__ = ["ABORT_KEY", "LiveView", "live_view"]

ABORT_KEY = "q"
_KEY_EVERY_S = 0.2
_STEPS = (EventKind.STEP_START, EventKind.RELEASE_START, EventKind.ROLLBACK_START, EventKind.ROLLBACK_STEP)


class LiveView:
    """Draws at each look and each event; a `Watcher`."""

    def __init__(self, scenario: Scenario, live: Live, keys: bool) -> None:
        self._scenario = scenario
        self._live = live
        self._keys = keys
        self._step = "before the release"
        self._faults: dict[str, float] = {}
        self._snapshot: Snapshot | None = None
        self._abort: Abort | None = None

    def say(self, line: str) -> None:
        """A line above the view."""
        with lasting_stderr():
            self._live.console.print(Text(line), soft_wrap=True)

    def begin(self, abort: Abort) -> None:
        """From now on the key aborts."""
        self._abort = abort

    def key(self, key: str) -> None:
        """A key was hit; called from the thread that reads them."""
        if key.lower() == ABORT_KEY and self._abort is not None:
            self._abort.set(f"key {ABORT_KEY}")

    def event(self, event: Event) -> None:
        """Follow the release and the faults."""
        if event.kind == EventKind.FAULT_START:
            self._faults[event.subject] = event.time_s
        elif event.kind == EventKind.FAULT_END:
            self._faults.pop(event.subject, None)
        elif event.kind == EventKind.UNDO:  # of a fault that stood until the end
            self._faults.pop(f"{event.detail.get('kind')} on {event.subject}", None)
        elif event.kind in _STEPS:
            self._step = f"{event.kind} {event.subject}"
        elif event.kind == EventKind.RELEASE_END:
            self._step = f"release {event.detail.get('outcome', 'ended')}"
        elif event.kind == EventKind.STOP:
            self._step = f"stopped ({event.subject}): undoing"
        self._draw()

    def look(self, snapshot: Snapshot) -> None:
        """Draw how things are."""
        self._snapshot = snapshot
        self._draw()

    def end(self) -> None:
        """Nothing can be aborted any more: the undo runs."""
        self._abort = None
        self._draw()

    def _draw(self) -> None:
        if self._snapshot is not None:
            with lasting_stderr():
                self._live.update(self._picture(self._snapshot), refresh=True)

    def _picture(self, snapshot: Snapshot) -> Group:
        head = f"{self._scenario.name}  {snapshot.now_s:.1f} of {self._scenario.duration_s:g} s  {self._step}"
        faults = ", ".join(f"{name} since {at_s:.1f} s" for name, at_s in list(self._faults.items())) or "none"
        foot = f"[{ABORT_KEY}] abort and undo" if self._keys else "Ctrl-C: abort and undo"
        if self._abort is None:
            foot = "undoing and checking"
        elif self._abort.reason is not None:
            foot = f"aborting: {self._abort.reason}"
        # what must be seen stands first: a terminal that is too low shows no more than the beginning
        return Group(
            Text(head, style="bold"),
            Text(f"faults in force: {faults}"),
            Text(foot, style="bold"),
            self._functions(snapshot),
            _versions(snapshot),
        )

    def _functions(self, snapshot: Snapshot) -> Table:
        table = _table("FUNCTION", "HEALTH", "DOWN OF RTO", "REQUESTS", "FAILED")
        for name, now in snapshot.functions.items():
            rto_s = self._scenario.functions[name].rto_s
            health = Text("not known yet") if not now.known else Text("good", style="green")
            clock = Text("-")
            if now.known and now.down_s > 0:
                over = now.down_s > rto_s
                health = Text("DOWN", style="bold red")
                clock = Text(f"{now.down_s:.1f} of {rto_s:g} s{' MISSED' if over else ''}", style="red" if over else "")
            table.add_row(name, health, clock, str(now.requests), str(now.failed))
        return table


def _table(name: str, *columns: str) -> Table:
    """In a narrow terminal everything else is broken into lines before the name is cut."""
    table = Table(box=None, pad_edge=False)
    table.add_column(name, no_wrap=True)
    for column in columns:
        table.add_column(column)
    return table


def _versions(snapshot: Snapshot) -> Table:
    table = _table("SERVICE", "VERSION", "PER S", "ERRORS", "P95")
    for now in snapshot.versions:
        p95 = "-" if now.p95_s is None else f"{now.p95_s * 1e3:.0f} ms"
        errors = Text(f"{now.errors_ratio:.1%}", style="red" if now.errors_ratio > 0 else "")
        table.add_row(now.service, now.version, f"{now.requests_per_s:.1f}", errors, p95)
    return table


@contextmanager
def live_view(scenario: Scenario) -> Iterator[LiveView]:
    """A view on stderr, and its keys where stdin is a terminal as well."""
    keys = sys.stdin is not None and sys.stdin.isatty()
    # Without a thread that refreshes: drills start processes, and the drill itself says when there is something new.
    live = Live(console=Console(stderr=True), auto_refresh=False, transient=False)
    view = LiveView(scenario, live, keys)
    live.start()
    try:
        with _keys(view) if keys else nullcontext():
            yield view
    finally:
        with lasting_stderr():  # the terminal may be closed by now
            live.stop()


@contextmanager
def _keys(view: LiveView) -> Iterator[None]:
    """Hand each key to the view; the terminal is as it was afterwards."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            if select.select([descriptor], [], [], _KEY_EVERY_S)[0]:
                try:
                    data = os.read(descriptor, 64)
                except OSError:
                    data = b""
                if not data:
                    return  # the terminal is gone
                for key in data.decode(errors="replace"):
                    view.key(key)

    reader = threading.Thread(target=read, name="keys", daemon=True)
    try:
        tty.setcbreak(descriptor)
        reader.start()
        yield
    finally:
        ended.set()
        if reader.ident is not None:
            reader.join(2.0)
        with suppress(termios.error):  # it is gone, and its settings with it
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
