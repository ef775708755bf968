"""What of a scenario a cluster cannot play, and whose part a staging file may have."""

from pathlib import Path
from typing import Any

import pytest

from chaos.realise import NotRealisable
from chaos.staging.files.errors import InvalidStagingFile
from chaos.staging.files.fitting import require_fitting
from chaos.staging.files.loading import Loaded, load_staging, parse_staging
from scenarios.loading import load, load_text
from scenarios.models import Scenario, Strategy

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "kubernetes-staging"


@pytest.fixture
def loaded() -> Loaded:
    return load_staging(EXAMPLE / "shop.yaml", {"SHOP_TOKEN": "x" * 8, "HOME": "/home/sre"})


def test_the_example_fits(loaded: Loaded) -> None:
    assert loaded.file.kubernetes is not None
    assert loaded.file.kubernetes.kubeconfig == "/home/sre/.kube/config"
    scenario, _ = load(str(EXAMPLE / "release.yaml"))
    require_fitting(scenario, scenario.release.strategy, [], loaded)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('to: "2.4"', 'to: "2.5"', r"release\.changes\[0\]\.to: 2\.5: must be one of the file's versions of checkout"),
        ("{weight: 25%}", "{mirror: 25%}", r"canary\.steps\[0\]\.mirror: the file does not say which Service takes"),
        (
            "kill: {of: checkout, version: old, replicas: 1}",
            "pause: {of: checkout, replicas: 1}",
            r"faults\[0\]\.pause: checkout: the file does not say which process",
        ),
    ],
)
def test_what_a_cluster_cannot_play_is_refused_by_path(loaded: Loaded, old: str, new: str, why: str) -> None:
    text = (EXAMPLE / "release.yaml").read_text()
    assert old in text
    text = text.replace(old, new).replace("    timeout: 2s\n", "    timeout: 2s\n    cohorts: {all: 40%}\n")
    scenario = load_text(text, "release.yaml")
    with pytest.raises(NotRealisable, match=why):
        require_fitting(scenario, scenario.release.strategy, [], loaded)


def test_pods_of_a_service_that_the_file_has_not_are_not_killed(loaded: Loaded) -> None:
    text = (EXAMPLE / "release.yaml").read_text().replace("kill: {of: checkout, version: old,", "kill: {of: search,")
    scenario = load_text(text.replace("  services:\n", f"  services:\n    search: {SEARCH}\n"), "release.yaml")
    with pytest.raises(
        NotRealisable, match=r"faults\[0\]\.kill: search: must be one of the file's services \(checkout"
    ):
        require_fitting(scenario, scenario.release.strategy, [], loaded)


SEARCH = "{replicas: 2, workers: 8, service_time: {lognormal: {mean: 5ms, cv: 0.5}}}"


def scenario_with(first_step: str) -> Scenario:
    text = (EXAMPLE / "release.yaml").read_text().replace("{weight: 25%}", first_step)
    return load_text(text.replace("    timeout: 2s\n", "    timeout: 2s\n    cohorts: {coupon: 40%}\n"), "release.yaml")


@pytest.mark.parametrize("step", ["{cohort: coupon}", "{mirror: 25%}"])
def test_cohorts_and_copies_need_a_route_that_says_where(loaded: Loaded, step: str) -> None:
    scenario = scenario_with(step)
    service = {**loaded.data["kubernetes"]["services"]["checkout"]}
    for route, fits in (({"name": "checkout", "copies": {"2.4": "copies"}}, True), (None, False)):
        kubernetes = {**loaded.data["kubernetes"], "services": {"checkout": {**service, "route": route}}}
        file = parse_staging({**loaded.data, "kubernetes": kubernetes}, Path("shop.yaml"))
        if fits:
            require_fitting(scenario, scenario.release.strategy, [], file)
            continue
        with pytest.raises(NotRealisable, match=r"canary\.steps\[0\]\.(cohort|mirror): .*the file"):
            require_fitting(scenario, scenario.release.strategy, [], file)


def test_waves_over_zones_are_refused(loaded: Loaded) -> None:
    scenario = scenario_with("{weight: 25%}")
    waves = Strategy.model_validate({"waves": {"by": "zones", "waves": [["a"], ["b"]], "bake": "5s"}})
    with pytest.raises(NotRealisable, match="waves: by zones: replicas are ordered by version alone"):
        require_fitting(scenario, waves, [], loaded)
    by_cohorts = Strategy.model_validate({"waves": {"by": "cohorts", "waves": [["coupon"]], "bake": "5s"}})
    require_fitting(scenario, by_cohorts, [], loaded)


def test_blue_green_rollout_is_drilled_by_blue_green_alone(loaded: Loaded) -> None:
    rollout = {**loaded.data["kubernetes"]["services"]["checkout"]["rollout"], "strategy": "blue-green"}
    kubernetes = {**loaded.data["kubernetes"], "services": {"checkout": {"rollout": rollout}}}
    file = parse_staging({**loaded.data, "kubernetes": kubernetes}, Path("shop.yaml"))
    scenario, _ = load(str(EXAMPLE / "release.yaml"))
    with pytest.raises(NotRealisable, match="canary: must be blue-green, as the Rollout checkout is by the file"):
        require_fitting(scenario, scenario.release.strategy, [], file)
    require_fitting(scenario, Strategy.model_validate({"blue-green": {}}), [], file)


def test_other_services_and_defects_are_refused(loaded: Loaded) -> None:
    data = {**loaded.data, "kubernetes": {**loaded.data["kubernetes"]}}
    data["kubernetes"]["services"] = {"payments": {"deployments": {"2.3": "payments"}}}
    other = parse_staging(data, Path("shop.yaml"))
    scenario, _ = load(str(EXAMPLE / "release.yaml"))
    with pytest.raises(NotRealisable, match=r"release\.changes\[0\]\.service: checkout: must be one of"):
        require_fitting(scenario, scenario.release.strategy, [], other)
    with pytest.raises(NotRealisable, match="coupon-errors: must be in the new version's image"):
        require_fitting(scenario, scenario.release.strategy, ["coupon-errors"], loaded)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"adapter": "commands"}, "adapter"),
        ({"kubernetes": None}, "must have kubernetes"),
        ({"adapter": "helm"}, "adapter"),
    ],
)
def test_the_adapter_has_its_own_part_and_no_other(loaded: Loaded, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidStagingFile, match=why):
        parse_staging({**loaded.data, **changes}, Path("shop.yaml"))
