"""The embedded staging, for real: processes, requests, rows."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest

from chaos.errors import ComponentFailed, EnvoyError, StagingAlreadyUp, StagingError, StagingNotUp, ToxiproxyError
from chaos.safety.undo import end_orphan, heal
from chaos.staging import processes, starting
from chaos.staging.config import Defect, StagingConfig
from chaos.staging.embedded import EmbeddedStaging, Staging
from chaos.staging.state import StateFile
from tests.e2e.drills import runs, until

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]


def order(client: httpx.Client, cohort: str = "default") -> tuple[str, httpx.Response]:
    order_id = str(uuid4())
    headers = {"x-cohort": cohort, "x-function": "checkout"}
    return order_id, client.post("/checkout", json={"order_id": order_id, "amount": 55}, headers=headers)


def shop(staging: Staging) -> httpx.Client:
    return httpx.Client(base_url=staging.edge_url(), timeout=10.0, trust_env=False)


def found(staging: Staging, order_id: str, standby: bool = False) -> list[tuple[object, ...]]:
    with psycopg.connect(staging.orders_dsn(standby)) as connection:
        query = "SELECT function, cohort, version FROM orders WHERE id = %s"
        return connection.execute(query, (order_id,)).fetchall()


def versions(staging: Staging, count: int, cohort: str = "default") -> Counter[tuple[int, str]]:
    """Answers by status and the version of checkout that gave them."""
    answers: Counter[tuple[int, str]] = Counter()
    with shop(staging) as client:
        for _ in range(count):
            _, response = order(client, cohort)
            parts = dict(part.split("=") for part in response.headers.get("x-version", "").split(","))
            answers[response.status_code, parts.get("checkout", "none")] += 1
    return answers


def test_an_order_is_on_the_primary_and_on_the_standby(staging_session: Staging) -> None:
    with shop(staging_session) as client:
        order_id, response = order(client, "coupon")
        assert response.status_code == 201
        assert client.get("/catalogue").json()["items"]
    assert response.headers["x-version"] == "edge=1.0,checkout=2.3,payments=1.0"
    assert found(staging_session, order_id) == [("checkout", "coupon", "2.3")]
    until(lambda: bool(found(staging_session, order_id, standby=True)))


def test_an_order_sent_twice_is_one_row(staging_session: Staging) -> None:
    body = {"order_id": str(uuid4()), "amount": 1}
    with shop(staging_session) as client:
        assert [client.post("/checkout", json=body).status_code for _ in range(2)] == [201, 201]
    assert len(found(staging_session, body["order_id"])) == 1


def test_bad_requests_are_told_so(staging_session: Staging) -> None:
    with shop(staging_session) as client:
        assert client.post("/checkout", content=b"{").status_code == 400
        assert client.post("/checkout", json={"amount": 1}).status_code == 400
        assert client.get("/checkout").status_code == 405
        assert client.get("/nowhere").status_code == 404
        assert client.put("/_admin/defects", json=[]).status_code == 404


def test_the_marker_is_the_tokens(staging_session: Staging) -> None:
    assert staging_session.marker() == staging_session.token()
    with shop(staging_session) as client:
        marker = client.get("/.well-known/windtunnel-staging").json()
    assert marker == {"id": staging_session.token()}


def test_weights_move_requests(staging: Staging) -> None:
    staging.deploy("checkout", "2.4", 1)
    assert staging.replicas("checkout") == staging.ordered("checkout") == {"2.3": 2, "2.4": 1}
    assert set(versions(staging, 20)) == {(201, "2.3")}
    staging.route("checkout", {"2.3": 0.5, "2.4": 0.5})
    assert staging.routes("checkout") == {"2.3": 0.5, "2.4": 0.5}
    answers = versions(staging, 100)
    # 100 fair draws: outside 25..75 once in two million runs
    assert 25 <= answers[201, "2.4"] <= 75
    assert answers[201, "2.3"] + answers[201, "2.4"] == 100
    staging.route("checkout", {"2.4": 1.0})
    assert set(versions(staging, 20)) == {(201, "2.4")}


def test_a_version_without_replicas_answers_errors_and_counts_them(staging: Staging) -> None:
    before = staging.envoy_stats("checkout")["2.4"]
    staging.route("checkout", {"2.4": 1.0})
    assert set(versions(staging, 5)) == {(502, "none")}
    after = staging.envoy_stats("checkout")["2.4"]
    assert (after.requests - before.requests, after.errors - before.errors) == (5, 5)


def test_aborted_requests_count_for_the_version_that_would_have_answered(staging: Staging) -> None:
    """The two choices of the router, abort and version, are independent of each other."""
    staging.deploy("checkout", "2.4", 1)
    staging.route("checkout", {"2.3": 0.5, "2.4": 0.5})
    staging.envoy.set_abort_share("checkout", 0.5)
    before = staging.envoy_stats("checkout")
    versions(staging, 200)
    after = staging.envoy_stats("checkout")
    for version in ("2.3", "2.4"):
        requests = after[version].requests - before[version].requests
        errors = after[version].errors - before[version].errors
        # 200 fair draws, then as many of these: outside of this once in ten million runs
        assert 60 <= requests <= 140
        assert 0.2 <= errors / requests <= 0.8
    assert sum(after[version].requests - before[version].requests for version in after) == 200


def test_stats_count_every_answer_and_its_latency(staging: Staging) -> None:
    before = staging.envoy_stats("checkout")["2.3"]
    versions(staging, 30)
    # Envoy's threads hand their times over when it is asked, and may come too late for that answer
    until(lambda: sum(staging.envoy_stats("checkout")["2.3"].histogram) - sum(before.histogram) == 30)
    after = staging.envoy_stats("checkout")["2.3"]
    assert after.requests - before.requests == 30
    assert after.errors == before.errors
    assert after.bounds_ms == (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
    assert len(after.histogram) == len(after.bounds_ms) + 1
    every = staging.envoy.stats_all()
    assert [(each.service, each.version) for each in every] == [
        ("edge", "1.0"), ("catalogue", "1.0"), ("checkout", "2.3"), ("checkout", "2.4"), ("payments", "1.0"),
    ]  # fmt: skip


def test_a_killed_replica_leaves_rotation_and_a_deploy_replaces_it(staging: Staging) -> None:
    (victim,) = staging.kill("checkout", "2.3", 1)
    assert not processes.alive(victim.process)
    assert staging.replicas("checkout") == {"2.3": 1}
    assert staging.ordered("checkout") == {"2.3": 2}
    healthy, known = staging.envoy.healthy_ports("checkout", "2.3")
    until(lambda: victim.port not in staging.envoy.healthy_ports("checkout", "2.3")[0])
    assert set(versions(staging, 20)) == {(201, "2.3")}
    staging.deploy("checkout", "2.3", 2)
    assert staging.replicas("checkout") == {"2.3": 2}
    assert victim.port not in {replica.port for replica in staging.running("checkout")}
    assert victim.port in healthy | known
    with pytest.raises(StagingError, match=r"replicas\(=3\) must be at most the 2"):
        staging.kill("checkout", "2.3", 3)


def test_scaling_down_loses_no_request(staging: Staging) -> None:
    staging.deploy("checkout", "2.3", 3)
    with shop(staging) as client:
        statuses: list[int] = []
        stop = threading.Event()

        def press() -> None:
            while not stop.is_set():
                statuses.append(order(client)[1].status_code)

        thread = threading.Thread(target=press)
        thread.start()
        try:
            staging.deploy("checkout", "2.3", 1)
            staging.deploy("checkout", "2.3", 2)
        finally:
            stop.set()
            thread.join(timeout=20)
    assert set(statuses) == {201}


def test_defects_switch_on_and_off(staging: Staging) -> None:
    lost = Defect("silent", lost_writes_ratio=1.0, cohort="coupon")
    staging.set_defects("checkout", "2.4", [lost])
    staging.deploy("checkout", "2.4", 1)  # started later, it has them too
    staging.route("checkout", {"2.4": 1.0})
    assert staging.defects("checkout", "2.4") == [lost]
    with shop(staging) as client:
        coupon, answer = order(client, "coupon")
        assert answer.status_code == 201
        plain, answer = order(client)
        assert answer.status_code == 201
        assert found(staging, coupon) == []
        assert len(found(staging, plain)) == 1
        staging.set_defects("checkout", "2.4", [Defect("crash", errors_ratio=1.0)])
        assert order(client)[1].status_code == 502
        staging.set_defects("checkout", "2.4", [Defect("slow", latency_add_s=0.3)])
        began = time.monotonic()
        assert order(client)[1].status_code == 201
        assert time.monotonic() - began >= 0.3
        staging.set_defects("checkout", "2.4", [])
        assert order(client)[1].status_code == 201


def test_an_abort_share_is_kept_to_the_ten_thousandth(staging: Staging) -> None:
    staging.envoy.set_abort_share("catalogue", 0.005)
    assert staging.envoy.abort_share("catalogue") == 0.005
    staging.envoy.set_abort_share("catalogue", 1.0)
    with shop(staging) as client:
        assert client.get("/catalogue").status_code == 502
        staging.envoy.set_abort_share("catalogue", 0.0)
        assert client.get("/catalogue").status_code == 200
    with pytest.raises(EnvoyError, match=r"abort share of catalogue\(=1.5\) must be in 0..1"):
        staging.envoy.set_abort_share("catalogue", 1.5)


def test_toxics_are_in_force_and_gone_again(staging: Staging) -> None:
    proxy = "checkout--orders"
    with shop(staging) as client:
        toxic = staging.toxiproxy.add_toxic(proxy, "slow", "latency", {"latency": 250, "jitter": 0})
        assert (toxic.type, toxic.stream, toxic.toxicity) == ("latency", "downstream", 1.0)
        began = time.monotonic()
        assert order(client)[1].status_code == 201
        assert time.monotonic() - began >= 0.25
        staging.toxiproxy.remove_toxic(proxy, "slow")
        staging.toxiproxy.remove_toxic(proxy, "slow")
        staging.toxiproxy.enable(proxy, False)
        assert order(client)[1].status_code == 502
        staging.toxiproxy.enable(proxy)
        assert order(client)[1].status_code == 201


def test_toxiproxy_says_no_in_its_own_words(staging: Staging) -> None:
    with pytest.raises(ToxiproxyError, match="NotFound"):
        staging.toxiproxy.proxy("no such/proxy?")
    with pytest.raises(ToxiproxyError, match="InvalidToxic"):
        staging.toxiproxy.add_toxic("client--edge", "odd", "sharknado", {})
    taken = staging.toxiproxy.proxy("client--edge").port
    with pytest.raises(ToxiproxyError, match="status"):
        staging.toxiproxy.create("another", taken, "127.0.0.1:1")
    staging.toxiproxy.destroy("another")


def test_a_dead_toxiproxy_comes_back_with_its_proxies(staging: Staging) -> None:
    before = staging.toxiproxy.proxies()
    processes.stop([staging.state().components["toxiproxy"]], ladder=((9, 5.0),))
    with pytest.raises(ToxiproxyError):
        staging.toxiproxy.version()
    staging.restart_toxiproxy()
    assert staging.toxiproxy.proxies() == before
    assert set(versions(staging, 3)) == {(201, "2.3")}


def test_orders_that_make_no_sense_are_refused(staging: Staging) -> None:
    with pytest.raises(StagingError, match=r"service\(=basket\) must be one of"):
        staging.deploy("basket", "1.0", 1)
    with pytest.raises(StagingError, match=r"version\(=9\) of checkout must be one of"):
        staging.deploy("checkout", "9", 1)
    with pytest.raises(EnvoyError, match="must be >= 0 with sum 1"):
        staging.route("checkout", {"2.3": 0.5})
    with pytest.raises(EnvoyError, match="must be among"):
        staging.route("checkout", {"9": 1.0})


def test_up_twice_is_refused_and_attach_finds_it(staging_session: Staging) -> None:
    with pytest.raises(StagingAlreadyUp):
        EmbeddedStaging.up(StagingConfig(), staging_session.state_dir)
    other = Staging.attach(staging_session.state_dir)
    assert other.status() == staging_session.status()
    assert {part.state for part in other.status()} == {"running"}


def test_down_leaves_nothing_and_does_so_twice(state_dir: Path) -> None:
    staging = EmbeddedStaging.up(StagingConfig(), state_dir)
    state = staging.state()
    pids = [part.pid for part in staging.status()]
    children = [child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)]
    assert len(pids) == 9
    assert children  # PostgreSQL's
    staging.down()
    assert [pid for pid in [*pids, *children] if runs(pid)] == []
    assert processes.with_token(state.token) == []
    assert not Path(state.postgres_base).exists()
    assert {path.name for path in state_dir.iterdir() if not path.name.startswith(".")} == {"log"}
    assert EmbeddedStaging.down(state_dir) == []
    with pytest.raises(StagingNotUp):
        Staging.attach(state_dir)


def test_a_failed_start_takes_everything_down(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ComponentFailed("pg_basebackup failed: no")

    tokens = []
    plan = starting.Start.plan

    def planned(start: starting.Start, *arguments: Any) -> None:
        plan(start, *arguments)
        tokens.append(start._file.read().token)

    monkeypatch.setattr(starting.Start, "plan", planned)
    monkeypatch.setattr(starting.postgres, "start_standby", broken)
    with pytest.raises(ComponentFailed, match="postgres did not start: pg_basebackup failed: no"):
        EmbeddedStaging.up(StagingConfig(), state_dir)
    assert processes.with_token(tokens[0]) == []
    assert not (state_dir / "state.json").exists()


@pytest.mark.parametrize("moment", ["toxiproxy ready", "postgres primary ready"])
def test_what_a_killed_starter_left_is_cleared(state_dir: Path, moment: str) -> None:
    code = (
        "import pathlib, sys; from chaos.staging.embedded import EmbeddedStaging; "
        "EmbeddedStaging.up(None, pathlib.Path(sys.argv[1]), lambda text: print(text, flush=True))"
    )
    argv = [sys.executable, "-c", code, str(state_dir)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as starter:
        assert starter.stdout is not None
        for line in starter.stdout:
            if line.strip() == moment:
                starter.kill()
                break
        starter.wait(10)
    state = StateFile(state_dir).read()
    assert state.phase == "starting"
    assert processes.with_token(state.token)
    with pytest.raises(StagingNotUp, match=r"phase\(=starting\) must be up"):
        Staging.attach(state_dir)
    assert [(each.kind, each.rung) for each in heal(state_dir).results] == [
        ("staging", "staging down (its starter died)")
    ]
    assert heal(state_dir).results == ()
    assert processes.with_token(state.token) == []
    assert not Path(state.postgres_base).exists()


def test_a_staging_lives_no_longer_than_the_drill_that_it_is_for(state_dir: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as drill:
        owner = processes.identify(drill.pid)
        staging = EmbeddedStaging.up(StagingConfig(), state_dir, owner=owner)
        token = staging.token()
        assert end_orphan(state_dir) is None
        drill.kill()
    assert [each.rung for each in heal(state_dir).results] == [f"staging down (its drill (pid {owner.pid}) died)"]
    assert processes.with_token(token) == []
