"""Strategies as the embedded staging plays them: their cohorts, flags and zones."""

from chaos.realise import defects_of, require_realisable, staging_config
from chaos.staging.config import StagingConfig
from scenarios.loading import load
from scenarios.models import Scenario


def shop() -> Scenario:
    return load("shop-release")[0]


def test_zones_are_realised_but_for_third_parties() -> None:
    scenario = load("shop-zones")[0]
    require_realisable(scenario)
    config = staging_config(scenario, 1)
    assert {name: service.zones for name, service in config.services.items()} == {
        **dict.fromkeys(("edge", "catalogue", "checkout"), ("a", "b", "c")),
        "payments": (),
    }
    assert StagingConfig.from_json(config.to_json()) == config


def test_a_defect_behind_a_flag_is_so_under_a_toggle_alone() -> None:
    """Replicas poll as often as the toggle's propagation says."""
    scenario = load("shop-toggle")[0]
    toggle, canary = scenario.release.strategy, scenario.release.alternatives[0]
    assert [defects_of(scenario, ["slow-query"], each)[0].flag for each in (toggle, canary)] == [True, False]
    assert staging_config(scenario, 1).flag_poll_s == 1.0
    assert staging_config(shop(), 1).flag_poll_s is None
