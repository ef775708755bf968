"""Counts the instructions of compiled code by valgrind: what else the machine does moves times, and no count.

The code is compiled for one kind of processor, whatever the machine's, so that counts of different machines are alike.
An instruction is no time: one that waits for memory, or after a wrong guess, counts like any other.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

TIMEOUT_S = 600.0
_PROCESSOR = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}  # valgrind knows no newer one's instructions
_PLAYED = """
import sys
sys.path.insert(0, "")
def count(run):
    run()
"""
_COUNTED = """
import os, subprocess, sys
sys.path.insert(0, "")
def tell(*what):
    subprocess.run(["callgrind_control", *what, str(os.getpid())], check=True, capture_output=True, timeout=60)
def count(run):
    tell("--instr=on")  # slow from here on, so not before
    tell("--zero")
    run()
    tell("--dump")
"""


def missing() -> str | None:
    """Why nothing can be counted here, None where it can."""
    if platform.machine() != "x86_64":
        return f"the processor is {platform.machine()}, not x86_64"
    return None if shutil.which("valgrind") else "valgrind is not installed"


def instructions(script: str, tree: Path) -> list[int]:
    """The instructions of each `count(run)` of a Python script, in order, run in a folder.

    A few hundred thousand of each are of Python and of the counting itself. The script is played once before, so that
    all is compiled. Raises CalledProcessError when it fails.
    """
    with TemporaryDirectory() as folder:
        env = {**os.environ, **_PROCESSOR, "NUMBA_CACHE_DIR": folder, "PYTHONHASHSEED": "0"}
        files = f"{folder}/counts"
        valgrind = ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={files}"]
        for command in ([sys.executable, "-c", _PLAYED + script], [*valgrind, sys.executable, "-c", _COUNTED + script]):
            subprocess.run(command, cwd=tree, env=env, stdout=subprocess.DEVNULL, timeout=TIMEOUT_S, check=True)
        dumps = sorted(Path(folder).glob("counts.*"), key=lambda path: int(path.suffix[1:]))
        return [total(path.read_text()) for path in dumps]


def total(dump: str) -> int:
    """What a dump of callgrind counted in all. Raises ValueError when it does not say."""
    found = re.search(r"^summary: (\d+)$", dump, re.MULTILINE)
    if found is None:
        raise ValueError("a dump of callgrind has no line 'summary: N'")
    return int(found[1])
