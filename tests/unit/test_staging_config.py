"""What the staging is told: refused when it makes no sense, and the same after a trip through JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaos.errors import StagingError
from chaos.staging.config import (
    CallConfig,
    Defect,
    ServiceConfig,
    ServiceTime,
    StagingConfig,
    StoreConfig,
    proxy_name,
)


def test_proxy_names() -> None:
    assert proxy_name("client", "edge") == "client--edge"
    with pytest.raises(StagingError, match=r"call\(=edge -> payments\) must be one of the shop's"):
        proxy_name("edge", "payments")


@pytest.mark.parametrize(
    "config",
    [
        StagingConfig(),
        StagingConfig(store=StoreConfig(3, ServiceTime("lognormal", -5.0, 0.4)), latency_edges_s=(0.1, 1.0), seed=7),
        StagingConfig(cohorts=("coupon", "default"), flag_poll_s=0.5),
        StagingConfig().with_service("edge", queue=0, holds_worker=False, versions=("a", "b.1")),
    ],
)
def test_json_keeps_everything(config: StagingConfig) -> None:
    assert StagingConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("build", "arguments", "message"),
    [
        (ServiceTime, {"kind": "pareto"}, r"service_time.kind\(=pareto\)"),
        (Defect, {"errors_ratio": 1.5}, r"errors_ratio\(=1.5\) must be in 0..1"),
        (Defect, {"lost_writes_ratio": -0.1}, r"lost_writes_ratio\(=-0.1\) must be in 0..1"),
        (Defect, {"latency_factor": 0.0}, r"latency_factor\(=0.0\) must be > 0"),
        (ServiceConfig, {"versions": ("2/3",)}, r"version\(='2/3'\) must match"),
        (ServiceConfig, {"versions": ("1", "1")}, "all different"),
        (ServiceConfig, {"replicas": 0}, r"replicas\(=0\)"),
        (ServiceConfig, {"queue": -1}, r"queue\(=-1\)"),
        (CallConfig, {"timeout_s": 0.0}, r"timeout_s\(=0.0\) must be > 0"),
        (CallConfig, {"jitter": "some"}, r"jitter\(=some\) none or full"),
        (StagingConfig, {"flag_poll_s": 0.0}, r"flag_poll_s\(=0.0\) must be > 0 or null"),
        (StagingConfig, {"services": {}}, r"services\(=\[\]\) must be"),
        (StagingConfig, {"calls": {("edge", "orders"): CallConfig()}}, r"call\(=edge -> orders\)"),
    ],
)
def test_nonsense_is_refused(build: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(StagingError, match=message):
        build(**arguments)
