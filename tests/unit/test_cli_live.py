"""What the live view shows, without a drill."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.live import Live

from chaos.safety.stop import Abort
from chaos.watching import FunctionNow, Snapshot, VersionNow
from evidence.events import Event, EventKind
from scenarios.loading import load
from windtunnel.cli.live import LiveView


def shown(view: LiveView, live: Live, width: int = 120) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(live.renderable)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_view_follows_the_drill() -> None:
    scenario, _ = load("shop-release")
    live = Live(console=Console(file=StringIO(), width=120), auto_refresh=False)
    view, abort = LiveView(scenario, live, keys=True), Abort()
    view.begin(abort)
    view.event(Event(10.0, EventKind.STEP_START, "route 0.2 to new", {}))
    view.event(Event(12.0, EventKind.FAULT_START, "latency on checkout -> payments", {}))
    functions = {
        "checkout": FunctionNow(known=True, down_s=21.25, requests=700, failed=44),
        "browse": FunctionNow(known=False, down_s=0.0, requests=3, failed=0),
    }
    versions = (VersionNow("checkout", "2.4", 10.0, 0.4, 0.081), VersionNow("payments", "", 0.0, 0.0, None))
    view.look(Snapshot(14.5, functions, versions))
    text = shown(view, live)
    assert "14.5 of 36 s  step-start route 0.2 to new" in text
    assert "21.2 of 20 s MISSED" in text
    assert "not known yet" in text
    assert "40.0%" in text
    assert "81 ms" in text
    assert "faults in force: latency on checkout -> payments since 12.0 s" in text
    assert "[q] abort and undo" in text

    narrow = shown(view, live, width=34)
    assert "checkout" in narrow
    assert "payments" in narrow
    assert narrow.index("[q] abort and undo") < narrow.index("REQ")  # of a low terminal, too

    view.event(Event(15.0, EventKind.FAULT_END, "latency on checkout -> payments", {}))
    view.event(Event(15.0, EventKind.FAULT_START, "cut on checkout -> orders", {}))
    view.event(Event(15.1, EventKind.UNDO, "checkout -> orders", {"kind": "cut", "rung": "enable"}))
    view.key("x")
    assert abort.reason is None
    view.key("q")
    assert abort.reason == "key q"
    view.look(Snapshot(15.0, functions, versions))
    text = shown(view, live)
    assert "faults in force: none" in text
    assert "aborting: key q" in text
    view.end()
    assert "undoing and checking" in shown(view, live)
