"""Hours, work, calendars and profiles beside counting every quarter of an hour."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.calendar import Calendar
from scenarios.clock import DAYS, Hours, within, worked
from scenarios.profiles import Profile

MONDAY = datetime(2026, 11, 23)  # noqa: DTZ001 - plain local time
QUARTER = timedelta(minutes=15)

moments = st.integers(0, 14 * 24 * 4).map(lambda quarters: MONDAY + quarters * QUARTER)
times = st.integers(0, 23).map(lambda hour: f"{hour:02d}:00")


@st.composite
def hours(draw: st.DrawFn, **more: Any) -> dict[str, Any]:
    begin = draw(times)
    end = draw(times.filter(lambda time: time != begin))
    days = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True))
    return {"days": days, "from": begin, "to": end, **more}


@settings(max_examples=50)
@given(st.lists(hours(), min_size=1, max_size=3), moments, st.integers(1, 40))
def test_work_is_done_after_so_much_time_within_the_hours(
    plain: list[dict[str, Any]], since: datetime, quarters: int
) -> None:
    listed = [Hours.model_validate(each) for each in plain]
    done = worked(listed, since, quarters * 900.0)
    between = int((done - since) / QUARTER)
    assert sum(within(listed, since + quarter * QUARTER) for quarter in range(between)) == quarters
    assert within(listed, done - QUARTER)


@settings(max_examples=50)
@given(
    st.lists(hours(), max_size=2),
    st.lists(hours(reason="no"), max_size=2),
    st.lists(st.tuples(moments, st.integers(1, 150)), max_size=2),
    moments,
)
def test_a_calendar_opens_as_soon_as_it_is_not_closed(
    windows: list[dict[str, Any]], blackouts: list[dict[str, Any]], freezes: list[tuple[datetime, int]], at: datetime
) -> None:
    told = [{"from": f"{begin:%Y-%m-%d %H:%M}", "to": f"{begin + n * QUARTER:%Y-%m-%d %H:%M}"} for begin, n in freezes]
    calendar = Calendar.model_validate({"windows": windows, "blackouts": blackouts, "freezes": told})
    # Weekly hours and two freezes of two weeks: what does not open within five weeks never does.
    ahead = (at + quarter * QUARTER for quarter in range(5 * 7 * 24 * 4))
    assert calendar.opens(at) == next((moment for moment in ahead if calendar.closed_by(moment) is None), None)


@settings(max_examples=50)
@given(
    st.lists(st.floats(0.1, 5), min_size=24, max_size=24),
    st.dictionaries(st.sampled_from(DAYS), st.floats(0.1, 5)),
    st.lists(st.tuples(moments, st.integers(1, 150), st.floats(0.1, 5)), max_size=3),
    moments,
    st.integers(1, 200),
)
def test_a_profile_is_the_product_of_its_factors_at_every_time(
    daily: list[float],
    weekly: dict[str, float],
    peaks: list[tuple[datetime, int, float]],
    start: datetime,
    quarters: int,
) -> None:
    told = [{"from": f"{begin:%Y-%m-%d %H:%M}", "for": f"{n * 15}m", "factor": factor} for begin, n, factor in peaks]
    profile = Profile.model_validate({"daily": daily, "weekly": weekly, "peaks": told})
    factors = profile.factors(start, quarters * 900.0)
    assert factors[0][0] == 0.0
    for quarter in range(quarters):
        moment = start + quarter * QUARTER
        expected = daily[moment.hour] * weekly.get(DAYS[moment.weekday()], 1.0)
        for begin, lasts, factor in peaks:
            expected *= factor if begin <= moment < begin + lasts * QUARTER else 1.0
        found = next(factor for time_s, factor in reversed(factors) if time_s <= quarter * 900.0)
        assert abs(found - expected) < 1e-9 * expected
