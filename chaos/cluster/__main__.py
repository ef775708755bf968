"""`python -m chaos.cluster build | start | stop | status`: the control plane for the `kubernetes` adapter's tests."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chaos.cluster import builds, control_plane
from chaos.cluster.state import folder_default
from chaos.errors import ChaosError

_FAILED = 4


def main(argv: list[str] | None = None) -> int:
    """0 when done, 1 when `status` finds a program dead, 4 with one message when not."""
    parser = argparse.ArgumentParser(prog="python -m chaos.cluster", description=__doc__)
    parser.add_argument("verb", choices=("build", "start", "stop", "status"))
    parser.add_argument("--state", type=Path, default=folder_default(), help="its folder (default: %(default)s)")
    given = parser.parse_args(argv)
    try:
        return _carry_out(given.verb, given.state)
    except ChaosError as error:
        print(f"error: {error}", file=sys.stderr)
        return _FAILED


def _carry_out(verb: str, folder: Path) -> int:
    if verb == "build":
        builds.ensure(_say)
    elif verb == "start":
        print(control_plane.start(folder, _say))
    elif verb == "stop":
        stopped = control_plane.stop(folder)
        _say(f"{len(stopped)} processes stopped")
    else:
        found = control_plane.status(folder)
        for name, alive in found.items():
            print(f"{name:<24} {'running' if alive else 'dead'}")
        return 0 if all(found.values()) else 1
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
