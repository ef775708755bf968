"""The parts of an RTO where the guardrail is faster than the judge of health."""

from evidence.episodes import Episode
from evidence.events import Event
from evidence.timeline import Parts, Timeline


def test_a_trip_before_the_impact_leaves_nothing_to_detect() -> None:
    timeline = Timeline.of(
        [
            Event(10.0, "guardrail-trip", "g", {}),
            Event(30.0, "rollback-start", "web", {}),
            Event(32.0, "rollback-end", "web", {}),
        ]
    )
    parts = timeline.parts(Episode(11.0, 33.0, censored=False), window_s=5.0)
    assert parts == Parts(detect_s=0.0, decide_s=19.0, act_s=2.0, stabilise_s=1.0)


def test_a_trip_that_was_answered_before_the_impact_does_not_belong_to_it() -> None:
    timeline = Timeline.of([Event(10.0, "guardrail-trip", "g", {}), Event(10.5, "rollback-start", "web", {})])
    assert timeline.parts(Episode(11.0, 33.0, censored=False), window_s=5.0) == Parts()
