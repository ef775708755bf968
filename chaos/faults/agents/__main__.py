"""Run one agent: `python -m chaos.faults.agents NAME STATE_DIR ARGUMENTS LIFETIME_S`; ARGUMENTS are JSON."""

from __future__ import annotations

import importlib
import json
import signal
import sys
from pathlib import Path


def main() -> None:
    """Play it until it is ended, at the latest by its own alarm."""
    name, state_dir, arguments, lifetime_s = sys.argv[1:]
    signal.setitimer(signal.ITIMER_REAL, float(lifetime_s))  # SIGALRM ends the process
    # No agent waits for what another one needs: the fault's time runs already.
    importlib.import_module(f"chaos.faults.agents.{name}").play(Path(state_dir), **json.loads(arguments))


if __name__ == "__main__":
    main()
