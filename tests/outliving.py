"""What tests start does not outlive them, however they end: by SIGKILL, or by a Ctrl-C that stops their workers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
END_TIMEOUT_S = 60.0
# Waits, in a session that no terminal's signal reaches, for a word that all was ended, or for the death of who owes it.
# It is told the folder, as its command line would make it one of those that tests find still at work there.
_HEIR = """
import sys
folder = sys.stdin.readline()[:-1]
if not sys.stdin.read():
    from importlib import import_module
    from pathlib import Path
    end = import_module(sys.argv[1])
    for name in sys.argv[2].split("."):
        end = getattr(end, name)
    end(Path(folder))
"""

__all__ = ["ended_with_us"]


@contextmanager
def ended_with_us(end: Callable[[Path], object], folder: Path) -> Iterator[None]:
    """Call `end`, a function of a module, on what runs in a folder: here, or by an heir once this process is dead."""
    command = [sys.executable, "-c", _HEIR, end.__module__, end.__qualname__]
    heir = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert heir.stdin is not None
        heir.stdin.write(f"{folder}\n")
        heir.stdin.flush()
        yield
    finally:
        try:
            end(folder)
        finally:
            heir.communicate("ended", timeout=END_TIMEOUT_S)
