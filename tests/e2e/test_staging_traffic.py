"""Who answers, other than by weight: cohorts by their header, and copies that leave nothing behind."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import psycopg
import pytest

from chaos.errors import EnvoyError, StagingError
from chaos.faults.embedded import EmbeddedSurface
from chaos.safety.release import RELEASE, plan_release
from chaos.staging import processes, replicas
from chaos.staging.config import Defect
from chaos.staging.embedded import Staging
from chaos.staging.replicas import DRAIN_MAX_S
from tests.e2e.drills import until

pytestmark = pytest.mark.e2e


def answered(staging: Staging, count: int, cohort: str | None) -> Counter[tuple[int, str]]:
    """Answers to orders by status and the version of checkout that gave them."""
    headers = {} if cohort is None else {"x-cohort": cohort}
    answers: Counter[tuple[int, str]] = Counter()
    with httpx.Client(base_url=staging.edge_url(), timeout=10.0, trust_env=False, headers=headers) as client:
        for _ in range(count):
            response = client.post("/checkout", json={"order_id": str(uuid4()), "amount": 55})
            parts = dict(part.split("=") for part in response.headers["x-version"].split(","))
            answers[response.status_code, parts.get("checkout", "none")] += 1
    return answers


def orders(staging: Staging) -> int:
    with psycopg.connect(staging.orders_dsn()) as connection:
        row = connection.execute("SELECT count(*) FROM orders").fetchone()
        assert row is not None
        return int(row[0])


def test_cohorts_go_their_own_way_and_the_undo_brings_them_back(staging: Staging) -> None:
    surface = EmbeddedSurface(staging)
    entry = plan_release(surface, "checkout", "drill")
    staging.deploy("checkout", "2.4", 1)
    staging.route("checkout", {"2.3": 1.0, "2.4": 0.0}, {"coupon": {"2.3": 0.0, "2.4": 1.0}})
    staging.mirror("checkout", "2.4", 0.25)
    assert staging.routes("checkout") == {"2.3": 1.0, "2.4": 0.0}
    assert answered(staging, 10, "coupon") == {(201, "2.4"): 10}
    assert answered(staging, 10, "default") == answered(staging, 10, None) == {(201, "2.3"): 10}
    assert staging.steering("checkout") == [
        "cohort coupon routes {'2.4': 1.0}",
        "0.25 of the requests are copied to 2.4",
    ]
    assert "cohort coupon routes" in (RELEASE.residue(surface, entry) or "")
    staging.envoy.set_abort_share("checkout", 1.0)  # an error fault hits cohorts of their own too
    assert answered(staging, 5, "coupon") == {(502, "none"): 5}
    staging.envoy.set_abort_share("checkout", 0.0)
    RELEASE.rungs[0].run(surface, entry)
    assert RELEASE.residue(surface, entry) is None
    assert answered(staging, 10, "coupon") == {(201, "2.3"): 10}
    with pytest.raises(EnvoyError, match=r"cohorts\(=\['gold'\]\) must be among"):
        staging.route("checkout", {"2.3": 1.0}, {"gold": {"2.4": 1.0}})


def test_copies_reach_the_new_version_and_write_nothing(staging: Staging) -> None:
    """Their errors count for the new version and hurt no client; half of them is half of the requests."""
    staging.set_defects("checkout", "2.4", [Defect("broken", errors_ratio=0.5)])
    staging.deploy("checkout", "2.4", 1)
    staging.mirror("checkout", "2.4", 1.0)
    before, rows = staging.envoy_stats("checkout"), orders(staging)
    assert answered(staging, 40, "coupon") == {(201, "2.3"): 40}
    until(lambda: staging.envoy_stats("checkout")["2.4"].requests - before["2.4"].requests == 40)
    after = staging.envoy_stats("checkout")
    assert after["2.3"].requests - before["2.3"].requests == 40
    # 40 fair draws: outside of this once in a million runs
    assert 5 <= after["2.4"].errors - before["2.4"].errors <= 35
    assert orders(staging) - rows == 40
    staging.mirror("checkout", "2.4", 0.5)
    staging.route("checkout", {"2.3": 0.5, "2.4": 0.5})
    before = staging.envoy_stats("checkout")
    answers = answered(staging, 60, None)
    assert sum(answers.values()) == 60

    def copied() -> int:
        after = staging.envoy_stats("checkout")
        return sum(after[version].requests - before[version].requests for version in after) - 60

    # whether a request is copied does not depend on where it is routed: 60 fair draws each
    until(lambda: copied() >= 12)
    assert copied() <= 48
    with pytest.raises(EnvoyError, match=r"mirror of checkout: version\(=2.3\) must be among"):
        staging.mirror("checkout", "2.3", 0.5)


def test_what_is_not_over_in_time_is_cut_off_and_counted(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    """The replica that goes takes with it what it is at work on, and nothing else fails."""
    monkeypatch.setattr(replicas, "DRAIN_MAX_S", 0.2)
    staging.set_defects("checkout", "2.4", [Defect("slow", latency_add_s=1.2)])
    staging.deploy("checkout", "2.4", 1)
    staging.route("checkout", {"2.3": 0.0, "2.4": 1.0})
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(answered, staging, 1, None) for _ in range(4)]
        until(lambda: staging.busy("checkout", "2.4") == 4)
        staging.route("checkout", {"2.3": 1.0, "2.4": 0.0})
        drained = staging.deploy("checkout", "2.4", 0)
        answers = [each.result() for each in asking]
    assert drained is not None
    assert (drained.in_flight, drained.cut) == (4, 4)
    assert answers == [Counter({(502, "none"): 1})] * 4
    assert answered(staging, 5, None) == {(201, "2.3"): 5}


def test_the_flag_is_followed_by_every_replica_and_counted_apart(staging: Staging) -> None:
    """A defect behind it hurts its cohort alone; killed, it hurts nobody; what a dead replica counted stays counted."""
    surface = EmbeddedSurface(staging)
    staging.set_defects("checkout", "2.4", [Defect("behind", errors_ratio=1.0, flag=True)])
    staging.deploy("checkout", "2.4", 2)
    staging.route("checkout", {"2.4": 1.0})
    assert answered(staging, 5, "coupon") == {(201, "2.4"): 5}

    def followed(order: int) -> None:
        until(lambda: set(staging.flags.orders("checkout")) == {order})

    def counted() -> dict[str, tuple[int, int]]:
        found = {each.version: each for each in staging.stats_all() if each.service == "checkout"}
        for each in found.values():
            assert sum(each.histogram) <= each.requests
        return {version: (each.requests, each.errors) for version, each in found.items()}

    before = counted()
    followed(staging.flags.order("checkout", 0.0, ["coupon"]).order)
    assert staging.steering("checkout") == ["the flag is on for coupon, 0 of the requests"]
    # its caller reports an error of checkout as its own
    assert answered(staging, 10, "coupon") == {(502, "2.4"): 10}
    assert answered(staging, 10, "default") == {(201, "2.4"): 10}
    assert counted()["2.4 (flag on)"] == (before["2.4 (flag on)"][0] + 10, before["2.4 (flag on)"][1] + 10)
    assert counted()["2.4"] == (before["2.4"][0] + 10, before["2.4"][1])
    staging.kill("checkout", "2.4", 1)
    assert counted()["2.4 (flag on)"] == (before["2.4 (flag on)"][0] + 10, before["2.4 (flag on)"][1] + 10)
    followed(staging.flags.order("checkout", 0.5, []).order)
    answers = answered(staging, 30, "coupon")
    # 30 fair draws: outside of this once in a million runs
    assert 3 <= answers[201, "2.4"] <= 27
    surface.clear_steering("checkout")
    until(lambda: not staging.steering("checkout"))
    assert answered(staging, 10, "coupon") == {(201, "2.4"): 10}
    with pytest.raises(StagingError, match=r"share\(=1.5\) must be in 0..1"):
        staging.flags.order("checkout", 1.5, [])


def test_a_switch_cuts_no_request_off(staging: Staging) -> None:
    """Blue-green: what is in flight on the old version when it goes ends there, and connections go on with the new."""
    staging.deploy("checkout", "2.4", 2)
    staging.set_defects("checkout", "2.3", [Defect("long", latency_add_s=1.5)])  # its caller waits for 2 s
    with ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(answered, staging, 1, None) for _ in range(4)]
        busy = staging.running("checkout", "2.3")
        until(lambda: staging.busy("checkout", "2.3") == 4)
        staging.route("checkout", {"2.4": 1.0})
        drained = staging.deploy("checkout", "2.3", 0)
        assert [each.result() for each in slow] == [{(201, "2.3"): 1}] * 4
    assert drained is not None
    assert (drained.replicas, drained.in_flight, drained.cut) == (2, 4, 0)
    assert 0 < drained.took_s < DRAIN_MAX_S
    assert [each.process for each in busy if processes.alive(each.process)] == []
    assert answered(staging, 10, None) == {(201, "2.4"): 10}
