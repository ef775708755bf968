"""Run one agent: `python -m chaos.faults.agents NAME STATE_DIR ARGUMENTS LIFETIME_S`; ARGUMENTS are JSON."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from chaos.faults.agents import connections, crash_loop, packets, throttle
from chaos.staging.embedded import Staging

_AGENTS: dict[str, Callable[..., None]] = {
    "crash_loop": crash_loop.play,
    "connections": connections.play,
    "packets": packets.play,
    "throttle": throttle.play,
}


def main() -> None:
    """Play it until it is ended, at the latest by its own alarm."""
    name, state_dir, arguments, lifetime_s = sys.argv[1:]
    signal.setitimer(signal.ITIMER_REAL, float(lifetime_s))  # SIGALRM ends the process
    _AGENTS[name](Staging.attach(Path(state_dir)), **json.loads(arguments))


if __name__ == "__main__":
    main()
