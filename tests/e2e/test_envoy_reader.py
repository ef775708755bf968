"""An Envoy of the user's own is read as the embedded staging reads its own: here it is the same one."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from chaos.envoy_reader import EnvoyReader
from chaos.safety.targets import LOOPBACK
from chaos.staging.embedded import Staging
from chaos.staging.envoy_stats import EnvoyStats
from tests.e2e.drills import PATIENCE_S, wait_for

pytestmark = pytest.mark.e2e


def test_counters_and_times_are_those_of_the_clusters(staging: Staging) -> None:
    clusters = {"catalogue": {"1.0": "catalogue--1_0"}, "checkout": {"2.3": "checkout--2_3", "9.9": "never"}}
    reader = EnvoyReader(f"http://127.0.0.1:{staging.state().ports['admin']}", clusters, LOOPBACK)

    def read() -> dict[tuple[str, str], EnvoyStats]:
        return {(each.service, each.version): each for each in reader.read()}

    before, ours_before = read()["catalogue", "1.0"], staging.envoy_stats("catalogue")["1.0"]
    for _ in range(20):
        urllib.request.urlopen(f"{staging.edge_url()}/catalogue", timeout=5).close()
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(f"{staging.edge_url()}/checkout", timeout=5)
    failed.value.close()
    # Envoy's threads hand their times over when it is asked, and may come too late for that answer
    wait_for(lambda: sum(read()["catalogue", "1.0"].histogram) == before.requests + 20, PATIENCE_S, "20 times")
    found = read()
    after, ours = found["catalogue", "1.0"], staging.envoy_stats("catalogue")["1.0"]
    # the staging's own counts have the router's aborts as well, of whichever tests came before
    assert after.requests - before.requests == ours.requests - ours_before.requests == 20
    assert after.errors - before.errors == ours.errors - ours_before.errors
    assert after.cancelled - before.cancelled == ours.cancelled - ours_before.cancelled
    assert sum(ours.histogram) == after.requests
    assert found["checkout", "2.3"].requests > 0
    assert found["checkout", "9.9"] == EnvoyStats("checkout", "9.9", 0, 0, 0, (), ())
