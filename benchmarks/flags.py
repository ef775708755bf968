"""How long a flag's order takes to reach a replica's provider: streamed by flagd, and where it polls the file.

Run: python -m benchmarks.flags [--orders 60] [--poll-s 1]

Each source serves the shop's own flag (chaos.staging.shop.flag) in a process of its own, which asks its provider every
millisecond. Orders come at random moments, so that they fall anywhere between two looks at the file.
"""

import argparse
import functools
import json
import multiprocessing
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chaos.staging import flagd, processes
from chaos.staging.config import StagingConfig
from chaos.staging.flagd_build import FLAGD
from chaos.staging.flags import FlagFile
from chaos.staging.ports import free_ports
from chaos.staging.shop.flag import Flag, polling, streaming
from chaos.staging.state import FLAGD_SYNC, State

LIMIT_S = 20.0


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Until it holds."""
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} not within {LIMIT_S:g} s")
        time.sleep(0.001)


def followed_s(source: str, orders: int, poll_s: float) -> list[float]:
    """Seconds from each order to the provider that has followed it."""
    with tempfile.TemporaryDirectory(prefix="windtunnel-flags-") as name:
        folder = Path(name)
        (folder / "log").mkdir()
        file = FlagFile(folder, "checkout")
        file.write(0.0, ())
        if source == "file":
            return follow(Flag("checkout", polling(str(file.path), poll_s), ()), file, orders, poll_s)
        ports = dict(zip(flagd.PORTS, free_ports(len(flagd.PORTS)), strict=True))
        process = flagd.spawn(State("flags", "", StagingConfig(flag_poll_s=poll_s), ports), folder)
        try:
            wait_until(lambda: flagd.ready(ports), "flagd ready")
            return follow(Flag("checkout", streaming(ports[FLAGD_SYNC]), ()), file, orders, poll_s)
        finally:
            processes.stop([process])


def follow(flag: Flag, file: FlagFile, orders: int, poll_s: float) -> list[float]:
    """Give the orders, one after the other has been followed."""
    chance = random.Random(1)
    took_s = []
    try:
        for _ in range(orders):
            time.sleep(chance.uniform(0.0, poll_s))
            began_s = time.monotonic()
            order = file.write(chance.random(), ("coupon",)).order
            wait_until(functools.partial(_follows, flag, order), f"order {order} followed")
            took_s.append(time.monotonic() - began_s)
    finally:
        flag.close()
    return took_s


def _follows(flag: Flag, order: object) -> bool:
    return flag.order() == order


def main() -> None:
    """Print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--poll-s", type=float, default=1.0)
    given = parser.parse_args()
    FLAGD.ensure(lambda text: print(text, file=sys.stderr))
    found: dict[str, Any] = {"python": platform.python_version(), "orders": given.orders, "poll_s": given.poll_s}
    # A process has one provider
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for source in ("flagd", "file"):
            took_s = np.array(pool.apply(followed_s, (source, given.orders, given.poll_s)))
            found[source] = {
                "median_ms": round(float(np.median(took_s)) * 1000, 1),
                "p95_ms": round(float(np.quantile(took_s, 0.95)) * 1000, 1),
                "max_ms": round(float(took_s.max()) * 1000, 1),
            }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
