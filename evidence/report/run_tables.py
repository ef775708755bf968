"""One run as tables: its checks, its timeline, and where it came from."""

from __future__ import annotations

from collections.abc import Sequence

from evidence.events import Event
from evidence.header import Header
from evidence.report.table import Table
from evidence.verdicts import Verdict

__all__ = ["NOTHING_EXPECTED", "checks_table", "events_table", "facts_table"]

NOTHING_EXPECTED = "the scenario expects nothing (expect), so there is nothing to judge"
"""Why a verdict without checks is inconclusive."""


def checks_table(verdict: Verdict) -> Table:
    """Every check with its reason."""
    return Table(
        title="Checks",
        headers=("verdict", "of", "reason"),
        rows=tuple((check.status.value, check.subject, check.reason) for check in verdict.checks),
        align="lll",
        marks=tuple(check.status.value for check in verdict.checks),
    )


def events_table(events: Sequence[Event], replication: int | None = None) -> Table:
    """The timeline, of one replication where a number is given."""
    chosen = [event for event in events if replication is None or event.replication == replication]
    return Table(
        title="Timeline",
        headers=("time", "event", "what", "detail"),
        rows=tuple((f"{event.time_s:.3f} s", str(event.kind), event.subject, _detail(event)) for event in chosen),
        align="rlll",
    )


def _detail(event: Event) -> str:
    parts = []
    for key, value in event.detail.items():
        if isinstance(value, float):
            value = f"{value:.4g}"
        elif isinstance(value, list | tuple):
            value = ", ".join(str(each) for each in value) or "none"
        elif isinstance(value, dict):
            value = ", ".join(f"{name} {each}" for name, each in value.items())
        parts.append(f"{key.replace('_', ' ')}: {value}")
    return "; ".join(parts)


def facts_table(header: Header) -> Table:
    """Where the run came from."""
    dirty = " (with changes)" if header.dirty else ""
    rows = [
        ("run", header.run_id),
        ("world", header.world.value),
        ("scenario", f"{header.scenario.name} ({header.scenario.digest[:19]}...)"),
        ("strategy", header.strategy),
        *([] if header.variant is None else [("variant", header.variant.label)]),
        ("defects", "drawn" if header.defects is None else ", ".join(header.defects) or "none"),
        ("started", header.started_at),
        ("replications", str(header.replications)),
        ("seed", "-" if header.seed is None else str(header.seed)),
        ("resolution", f"{header.resolution_s:g} s, in windows of {header.window_s:g} s"),
        ("recovered after", f"{header.consecutive} consecutive good windows"),
        ("commit", f"{header.commit}{dirty}" if header.commit else "not a checkout"),
        ("host", ", ".join(f"{key} {value}" for key, value in header.host.items())),
        ("command", " ".join(header.argv)),
        ("versions", ", ".join(f"{name} {version}" for name, version in header.versions.items())),
    ]
    if header.fidelity is not None:
        rows.insert(2, ("fidelity", header.fidelity))
    if header.load is not None:
        validity = "valid" if header.load.valid else "invalid"
        late_s = header.load.lateness_p99_s
        late = "nothing was sent" if late_s is None else f"dispatch lateness p99 {late_s * 1e3:.2f} ms"
        senders = f", sent by {header.load.workers} workers" if header.load.workers > 1 else ""
        rows.append(("load", f"{validity}, {late}{senders}"))
    return Table(title="Where this comes from", headers=("fact", "value"), rows=tuple(rows), align="ll")
