"""What every plan keeps, whatever its numbers."""

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from rollout.plan import Bake, Deploy, Route, Step, plan
from scenarios.models import Change, Strategy

CHANGE = Change.model_validate({"service": "web", "from": "v1", "to": "v2"})
REPLICAS = st.integers(1, 60)
SHARE = st.one_of(st.integers(0, 70), st.integers(0, 100).map(lambda percent: f"{percent}%"))
ROLLING = st.builds(lambda surge, missing: {"surge": surge, "unavailable": missing}, SHARE, SHARE).filter(
    lambda rolling: not {rolling["surge"], rolling["unavailable"]} <= {0, "0%"}
)
WEIGHTS = st.lists(st.integers(1, 100), min_size=1, max_size=8, unique=True).map(sorted)


def replayed(steps: tuple[Step, ...], replicas: int) -> list[tuple[int, int, float]]:
    """Old replicas, new replicas and the new version's share of traffic, at the start and after each step."""
    old, new, share = replicas, 0, 0.0
    states = [(old, new, share)]
    for step in steps:
        if isinstance(step, Deploy):
            old, new = (step.replicas, new) if step.version == "v1" else (old, step.replicas)
        elif isinstance(step, Route):
            share = step.new_share
        else:
            assert isinstance(step, Bake)
        states.append((old, new, share))
    return states


@given(ROLLING, REPLICAS)
def test_rolling_keeps_to_surge_and_unavailable(rolling: dict[str, object], replicas: int) -> None:
    strategy = Strategy.model_validate({"rolling": rolling})
    assert strategy.rolling is not None
    surge, unavailable = strategy.rolling.counts(replicas)
    states = replayed(plan(strategy, CHANGE, replicas), replicas)
    assert all(replicas - unavailable <= old + new <= replicas + surge for old, new, _ in states)
    assert states[-1] == (0, replicas, 1.0)
    # Old only falls, new only rises, so it comes to an end.
    assert all(a[0] >= b[0] and a[1] <= b[1] for a, b in pairwise(states))


@given(ROLLING, REPLICAS)
def test_rolling_sends_traffic_only_where_replicas_are(rolling: dict[str, object], replicas: int) -> None:
    strategy = Strategy.model_validate({"rolling": rolling})
    assert strategy.rolling is not None
    # With all of them unavailable at once there is nowhere to send it: the author has asked for that.
    assume(strategy.rolling.counts(replicas)[1] < replicas)
    for old, new, share in replayed(plan(strategy, CHANGE, replicas), replicas):
        assert 0.0 <= share <= 1.0
        assert share == 0.0 or new
        assert share == 1.0 or old


@given(WEIGHTS, REPLICAS)
def test_canary_has_the_replicas_that_its_weight_needs_before_the_traffic_comes(
    weights: list[int], replicas: int
) -> None:
    strategy = Strategy.model_validate({"canary": {"steps": [{"weight": f"{weight}%"} for weight in weights]}})
    states = replayed(plan(strategy, CHANGE, replicas), replicas)
    assert states[-1] == (0, replicas, 1.0)
    assert all(old == replicas for old, _, _ in states[:-1])
    assert all(new >= share * replicas - 1e-6 for _, new, share in states)
    assert all(new <= replicas for _, new, _ in states)
    assert [share for *_, share in states] == sorted(share for *_, share in states)
