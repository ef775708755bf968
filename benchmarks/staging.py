"""Times the embedded staging: up, deploy, route, down, and the shop under load. Prints JSON.

    python -m benchmarks.staging [--rate 100] [--seconds 20]

The load is the drill's own: open loop, in a child process, latency from the intended send time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from chaos.load.plan import FunctionLoad, LoadPlan
from chaos.load.run import LoadRun
from chaos.staging.config import StagingConfig
from chaos.staging.embedded import EmbeddedStaging, Staging

NEW = "2.4"


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    began_s = time.monotonic()
    work()
    return round(time.monotonic() - began_s, 3)


def cpu_s(staging: Staging) -> dict[str, float]:
    """Processor seconds of each component so far, with its children."""
    spent: dict[str, float] = {}
    for part in staging.status():
        process = psutil.Process(part.pid)
        name = part.name.split(" #")[0]
        for each in (process, *process.children(recursive=True)):
            times = each.cpu_times()
            spent[name] = spent.get(name, 0.0) + times.user + times.system
    return spent


def load(staging: Staging, rate_per_s: float, seconds: float, folder: Path) -> dict[str, object]:
    """The shop under `rate_per_s` orders."""
    order = FunctionLoad(
        name="checkout",
        profile=((0.0, rate_per_s),),
        method="POST",
        path="/checkout",
        body='{"order_id": "$id", "amount": 55}',
        timeout_s=5.0,
        store="orders",
    )
    plan = LoadPlan(base_url=staging.edge_url(), functions=(order,), duration_s=seconds, seed=1)
    before = cpu_s(staging)
    with LoadRun.start(plan, folder) as run:
        run.wait()
        raw = run.samples()
        lateness_s = run.lateness_p99_s
    after = cpu_s(staging)
    ok = raw.kind == "ok"
    latency_ms = 1000 * raw.latency_s[ok]
    quantiles = (50, 90, 99, 99.9)
    spent = {name: round((after[name] - before[name]) / seconds, 3) for name in after}
    return {
        "rate_per_s": rate_per_s,
        "seconds": seconds,
        "sent": len(ok),
        "failed": int((~ok).sum()),
        "latency_ms": {f"p{q}": round(float(np.percentile(latency_ms, q)), 1) for q in quantiles},
        "dispatch_lateness_p99_ms": round(1000 * lateness_s, 2),
        "cores_used": spent,
    }


def measure(rate_per_s: float, seconds: float) -> dict[str, object]:
    """Everything, on a staging of its own."""
    with tempfile.TemporaryDirectory(prefix="windtunnel-benchmark-") as scratch:
        folder = Path(scratch)
        figures: dict[str, object] = {"cores": os.cpu_count(), "load_average": os.getloadavg()[0]}
        figures["up_s"] = timed(lambda: EmbeddedStaging.up(StagingConfig(), folder / "state"))
        try:
            staging = Staging.attach(folder / "state")
            figures["shop"] = load(staging, rate_per_s, seconds, folder)
            figures["deploy_two_s"] = timed(lambda: staging.deploy("checkout", NEW, 2))
            figures["route_s"] = timed(lambda: staging.route("checkout", {"2.3": 0.5, NEW: 0.5}))
            figures["route_back_s"] = timed(lambda: staging.route("checkout", {"2.3": 1.0}))
            figures["retire_two_s"] = timed(lambda: staging.deploy("checkout", NEW, 0))
            figures["read_stats_s"] = timed(staging.envoy.stats_all)
        finally:
            figures["down_s"] = timed(lambda: EmbeddedStaging.down(folder / "state"))
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, default=100.0, help="orders a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of load")
    arguments = parser.parse_args()
    json.dump(measure(arguments.rate, arguments.seconds), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
