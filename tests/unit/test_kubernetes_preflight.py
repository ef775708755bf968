"""What a cluster lacks for a drill, before it begins: cohorts for which its HTTPRoute has no room."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from ruamel.yaml import YAML

from chaos.kubernetes.api import DEPLOYMENT, Api, Kind
from chaos.kubernetes.models import Kubernetes
from chaos.kubernetes.preflight import lacking
from chaos.kubernetes.surface import KubernetesSurface
from scenarios.loading import load_text

RELEASE = Path(__file__).resolve().parents[2] / "examples" / "kubernetes-staging" / "release.yaml"
NAMES = {"2.3": "old", "2.4": "new"}
FOUR = {"coupon": "40%", "staff": "1%", "web": "29%", "app": "30%"}


class Cluster:
    """An API whose route has `rules` for the versions, and one that leads elsewhere; everything is allowed."""

    namespace = "shop"

    def __init__(self, rules: int, matches: int) -> None:
        refs = [{"name": name, "port": 80, "weight": int(name == "old")} for name in NAMES.values()]
        rule = {"matches": [{"path": {"value": f"/{number}"}} for number in range(matches)], "backendRefs": refs}
        self._rules = [*[rule] * rules, {"backendRefs": [{"name": "assets", "port": 80}]}]

    def may(self, right: object) -> bool:
        return True

    def get(self, kind: Kind, name: str) -> dict[str, Any]:
        return {"metadata": {"name": name}, "spec": {} if kind is DEPLOYMENT else {"rules": self._rules}}

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        return []


def found(strategy: dict[str, Any], rules: int = 3, matches: int = 1) -> list[str]:
    service = {"deployments": NAMES, "route": {"name": "shop", "backends": NAMES, "confirm": "spec"}}
    config = Kubernetes.model_validate({"namespace": "shop", "services": {"checkout": service}})
    data = YAML(typ="safe").load(RELEASE)
    data["functions"]["checkout"]["cohorts"] = FOUR
    data["release"]["strategy"] = strategy
    scenario = load_text(json.dumps(data), "release.yaml")
    surface = KubernetesSurface("token", cast("Api", Cluster(rules, matches)), config)
    return [*lacking(surface, scenario, scenario.release.strategy)]


def canary(*cohorts: str) -> dict[str, Any]:
    return {"canary": {"steps": [{"weight": "10%"}, *({"cohort": each} for each in cohorts)]}}


def test_cohorts_that_the_route_has_room_for_are_taken() -> None:
    assert found(canary("coupon", "staff", "web", "app")) == []
    assert found(canary("coupon"), rules=7) == []
    assert found({"waves": {"by": "cohorts", "waves": [["coupon"], ["staff"], ["web", "app"]]}}, rules=5) == []


@pytest.mark.parametrize(
    ("strategy", "rules", "matches", "why"),
    [
        (canary("coupon", "staff", "web", "app"), 4, 1, "canary.steps[3].cohort: 17 rules, must be at most 16"),
        (canary("coupon", "staff"), 3, 15, "canary.steps[2].cohort: 136 matches, must be at most 128"),
        (
            {"waves": {"by": "cohorts", "waves": [["coupon"], ["staff", "web"], ["app"]]}},
            4,
            1,
            "waves.waves[1]: 17 rules, must be at most 16",
        ),
    ],
    ids=["rules", "matches", "waves"],
)
def test_first_step_with_too_many_cohorts_is_told(strategy: dict[str, Any], rules: int, matches: int, why: str) -> None:
    path, _, beyond = why.partition(": ")
    assert found(strategy, rules, matches) == [f"{path}: HTTPRoute shop would have {beyond}"]
