"""Programs that change what belongs to the host and not to a staging: filters, devices, mounts. They need root."""

from __future__ import annotations

import subprocess

from chaos.errors import StagingError

__all__ = ["run_on_host"]

_TIMEOUT_S = 5.0


def run_on_host(*command: str) -> str:
    """What the program printed. Raises StagingError when it is not there, takes too long or fails."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StagingError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())
        raise StagingError(f"{' '.join(command[:4])}: exit code {done.returncode}: {said or 'no output'}")
    return done.stdout
