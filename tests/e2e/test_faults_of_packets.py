"""A bad line on the real staging, where root and the kernel allow it: TCP itself feels it, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chaos.faults.agents import starting
from chaos.faults.base import PlanContext
from chaos.faults.embedded import EmbeddedSurface
from chaos.safety.guard import Guard, guarded
from chaos.safety.journal import JOURNAL_NAME, read_journal
from chaos.staging import diversion, processes
from chaos.staging.embedded import Staging
from scenarios.models import Fault
from tests.e2e.drills import until

_REASON = diversion.why_not()
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(_REASON is not None, reason=f"packets: {_REASON}")]

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = PlanContext("drill-packets", "checkout", "2.3", "2.4")
LINE = {"on": "client -> edge"}

HARNESS = """
import sys, time
from pathlib import Path
from chaos.faults.base import PlanContext
from chaos.faults.embedded import EmbeddedSurface
from chaos.safety.guard import guarded
from chaos.staging.embedded import Staging
from scenarios.models import Fault
staging = Staging.attach(Path(sys.argv[1]))
with guarded(EmbeddedSurface(staging), staging.state_dir, "drill-dies", 120.0) as guard:
    effect = {"at": "1s", "for": "60s", "packets": {"on": "client -> edge", "loss": "100%"}}
    entry = guard.inject(Fault.model_validate(effect), PlanContext("drill-dies"))
    print(entry.id, entry.undo["number"], flush=True)
    time.sleep(120)
"""


@pytest.fixture
def guard(staging_session: Staging) -> Iterator[Guard]:
    """Leaving heals what a failed test left."""
    staging = staging_session
    with guarded(EmbeddedSurface(staging), staging.state_dir, "drill-packets", deadline_s=120.0) as guard:
        yield guard


@pytest.fixture
def loopback() -> Iterator[None]:
    """It must be as it was."""
    before = queues()
    yield
    assert queues() == before


def queues() -> str:
    """What is on loopback's queues; filters of others would be shown by the kinds of their queues."""
    return subprocess.run(
        ["tc", "qdisc", "show", "dev", "lo"], capture_output=True, text=True, timeout=5, check=True
    ).stdout


def fault(**effect: object) -> Fault:
    return Fault.model_validate({"at": "1s", "for": "5s", "packets": {**LINE, **effect}})


def timed(client: httpx.Client) -> float:
    began_s = time.monotonic()
    assert client.get("/catalogue").status_code == 200
    return time.monotonic() - began_s


@pytest.mark.usefixtures("loopback")
def test_an_open_connection_is_late_and_is_not_broken(guard: Guard, staging_session: Staging) -> None:
    kept: set[int] = set()

    def port(response: httpx.Response) -> None:
        kept.add(response.extensions["network_stream"].get_extra_info("client_addr")[1])

    with httpx.Client(
        base_url=staging_session.edge_url(), timeout=20.0, trust_env=False, event_hooks={"response": [port]}
    ) as client:
        timed(client)
        entry = guard.inject(fault(direction="both", delay="100ms", loss="20%", duplicate="5%"), CONTEXT)
        late_s = [timed(client) for _ in range(5)]
        assert guard.heal(entry).rung == "undivert"
        assert starting.found(entry.id) == []
        assert timed(client) < 0.2 + min(late_s)
    # there and back, whatever is lost is sent again
    assert min(late_s) >= 0.2
    assert len(kept) == 1


@pytest.mark.usefixtures("loopback")
def test_a_process_that_carries_packets_no_more_is_undone_all_the_same(guard: Guard, staging_session: Staging) -> None:
    entry = guard.inject(fault(delay="5ms"), CONTEXT)
    processes.stop(starting.found(entry.id), ladder=((signal.SIGKILL, 5.0),))
    with pytest.raises(httpx.TransportError):  # its filters lead nowhere
        httpx.get(f"{staging_session.edge_url()}/catalogue", timeout=0.5, trust_env=False)
    assert guard.heal(entry).rung == "undivert"
    assert httpx.get(f"{staging_session.edge_url()}/catalogue", trust_env=False).status_code == 200


@pytest.mark.usefixtures("loopback")
def test_the_watchdog_undoes_it_for_a_harness_that_is_killed(staging_session: Staging) -> None:
    before = queues()
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(staging_session.state_dir)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert harness.stdout is not None
        entry_id, number = harness.stdout.readline().split()
        assert diversion.diverted(int(number))
    finally:
        harness.kill()
        harness.wait(5)
        harness.stdout.close()
    until(lambda: not diversion.diverted(int(number)) and not starting.found(entry_id))
    until(lambda: read_journal(staging_session.state_dir / JOURNAL_NAME).open_entries == ())
    assert queues() == before
    assert httpx.get(f"{staging_session.edge_url()}/catalogue", trust_env=False).status_code == 200
