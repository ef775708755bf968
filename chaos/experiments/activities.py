"""What an exported experiment asks of Windtunnel: to play the drill, and for the verdict of that drill.

The Chaos Toolkit asks the same before the method and after it, in one process, which therefore keeps the verdict: a
folder of records has drills of earlier days, and none of one that was refused.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

__all__ = ["NONE", "drill", "verdict"]

NONE = "none"
# As long as a drill that is told to end may take for its undo.
_END_TIMEOUT_S = 240.0


class _Played:
    verdict = NONE


def drill(arguments: list[str], timeout_s: float) -> dict[str, Any]:
    """Play `windtunnel drill` with these arguments; its record, verdict and exit code, or the error that it ended with.

    Progress goes to stderr. A drill that takes longer, or whose experiment is interrupted, is told to end, and undoes.
    Raises OSError, subprocess.TimeoutExpired, and ValueError for an answer that is no document.
    """
    _Played.verdict = "error"  # unless it is judged otherwise
    command = [sys.executable, "-m", "windtunnel", "drill", *arguments, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            text, _ = process.communicate(timeout=timeout_s)
        except BaseException:
            process.terminate()
            try:
                process.communicate(timeout=_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()  # its watchdog undoes
            raise
    document = json.loads(text)
    if "verdict" in document:
        _Played.verdict = str(document["verdict"]["status"])
    return {key: document[key] for key in ("record", "verdict", "error", "exit_code") if key in document}


def verdict() -> str:
    """Of the drill that this experiment played: none before, error for one that was refused or not judged."""
    return _Played.verdict
