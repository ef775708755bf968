"""The timeline's vocabulary: one event, and every kind of event that a run may record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from evidence.errors import TableError

__all__ = ["NOT_STARTED", "Event", "EventKind", "Outcome", "first", "ordered"]


class EventKind(StrEnum):
    """Kinds of event. `*-start` and `*-end` frame something that lasts."""

    LOAD_START = "load-start"
    LOAD_END = "load-end"
    CALENDAR_CLOSED = "calendar-closed"  # detail: reason, when_closed, opens, held_s, defects
    RELEASE_START = "release-start"  # detail: defects (names active), strategy; of several services: defective
    STEP_START = "step-start"
    STEP_END = "step-end"
    STEP_FAILED = "step-failed"  # as the scenario foresaw; what it did not foresee is an error
    REPAIR = "repair"  # subject: what people put right by hand
    DEPLOY = "deploy"
    ROUTE = "route"
    MIRROR = "mirror"  # subject: service; detail: version and share of the requests that are copied to it
    FLAG = "flag"  # subject: service; detail: share, cohorts; phase start (the first replica follows) | end (all do)
    ANALYSIS = "analysis"  # subject: the step; detail: result passed | failed | inconclusive, checks
    GUARDRAIL_TRIP = "guardrail-trip"
    GUARDRAIL_NOTE = "guardrail-note"  # a trip that nobody hears: action note
    ALERT_SUPPRESSED = "alert-suppressed"  # a guardrail that would have tripped; detail as of the trip
    PAGE = "page"
    ACKNOWLEDGE = "acknowledge"
    APPROVAL_REQUEST = "approval-request"  # subject: the sign-off
    APPROVAL = "approval"  # given; detail: asked_s (time of its request), work_s, person
    DECISION = "decision"
    ROLLBACK_START = "rollback-start"
    ROLLBACK_STEP = "rollback-step"  # subject: the step; detail: phase start | end | failed | waits
    ROLLBACK_END = "rollback-end"
    RELEASE_END = "release-end"  # detail: outcome
    FAULT_START = "fault-start"
    FAULT_END = "fault-end"
    UNDO = "undo"
    VERIFY = "verify"  # detail: differences
    NOTICE = "notice"  # subject: who is told; detail: on (kind of event), after_s
    TICKETS = "tickets"  # subject: the function; detail: count
    REPLICA = "replica"  # subject: service and version; detail: what became of one replica, and its number
    REPLACE = "replace"  # subject: a zone that is out; its replicas start elsewhere (phase start), and serve (end)
    SCALE = "scale"  # subject: service; detail: replicas that autoscaling wants
    STORE_FAILURE = "store-failure"  # detail: cause, lost (its data is gone until it is brought back)
    FAIL_OVER = "fail-over"  # detail: failed_s, kept_until_s (seconds): rows acknowledged in between are gone
    BACKUP = "backup"  # taken and verified; detail: size_bytes, took_s
    RESTORE = "restore"  # detail: phase failed | end, backup_age_s; of the end also failed_s, kept_until_s
    BAD_DATA = "bad-data"  # subject: the defect; detail: phase start | end of its errors, rows
    RECONCILE = "reconcile"  # detail: phase start | end, rows
    NOTICED = "noticed"  # somebody, or something, knows of a store's failure or of bad data
    RESPONSE_START = "response-start"  # what is done about it, outside of a rollback
    RESPONSE_END = "response-end"
    COMMAND = "command"  # subject: the verb; detail: what it was told, exit_code, duration_s, out and err (files)
    NEAR_CAPACITY = "near-capacity"  # subject: service or store; detail: for_s, in all, that its flows were so near it
    STOP = "stop"
    ERROR = "error"


class Outcome(StrEnum):
    """How a release ended."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"
    SKIPPED = "skipped"  # the calendar was closed
    WAITING = "waiting"  # for the calendar, when the run ended
    RUNNING = "running"  # no release-end event: the run ended first


NOT_STARTED = frozenset({Outcome.SKIPPED, Outcome.WAITING})
"""Outcomes of releases that the calendar did not let start: neither good nor bad, neither caught nor failed."""

_KINDS = frozenset(kind.value for kind in EventKind)


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the timeline.

    time_s counts from the start of the run's load; detail must be JSON.
    """

    time_s: float
    kind: str
    subject: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    replication: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise TableError(f"event kind {self.kind!r} must be one of {', '.join(sorted(_KINDS))}")

    def to_json(self) -> str:
        """One line of JSON, for the journal that a running drill appends to."""
        return json.dumps(
            {
                "replication": self.replication,
                "time_s": self.time_s,
                "kind": str(self.kind),
                "subject": self.subject,
                "detail": dict(self.detail),
            }
        )

    @classmethod
    def from_json(cls, line: str) -> Event:
        """The event of one journal line.

        Raises json.JSONDecodeError, KeyError or TypeError on a broken line.
        """
        fields = json.loads(line)
        return cls(
            time_s=float(fields["time_s"]),
            kind=fields["kind"],
            subject=fields["subject"],
            detail=fields["detail"],
            replication=int(fields["replication"]),
        )


def ordered(events: Iterable[Event]) -> list[Event]:
    """Events by replication, then time; events at the same time keep their order."""
    return sorted(events, key=lambda event: (event.replication, event.time_s))


def first(
    events: Iterable[Event],
    kind: EventKind,
    *,
    after_s: float = float("-inf"),
    until_s: float = float("inf"),
) -> Event | None:
    """The first event of `kind` with after_s <= time <= until_s, in the order given."""
    for event in events:
        if event.kind == kind and after_s <= event.time_s <= until_s:
            return event
    return None
