"""What a command does not need, it does not wait for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
from windtunnel.cli.main import run
try:
    run(sys.argv[2:])
except SystemExit:
    pass
print("loaded:", *[name for name in sys.argv[1].split(",") if name in sys.modules])
"""

HELP = ("numpy", "numba", "pydantic", "ruamel.yaml", "simpy", "pyarrow", "rich")
SIMULATE = ("pandas", "pyarrow.compute", "networkx", "matplotlib", "jinja2", "scipy.stats", "chaos", "httpx", "psutil")


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [(["--help"], HELP), (["simulate", "shop-release", "--replications", "1", "--out"], SIMULATE)],
)
def test_a_command_loads_nothing_that_it_does_not_need(
    arguments: list[str], unwanted: tuple[str, ...], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", PROGRAM, ",".join(unwanted), *arguments]
    if arguments[-1] == "--out":
        command.append(str(tmp_path))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"
