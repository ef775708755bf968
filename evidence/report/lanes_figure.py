"""The lanes above a timeline: what the release, its rollback and the faults did when, and the moments that count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from evidence.events import EventKind
from evidence.report.drawing import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, RED, plain_axes, text_width
from evidence.report.table import seconds
from evidence.timeline import Timeline, began_s

__all__ = ["Lane", "Span", "draw_lanes", "lanes_of"]


Span = tuple[float, float, str]


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of spans; without a name it belongs to the one above."""

    name: str
    spans: Sequence[Span]
    colour: str


def lanes_of(timeline: Timeline, end_s: float) -> list[Lane]:
    """From above: release steps, rollback steps, each fault in a lane of its own, for they overlap."""
    faults = _faults(timeline, end_s)
    return [
        Lane("release", _steps(timeline, end_s), BLUE),
        Lane("rollback", _rollback_steps(timeline, end_s), GREEN),
        *(Lane("" if place else "faults", spans, ORANGE) for place, spans in enumerate(faults or [[]])),
    ]


def draw_lanes(axes: Axes, timeline: Timeline, lanes: Sequence[Lane]) -> None:
    """The lanes, and below them what people and guardrails did."""
    names = [*(lane.name for lane in lanes), "moments"]
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.invert_yaxis()
    axes.set_yticks(range(len(names)), names)
    plain_axes(axes, grid=None)
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    for place, name in enumerate([*names[1:], "end"]):
        if name:
            axes.axhline(place + 0.5, color=MUTED, linewidth=0.3)
    for place, lane in enumerate(lanes):
        _draw_lane(axes, place, lane.spans, lane.colour)
    _draw_moments(axes, len(lanes), timeline)


def _steps(timeline: Timeline, end_s: float) -> list[Span]:
    """A step that was interrupted ends where the rollback starts."""
    breaks = [event.time_s for event in timeline.all(EventKind.ROLLBACK_START, EventKind.RELEASE_END)]
    spans = []
    ends = timeline.all(EventKind.STEP_END)
    for start in timeline.all(EventKind.STEP_START):
        times = [e.time_s for e in ends if e.subject == start.subject and e.time_s >= start.time_s]
        times += [time for time in breaks if time >= start.time_s]
        spans.append((start.time_s, min(times, default=end_s), start.subject))
    return spans


def _rollback_steps(timeline: Timeline, end_s: float) -> list[Span]:
    steps = timeline.all(EventKind.ROLLBACK_STEP)
    spans = []
    for place, start in enumerate(steps):
        if start.detail.get("phase") != "start":
            continue
        later = [e.time_s for e in steps[place + 1 :] if e.subject == start.subject]
        spans.append((start.time_s, later[0] if later else end_s, start.subject))
    return spans


def _faults(timeline: Timeline, end_s: float) -> list[list[Span]]:
    """Of each fault its spans, since one may come again; the first has the label."""
    ends = timeline.all(EventKind.FAULT_END)
    spans: dict[str, list[Span]] = {}
    for start in timeline.all(EventKind.FAULT_START):
        times = [e.time_s for e in ends if e.subject == start.subject and e.time_s >= start.time_s]
        of_fault = spans.setdefault(start.subject, [])
        of_fault.append((began_s(start), min(times, default=end_s), "" if of_fault else start.subject))
    return list(spans.values())


def _draw_lane(axes: Axes, lane: int, spans: Sequence[Span], colour: str) -> None:
    """Spans with their labels inside; labels too long for their spans follow the last span, in order."""
    low, high = axes.get_xlim()
    outside = []
    for start_s, stop_s, label in spans:
        width = max(stop_s - start_s, (high - low) * 0.0015)
        axes.barh(lane, width, left=start_s, height=0.62, color=colour, alpha=0.22, linewidth=0)
        axes.barh(lane, width, left=start_s, height=0.62, color="none", edgecolor=colour, linewidth=0.9)
        if text_width(axes, label, 8.0) < width * 0.97:
            axes.text(start_s + width / 2, lane, label, ha="center", va="center", fontsize=8.0, color=INK)
        else:
            outside.append(label)
    if outside:
        _beside(axes, lane, spans[0][0], max(stop_s for _, stop_s, _ in spans), " · ".join(outside))


def _beside(axes: Axes, lane: float, first_s: float, last_s: float, text: str) -> None:
    """A text to the right of a group, or to its left; shortened where neither side has room."""
    low, high = axes.get_xlim()
    pad = (high - low) * 0.011
    for shown in (text, *(text[:length].rstrip(" ·") + " …" for length in range(len(text) - 4, 3, -4))):
        width = text_width(axes, shown, 8.0)
        if last_s + pad + width <= high:
            axes.text(last_s + pad, lane, shown, ha="left", va="center", fontsize=8.0, color=INK)
            return
        if first_s - pad - width >= low:
            axes.text(first_s - pad, lane, shown, ha="right", va="center", fontsize=8.0, color=INK)
            return


def _draw_moments(axes: Axes, lane: int, timeline: Timeline) -> None:
    """Markers, and one text for each group of markers that stand too close for texts of their own."""
    shown = (
        (EventKind.GUARDRAIL_TRIP, "guardrail trips", PURPLE, "v"),
        (EventKind.GUARDRAIL_NOTE, "guardrail notes", MUTED, "v"),
        (EventKind.PAGE, "page", ORANGE, "s"),
        (EventKind.ACKNOWLEDGE, "acknowledged", ORANGE, "o"),
        (EventKind.ROLLBACK_START, "rollback", BLUE, "D"),
        (EventKind.ROLLBACK_END, "rolled back", GREEN, "D"),
        (EventKind.STORE_FAILURE, "store fails", RED, "X"),
        (EventKind.FAIL_OVER, "failed over", GREEN, "P"),
        (EventKind.BAD_DATA, "bad data shows", RED, "P"),
        (EventKind.RESPONSE_END, "data is back", GREEN, "D"),
    )
    moments = sorted(
        (
            (event.time_s, label, colour, marker)
            for kind, label, colour, marker in shown
            for event in timeline.all(kind)[:1]
        ),
        key=lambda moment: moment[0],  # at the same time, in the order in which one leads to the other
    )
    groups: list[list[tuple[float, str]]] = []
    for time_s, label, colour, marker in moments:
        axes.plot([time_s], [lane], marker=marker, color=colour, markersize=5.5, linestyle="none", clip_on=False)
        previous = _told(groups[-1]) if groups else ""
        if groups and time_s < groups[-1][-1][0] + text_width(axes, previous + "    ", 8.0):
            groups[-1].append((time_s, label))
        else:
            groups.append([(time_s, label)])
    for group in groups:
        _beside(axes, lane, group[0][0], group[-1][0], _told(group))


def _told(moments: Sequence[tuple[float, str]]) -> str:
    """Moments with their times, a time that several share only once."""
    times = [seconds(time_s) for time_s, _ in moments]
    following = [*times[1:], ""]
    return " · ".join(
        label if time == later else f"{label} {time}"
        for (_, label), time, later in zip(moments, times, following, strict=True)
    )
