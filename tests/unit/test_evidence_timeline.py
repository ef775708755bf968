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
    answered = [
        Event(10.0, "guardrail-trip", "g", {}),
        Event(10.5, "rollback-start", "web", {}),
        Event(10.8, "rollback-end", "web", {}),
    ]
    assert Timeline.of(answered).parts(Episode(11.0, 33.0, censored=False), window_s=5.0) == Parts()


def test_an_impact_in_the_middle_of_a_rollback_is_acted_on_from_its_start() -> None:
    begun = [Event(10.0, "guardrail-trip", "g", {}), Event(10.5, "rollback-start", "web", {})]
    ended = Timeline.of([*begun, Event(30.0, "rollback-end", "web", {})])
    assert ended.parts(Episode(11.0, 33.0, censored=False), window_s=5.0) == Parts(0.0, 0.0, 19.0, 3.0)
    assert ended.parts(Episode(11.0, 20.0, censored=False), window_s=5.0) == Parts(0.0, 0.0, 9.0, 0.0)
    assert Timeline.of(begun).parts(Episode(11.0, 33.0, censored=True), window_s=5.0) == Parts(0.0, 0.0)


def test_an_impact_that_is_over_before_anything_is_done_was_decided_on_until_its_end() -> None:
    paged = [Event(13.0, "guardrail-trip", "g", {}), Event(13.0, "page", "g", {})]
    late = [Event(60.0, "rollback-start", "web", {}), Event(62.0, "rollback-end", "web", {})]
    for events in (paged, [*paged, *late]):
        timeline = Timeline.of(events)
        assert timeline.parts(Episode(11.0, 20.0, censored=False), window_s=5.0) == Parts(2.0, 7.0, 0.0, 0.0)
    # Nobody knows how long they would have gone on deciding.
    assert Timeline.of(paged).parts(Episode(11.0, 20.0, censored=True), window_s=5.0) == Parts(2.0)


def test_a_note_is_kept_and_detects_nothing_for_nobody_hears_it() -> None:
    timeline = Timeline.of(
        [
            Event(5.0, "release-start", "web", {"new": "2"}),
            Event(12.0, "guardrail-note", "noted", {}),
            Event(15.0, "guardrail-trip", "heard", {}),
            Event(15.0, "rollback-start", "web", {}),
            Event(17.0, "rollback-end", "web", {}),
        ]
    )
    parts = timeline.parts(Episode(11.0, 20.0, censored=False), window_s=5.0)
    assert parts == Parts(detect_s=4.0, decide_s=0.0, act_s=2.0, stabilise_s=3.0)
    assert timeline.trip_after_s() == 10.0
    assert [trip.subject for trip in timeline.trips()] == ["noted", "heard"]


def test_a_step_that_fails_is_noticed_without_a_guardrail() -> None:
    timeline = Timeline.of(
        [
            Event(20.0, "release-start", "web", {"new": "2"}),
            Event(50.0, "step-failed", "deploy 2 x4", {"during": "release"}),
            Event(50.0, "decision", "web", {"decision": "rollback"}),
            Event(50.0, "rollback-start", "web", {}),
            Event(52.0, "rollback-end", "web", {}),
        ]
    )
    parts = timeline.parts(Episode(20.0, 52.0, censored=False), window_s=5.0)
    assert parts == Parts(detect_s=30.0, decide_s=0.0, act_s=2.0, stabilise_s=0.0)


def test_the_end_of_another_response_ends_nothing() -> None:
    timeline = Timeline.of(
        [
            Event(10.0, "noticed", "b", {}),
            Event(10.0, "response-start", "b", {}),
            Event(20.0, "response-start", "a", {}),
            Event(25.0, "response-end", "a", {}),
            Event(30.0, "response-end", "b", {}),
        ]
    )
    parts = timeline.parts(Episode(10.0, 30.0, censored=False), window_s=5.0)
    assert parts == Parts(detect_s=0.0, decide_s=0.0, act_s=20.0, stabilise_s=0.0)


def test_a_store_is_gone_until_something_of_it_is_back() -> None:
    lost = Event(10.0, "store-failure", "orders", {"lost": True})
    tried = Event(20.0, "restore", "orders", {"phase": "failed"})
    back = Event(30.0, "restore", "orders", {"phase": "end"})
    assert Timeline.of([lost, tried]).gone("orders")
    assert not Timeline.of([lost, tried]).gone("other")
    assert not Timeline.of([lost, tried, back]).gone("orders")
    assert Timeline.of([lost, back, Event(40.0, "store-failure", "orders", {"lost": True})]).gone("orders")


def test_a_release_that_is_being_taken_back_when_the_run_ends_is_not_promoted() -> None:
    promoted = [
        Event(10.0, "release-start", "web", {"new": "2"}),
        Event(20.0, "release-end", "web", {"outcome": "promoted"}),
        Event(30.0, "rollback-start", "web", {}),
    ]
    assert (Timeline.of(promoted).outcome(), Timeline.of(promoted).release_duration_s()) == ("running", None)
    back = [*promoted, Event(40.0, "rollback-end", "web", {}), Event(40.0, "release-end", "web", {"outcome": "failed"})]
    assert (Timeline.of(back).outcome(), Timeline.of(back).release_duration_s()) == ("failed", 30.0)
