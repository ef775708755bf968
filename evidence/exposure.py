"""When what is wrong with a release first could be seen: the moment from which a judge's delay counts."""

from __future__ import annotations

import math

from evidence.events import Event, EventKind
from evidence.timeline import Timeline, sent_to
from scenarios.models import Defect, Release

__all__ = ["defects_seen_s"]


def defects_seen_s(timeline: Timeline, release: Release) -> tuple[float, ...]:
    """Of each defect that the release has, in their order, when the first request could meet it; inf where none could.

    A defect of one cohort waits until the new version gets that cohort, one behind a flag until it is on, one that is
    incompatible with another new version until that gets requests as well; each later by its `after`. That one shows
    only above a rate, and how far it has grown, is not told.
    """
    by_name = {defect.name: defect for defect in release.defects}
    return tuple(_seen_s(timeline, release, by_name[name]) for name in timeline.defects())


def _seen_s(timeline: Timeline, release: Release, defect: Defect) -> float:
    service = release.defective(defect)
    starts = timeline.all(EventKind.RELEASE_START)
    if defect.flag and any(event.detail.get("strategy") == "toggle" for event in starts):
        first_s, cohort_s = (_on_s(timeline, service, cohort) for cohort in (None, defect.cohort))
    else:
        first_s, cohort_s = (_routed_s(timeline, release, service, cohort) for cohort in (None, defect.cohort))
    seen_s = max(first_s + _after_s(defect), cohort_s)
    peer = defect.incompatible_with
    if peer is not None and peer.version == "new":
        seen_s = max(seen_s, _routed_s(timeline, release, peer.service, None))
    return seen_s


def _after_s(defect: Defect) -> float:
    return defect.after_s if defect.bad_data is None else defect.bad_data.symptom_after_s


def _routed_s(timeline: Timeline, release: Release, service: str, cohort: str | None) -> float:
    """When the new version of a service first got requests, or copies of them: any, or those of a cohort."""
    change = release.change_of(service)
    assert change is not None, service
    events = (event for event in timeline.all(EventKind.ROUTE, EventKind.MIRROR) if event.subject == service)
    return next((event.time_s for event in events if change.new in sent_to(event, cohort)), math.inf)


def _on_s(timeline: Timeline, service: str, cohort: str | None) -> float:
    """When a service's flag first was on: for any request, or for those of a cohort."""
    events = (event for event in timeline.all(EventKind.FLAG) if event.subject == service)
    return next((event.time_s for event in events if _is_on(event, cohort)), math.inf)


def _is_on(flag: Event, cohort: str | None) -> bool:
    cohorts = flag.detail["cohorts"]
    return bool(flag.detail["share"]) or (bool(cohorts) if cohort is None else cohort in cohorts)
