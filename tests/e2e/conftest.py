"""One embedded staging for the whole session: starting one for each test would be most of the suite's time.

A test that changes it asks for `staging`, which brings it back to how it was: two replicas of checkout 2.3, all
requests to them, no defects, no toxics, every proxy open, no aborts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.remains import remains
from chaos.staging.config import CALLS, SERVICES, StagingConfig, StoreConfig, Symptom, proxy_name
from chaos.staging.embedded import EmbeddedStaging, Staging
from chaos.staging.shared_memory import segments
from tests.outliving import ended_with_us

LATENCY_EDGES_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
COHORTS = ("coupon", "default")


@pytest.fixture(scope="session")
def staging_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    """The staging itself; whoever changes it takes `staging` instead."""
    folder = tmp_path_factory.mktemp("staging") / "state"
    store = StoreConfig(symptom=Symptom(after_s=0.3, errors_ratio=1.0, cohort="coupon"))
    config = StagingConfig(latency_edges_s=LATENCY_EDGES_S, cohorts=COHORTS, flag_poll_s=0.2, store=store)
    memory = segments()
    with ended_with_us(EmbeddedStaging.down, folder):
        up = EmbeddedStaging.up(config.with_service("checkout", zones=("a", "b")), folder)
        token = up.token()
        yield up
    assert remains(folder, folder, {token}, memory) == []


@pytest.fixture
def staging(staging_session: Staging) -> Iterator[Staging]:
    """The session's staging, restored afterwards."""
    yield staging_session
    restore(staging_session)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """A state directory of the test's own."""
    return tmp_path / "state"


def restore(staging: Staging) -> None:
    """Bring everything that tests change back to the start."""
    if any(part.name == "toxiproxy" and part.state == "dead" for part in staging.status()):
        staging.restart_toxiproxy()
    staging.restore_proxies()
    for caller, callee in CALLS:
        name = proxy_name(caller, callee)
        for toxic in staging.toxiproxy.proxy(name).toxics:
            staging.toxiproxy.remove_toxic(name, toxic.name)
        staging.toxiproxy.enable(name)
    for service in SERVICES:
        staging.envoy.set_abort_share(service, 0.0)
        config = staging.config.services[service]
        first = config.versions[0]
        for version in config.versions:
            staging.set_defects(service, version, [])
        staging.deploy(service, first, config.replicas)
        staging.route(service, {first: 1.0})
        staging.clear_steering(service)
        for version in config.versions[1:]:
            staging.deploy(service, version, 0)
