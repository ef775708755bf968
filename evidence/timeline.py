"""What the timeline of one replication says about an episode: its cause and the parts of its RTO."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from evidence.episodes import Episode
from evidence.events import Event, EventKind, Outcome

__all__ = ["Parts", "Timeline", "began_s", "sent_to"]

_CAUSES = (
    EventKind.STORE_FAILURE,
    EventKind.BAD_DATA,
    EventKind.FAULT_START,
    EventKind.RELEASE_START,
    EventKind.STEP_START,
)
_RESPONSES = {EventKind.ROLLBACK_START: EventKind.ROLLBACK_END, EventKind.RESPONSE_START: EventKind.RESPONSE_END}
# Who takes a release back without a guardrail has noticed by then: a step failed, an analysis was not conclusive.
_NOTICES = (EventKind.GUARDRAIL_TRIP, EventKind.NOTICED, EventKind.DECISION)
_EXPOSURE_ENDS = (
    EventKind.STORE_FAILURE,
    EventKind.ROLLBACK_STEP,
    EventKind.ROLLBACK_END,
    EventKind.LOAD_END,
)


def began_s(event: Event) -> float:
    """From when on an event may hurt: a fault of a drill from its order on, though it is confirmed a little later."""
    return float(event.detail.get("ordered_s", event.time_s))


@dataclass(frozen=True, slots=True)
class Parts:
    """The RTO of one episode taken apart, in seconds; None where the event did not happen.

    detect: impact to guardrail trip (or until a failed store, or bad data, is noticed, or a step fails); decide: from
    there to the start of the rollback (or of that store's or data's recovery); act: from there to its end;
    stabilise: the rest. Whatever goes on after the recovery ends with it, so that all four add up to the RTO.
    """

    detect_s: float | None = None
    decide_s: float | None = None
    act_s: float | None = None
    stabilise_s: float | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events of one replication by kind, in order of time."""

    by_kind: dict[str, list[Event]] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Timeline:
        """From events in any order."""
        by_kind: dict[str, list[Event]] = {}
        for event in sorted(events, key=lambda each: each.time_s):
            by_kind.setdefault(str(event.kind), []).append(event)
        return cls(by_kind)

    def all(self, *kinds: EventKind) -> list[Event]:
        """Events of these kinds, in order of time."""
        found = [event for kind in kinds for event in self.by_kind.get(kind.value, ())]
        return sorted(found, key=lambda each: each.time_s) if len(kinds) > 1 else found

    def first_s(self, kind: EventKind, from_s: float, until_s: float) -> float | None:
        """Time of the first event of the kind in [from_s, until_s]."""
        times = (event.time_s for event in self.by_kind.get(kind.value, ()))
        return next((time for time in times if from_s <= time <= until_s), None)

    def load_end_s(self, duration_s: float) -> float:
        """When the load ended, at most duration_s: a run that was stopped ends with its stop."""
        ends = self.all(EventKind.LOAD_END) or self.all(EventKind.STOP)
        return min(ends[0].time_s, duration_s) if ends else duration_s

    def exposure_ends_s(self) -> list[float]:
        """Times at which a release that loses writes can have stopped to do so."""
        return [
            event.time_s
            for event in self.all(*_EXPOSURE_ENDS)
            if event.kind != EventKind.ROLLBACK_STEP
            or (
                event.subject in ("route-back", "kill-switch", "procedure")
                and event.detail.get("phase", "end") == "end"
            )
        ]

    def data_hurts(self) -> bool:
        """Whether at the end a store is gone with its data, or bad data shows."""
        if any(self.gone(failure.subject) for failure in self.all(EventKind.STORE_FAILURE)):
            return True
        phases = {event.subject: event.detail.get("phase") for event in self.all(EventKind.BAD_DATA)}
        return "start" in phases.values()

    def gone(self, store: str) -> bool:
        """Whether a store lost its data and nothing has come back by the end."""
        lost = [each for each in self.all(EventKind.STORE_FAILURE) if each.subject == store and each.detail.get("lost")]
        back = [each for each in self.all(EventKind.FAIL_OVER, EventKind.RESTORE) if each.subject == store]
        good_s = [event.time_s for event in back if event.detail.get("phase") != "failed"]
        return any(not any(time_s >= failure.time_s for time_s in good_s) for failure in lost)

    def unsettled(self) -> tuple[int, int] | None:
        """Payments without an order, and those of them that were acknowledged, at the last look; None without any."""
        counts = [each.detail for each in self.all(EventKind.VERIFY) if "paid_without_order" in each.detail]
        return (counts[-1]["paid_without_order"], counts[-1]["paid_and_lost"]) if counts else None

    def failures_s(self, store: str) -> list[tuple[float, float]]:
        """Of each failure that took writes of a store: the moment that it came back to, and when it failed."""
        events = [event for event in self.all(EventKind.FAIL_OVER, EventKind.RESTORE) if event.subject == store]
        spans = [(event.detail.get("kept_until_s"), event.detail.get("failed_s")) for event in events]
        return [(kept, failed) for kept, failed in spans if kept is not None and failed is not None and kept < failed]

    def cause(self, episode: Episode, resolution_s: float) -> Event | None:
        """The latest fault or release step before the end of the episode's first cell."""
        before_s = episode.start_s + resolution_s
        events = [e for e in self.all(*_CAUSES) if began_s(e) < before_s and e.detail.get("phase") != "end"]
        return sorted(events, key=began_s)[-1] if events else None

    def parts(self, episode: Episode, window_s: float) -> Parts:
        """The parts of the episode's length, from what happened until the recovery could be seen.

        Recovery is dated back to the start of the window that showed it. What happens within that window answers this
        episode still, and is cut off at the recovery: a guardrail that trips there took all of the length to detect.
        An impact that is over before anything is done about it was decided on until its end; one that starts while the
        release is being taken back is known, decided and acted on from its start.
        """
        start_s, end_s = episode.start_s, episode.end_s
        under_way = self._under_way(start_s)
        if under_way is not None:
            return Parts(0.0, 0.0, *_acted(under_way, start_s, episode))
        seen_s = end_s + window_s
        trip_s = self._noticed_s(start_s)
        if trip_s is None:
            trip_s = self._first_of(_NOTICES, start_s, seen_s)
        began = self._response(start_s if trip_s is None else trip_s, seen_s)
        begun_s = None if began is None else began.time_s
        detected_s = None if trip_s is None else min(trip_s, end_s)
        detect_s = None if detected_s is None else detected_s - start_s
        if began is None or begun_s is None:
            if detected_s is None or episode.censored:
                return Parts(detect_s=detect_s)
            return Parts(detect_s, end_s - detected_s, 0.0, 0.0)  # over while they were still deciding
        ends = [event.time_s for event in self.all(_RESPONSES[EventKind(began.kind)]) if event.subject == began.subject]
        begun_s = min(begun_s, end_s)
        decide_s = None if detected_s is None else begun_s - detected_s
        return Parts(detect_s, decide_s, *_acted(ends, begun_s, episode))

    def _under_way(self, start_s: float) -> list[float] | None:
        """When the rollback that is at work at a moment ends, if it does; None where there is no such rollback."""
        ends = [event.time_s for event in self.all(EventKind.ROLLBACK_END)]
        begun = any(event.time_s < start_s for event in self.all(EventKind.ROLLBACK_START))
        return ends if begun and not any(end <= start_s for end in ends) else None

    def _first_of(self, kinds: Iterable[EventKind], from_s: float, until_s: float) -> float | None:
        """Time of the first event of any of the kinds in [from_s, until_s]."""
        times = [self.first_s(kind, from_s, until_s) for kind in kinds]
        return min((time for time in times if time is not None), default=None)

    def _response(self, from_s: float, until_s: float) -> Event | None:
        """The start of the first rollback, or of another response, in [from_s, until_s]."""
        return next((event for event in self.all(*_RESPONSES) if from_s <= event.time_s <= until_s), None)

    def _noticed_s(self, start_s: float) -> float | None:
        """The start itself when a guardrail had tripped before and no rollback begun: it is detected."""
        tripped = any(event.time_s < start_s for event in self.all(EventKind.GUARDRAIL_TRIP))
        begun = any(event.time_s < start_s for event in self.all(EventKind.ROLLBACK_START))
        return start_s if tripped and not begun else None

    def outcome(self) -> str:
        """How the release ended: promoted, rolled-back, failed, skipped; waiting or running when it did not."""
        end = self._release_end()
        if end is not None:
            return str(end.detail.get("outcome", Outcome.RUNNING))
        waits = self.all(EventKind.CALENDAR_CLOSED) and not self.all(EventKind.RELEASE_START)
        return Outcome.WAITING.value if waits else Outcome.RUNNING.value

    def release_duration_s(self) -> float | None:
        """From the start of the release to its end; None while it runs."""
        starts, end = self.all(EventKind.RELEASE_START), self._release_end()
        return end.time_s - starts[0].time_s if starts and end is not None else None

    def _release_end(self) -> Event | None:
        """The last one; a rollback that is still at work after it takes the release on."""
        ends = self.all(EventKind.RELEASE_END)
        under_way = len(self.all(EventKind.ROLLBACK_START)) > len(self.all(EventKind.ROLLBACK_END))
        return ends[-1] if ends and not under_way else None

    def trip_after_s(self) -> float | None:
        """From the start of the release to the first guardrail trip; None when none tripped."""
        starts, trips = self.all(EventKind.RELEASE_START), self.all(EventKind.GUARDRAIL_TRIP)
        return trips[0].time_s - starts[0].time_s if starts and trips else None

    def trips(self) -> list[Event]:
        """Guardrails that tripped, those that nobody heard among them."""
        return self.all(EventKind.GUARDRAIL_TRIP, EventKind.GUARDRAIL_NOTE)

    def exposed_s(self) -> float | None:
        """When the new version first was sent requests: what is wrong with it can be seen from then on.

        Of several services, the first with a defect, where any has one.
        """
        starts, new = self.all(EventKind.RELEASE_START), self._new_versions()
        if any(event.detail.get("behind_flag") for event in starts):
            on = (event for event in self.all(EventKind.FLAG) if event.detail["share"] or event.detail["cohorts"])
            released = {service for service, _ in new}
            return next((event.time_s for event in on if event.subject in released), None)
        for event in self.all(EventKind.ROUTE, EventKind.MIRROR):
            if any((event.subject, version) in new for version in sent_to(event)):
                return event.time_s
        return None

    def left_dark(self) -> bool:
        """Whether a release with a defect that no flag hides was taken back by its flag alone: it serves on."""
        if all(event.detail.get("behind_flag") for event in self.all(EventKind.RELEASE_START)):
            return False
        last = {event.subject: event for event in self.all(EventKind.ROUTE)}
        return any(service in last and version in sent_to(last[service]) for service, version in self._new_versions())

    def _new_versions(self) -> set[tuple[str, str]]:
        """Service and new version of what is released; of several, those with a defect where any has one."""
        # A release of several services names them, and their versions, in the same order.
        return {
            pair
            for event in self.all(EventKind.RELEASE_START)
            for pair in zip(event.subject.split(", "), str(event.detail.get("new")).split(", "), strict=False)
            if pair[0] in event.detail.get("defective", (pair[0],))
        }

    def taken_back_s(self) -> float | None:
        """When the release began to be taken back; None when it was not."""
        starts = self.all(EventKind.ROLLBACK_START)
        return starts[0].time_s if starts else None

    def rollback_duration_s(self) -> float | None:
        """From the start of the rollback to its end; None while it runs, or without one."""
        starts, ends = self.all(EventKind.ROLLBACK_START), self.all(EventKind.ROLLBACK_END)
        return ends[-1].time_s - starts[0].time_s if starts and ends else None

    def defects(self) -> tuple[str, ...]:
        """Defects that the release has in this replication."""
        starts = self.all(EventKind.RELEASE_START) or self.all(EventKind.CALENDAR_CLOSED)
        names: Sequence[str] = starts[0].detail.get("defects", ()) if starts else ()
        return tuple(str(name) for name in names)

    def held_s(self) -> float | None:
        """For how long the calendar held the release back, in all; None when it did not, or for good.

        Services released together are held at the same time. A release that is taken back is held no longer. One that
        was postponed has been held before the run began.
        """
        total_s, until_s, held = 0.0, -math.inf, False
        for event in self.all(EventKind.CALENDAR_CLOSED):
            if event.detail.get("held_s") is None:
                continue
            held, opens_s = True, event.time_s + float(event.detail["held_s"])
            if event.detail.get("when_closed") == "postpone":
                total_s += opens_s - event.time_s
                continue
            taken_back_s = self.first_s(EventKind.DECISION, event.time_s, opens_s)
            end_s = opens_s if taken_back_s is None else taken_back_s
            total_s += max(0.0, end_s - max(event.time_s, until_s))
            until_s = max(until_s, end_s)
        return total_s if held else None

    def approval_s(self) -> float | None:
        """From each request for a sign-off to the sign-off, in all; None when none was given."""
        given = self.all(EventKind.APPROVAL)
        return sum(event.time_s - self._asked_s(event) for event in given) if given else None

    def _asked_s(self, approval: Event) -> float:
        """When a sign-off was asked for: the same one may be several times, of services released together at once."""
        asked_s = approval.detail.get("asked_s")
        if asked_s is None:  # records of before
            asked = [e.time_s for e in self.all(EventKind.APPROVAL_REQUEST) if e.subject == approval.subject]
            asked_s = max(time_s for time_s in asked if time_s <= approval.time_s)
        return float(asked_s)

    def acknowledged_s(self) -> float | None:
        """From the first page to the first acknowledgement; None without either."""
        pages, answers = self.all(EventKind.PAGE), self.all(EventKind.ACKNOWLEDGE)
        return answers[0].time_s - pages[0].time_s if pages and answers else None

    def suppressed_s(self, end_s: float) -> float | None:
        """From the first suppressed alert to the first trip after it, or to the end; None when none was suppressed."""
        suppressed = self.all(EventKind.ALERT_SUPPRESSED)
        if not suppressed:
            return None
        since_s = suppressed[0].time_s
        heard_s = self.first_s(EventKind.GUARDRAIL_TRIP, since_s, end_s)
        return (end_s if heard_s is None else heard_s) - since_s

    def notified_s(self, since_s: float) -> float | None:
        """From an impact to the first notice after it; None when there was none."""
        notice_s = self.first_s(EventKind.NOTICE, since_s, float("inf"))
        return None if notice_s is None else notice_s - since_s

    def tickets(self, function: str) -> int:
        """Support tickets about a function."""
        return sum(int(event.detail["count"]) for event in self.all(EventKind.TICKETS) if event.subject == function)

    def inconclusive(self) -> int:
        """Analyses of which a check had not seen its minimum at the end."""
        return sum(event.detail.get("result") == "inconclusive" for event in self.all(EventKind.ANALYSIS))

    def reconcile_s(self) -> float | None:
        """From the start of each reconciling to its end, in all; None when none came to its end."""
        starts = [event.time_s for event in self._reconciles("start")]
        ends = [event.time_s for event in self._reconciles("end")]
        return sum(end_s - max(s for s in starts if s <= end_s) for end_s in ends) if ends else None

    def reconciled_rows(self) -> int | None:
        """Rows that reconciling dealt with; None when no reconciling came to its end."""
        ends = self._reconciles("end")
        return sum(int(event.detail["rows"]) for event in ends) if ends else None

    def near_capacity(self) -> dict[str, float]:
        """Services and stores that had about as much to do as they can, played as flows; and for how long."""
        return {event.subject: float(event.detail["for_s"]) for event in self.all(EventKind.NEAR_CAPACITY)}

    def _reconciles(self, phase: str) -> list[Event]:
        return [event for event in self.all(EventKind.RECONCILE) if event.detail.get("phase") == phase]


def _acted(ends_s: Iterable[float], begun_s: float, episode: Episode) -> tuple[float | None, float | None]:
    """Act and stabilise, of a response that begins at `begun_s` and of the moments at which one of its kind ends."""
    ended_s = next((end for end in ends_s if begun_s <= end <= episode.end_s), None)
    if ended_s is None:
        if episode.censored:
            return None, None
        ended_s = episode.end_s  # recovered while the rollback was still at work
    return ended_s - begun_s, episode.end_s - ended_s


def sent_to(event: Event, cohort: str | None = None) -> Iterator[str]:
    """Versions that get requests, or copies of them, by this event: any requests, or those of a cohort."""
    detail = event.detail
    if event.kind == EventKind.MIRROR:
        yield from [detail["version"]] if detail["share"] > 0 else []
        return
    others, own = detail.get("weights", {}), detail.get("cohorts", {})
    for weights in (others, *own.values()) if cohort is None else (own.get(cohort, others),):
        yield from (version for version, weight in weights.items() if weight > 0)
