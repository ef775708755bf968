"""A replica that tries to have more than a limit of its own process meets it, and gives back what it got."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chaos.staging.shop.attempts import attempt

ROOT = Path(__file__).resolve().parents[2]

# The limits are those of a process of its own: this one has to live on.
PROGRAM = """
import os, resource, sys
from pathlib import Path
from chaos.staging.shop.attempts import attempt
name, limit, most = sys.argv[1], *map(int, sys.argv[2:])
before = set(os.listdir("/proc/self/fd"))
resource.setrlimit(getattr(resource, name), (limit, resource.RLIM_INFINITY if name != "RLIMIT_NOFILE" else limit))
print(attempt({"RLIMIT_AS": "memory", "RLIMIT_NOFILE": "descriptors", "RLIMIT_FSIZE": "disk"}[name], most, Path(".")))
print(set(os.listdir("/proc/self/fd")) == before)
"""


@pytest.mark.parametrize(
    ("name", "limit", "met"),
    [("RLIMIT_AS", 1 << 30, "ENOMEM"), ("RLIMIT_NOFILE", 40, "EMFILE"), ("RLIMIT_FSIZE", 5000, "EFBIG")],
)
@pytest.mark.parametrize("within", [True, False])
def test_a_limit_is_met_and_less_than_it_is_not(name: str, limit: int, met: str, within: bool, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, name, str(limit), str(limit // 4 if within else limit)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.stdout.split() == ["None" if within else met, "True"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_resource_is_refused() -> None:
    with pytest.raises(ValueError, match=r"resource\(='luck'\) must be one of memory, descriptors, disk, room"):
        attempt("luck", 1, Path())
