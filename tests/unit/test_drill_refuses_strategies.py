"""Steps that the embedded staging has no verbs for: refused before a drill, and by the world all the same."""

from typing import Any

import pytest

from chaos.realise import NotRealisable, defects_of, require_realisable, staging_config
from chaos.unrealised import unrealised
from scenarios.loading import load
from scenarios.models import Scenario, Strategy

CANARY = {"canary": {"steps": [{"cohort": "coupon"}, {"mirror": "5%"}, {"pause": "1s"}, {"weight": "5%"}]}}
WAVES = {"waves": {"by": "cohorts", "waves": [["coupon"]]}}
ZONES = {"waves": {"by": "zones", "waves": [["a"]]}}


def shop() -> Scenario:
    return load("shop-release")[0]


@pytest.mark.parametrize(
    ("strategy", "refused"),
    [
        (CANARY, []),
        (WAVES, []),
        (ZONES, ["waves"]),
        ({"toggle": {"steps": [{"on": "5%"}]}}, []),
        ({"canary": {"steps": [{"scale": 1}, {"weight": "5%"}, {"pause": "1s"}]}}, []),
    ],
)
def test_what_a_drill_cannot_play_is_refused(strategy: dict[str, Any], refused: list[str]) -> None:
    lines = unrealised(shop(), Strategy.model_validate(strategy))
    assert [line.split(":")[0] for line in lines] == refused


def test_only_the_strategy_that_is_to_be_played_counts() -> None:
    scenario = shop()
    require_realisable(scenario)
    with pytest.raises(NotRealisable, match="waves: by zones: the staging is one place"):
        require_realisable(scenario, Strategy.model_validate(ZONES))


def test_a_defect_behind_a_flag_is_so_under_a_toggle_alone() -> None:
    """Replicas poll as often as the toggle's propagation says."""
    scenario = load("shop-toggle")[0]
    toggle, canary = scenario.release.strategy, scenario.release.alternatives[0]
    assert [defects_of(scenario, ["slow-query"], each)[0].flag for each in (toggle, canary)] == [True, False]
    assert staging_config(scenario, 1).flag_poll_s == 1.0
    assert staging_config(shop(), 1).flag_poll_s is None
