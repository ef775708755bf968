"""A small shop with one store, for the tests of what happens to data."""

from __future__ import annotations

import copy
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from evidence.events import Event
from evidence.measures import FunctionMeasure
from scenarios.loading import load_text
from scenarios.models import Scenario
from simulator.replication import Player

BASE: dict[str, Any] = {
    "schema": "windtunnel/v1",
    "name": "data",
    "sources": ["made up for a test"],
    "duration": "120s",
    "measure": {"resolution": "250ms", "window": "1s", "consecutive": 4},
    "system": {
        "services": {"web": {"replicas": 2, "workers": 64, "queue": 0, "service_time": "1ms"}},
        "stores": {"orders": {"connections": 50, "service_time": "1ms"}},
        "calls": [{"from": "web", "to": "orders", "timeout": "100ms", "writes": 1}],
    },
    "functions": {
        "buy": {"path": ["web"], "rate": "100/s", "rto": "1m", "rpo": "0s", "good": {"success": ">= 90%"}},
    },
    "release": {
        "at": "10s",
        "changes": [{"service": "web", "from": "v1", "to": "v2"}],
        "strategy": {"blue-green": {"scale_down_delay": "0s"}},
    },
}


def scenario(
    store: dict[str, Any] | None = None,
    release: dict[str, Any] | None = None,
    faults: list[dict[str, Any]] | None = None,
    **top: Any,
) -> Scenario:
    """The shop, its store and release changed."""
    plain = copy.deepcopy(BASE)
    plain["system"]["stores"]["orders"].update(store or {})
    plain["release"].update(release or {})
    plain["faults"] = faults or []
    plain.update(top)
    stream = StringIO()
    YAML(typ="safe", pure=True).dump(plain, stream)
    return load_text(stream.getvalue(), "data.yaml")


def played(what: Scenario, seed: int = 1, replication: int = 0) -> tuple[FunctionMeasure, list[Event]]:
    """The measure of the one function, and the timeline."""
    player = Player(what, what.release.strategy, seed)
    return player.measures(replication)[0], player.timeline(replication).events


def story(events: list[Event], *kinds: str) -> list[tuple[float, str, str]]:
    """Time, kind and subject of the events of these kinds."""
    return [(round(event.time_s, 6), event.kind, event.subject) for event in events if event.kind in kinds]
