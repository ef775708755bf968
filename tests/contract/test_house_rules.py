"""Rules of the house that a machine can hold (style.md section 2, design.md section 9)."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES_MAX = 500


def files(*patterns: str) -> list[Path]:
    """Files under version control that match."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_modules_stay_small() -> None:
    long = {
        path.name: count
        for path in files("*.py")
        if path.exists() and (count := len(path.read_text().splitlines())) > LINES_MAX
    }
    assert long == {}


@pytest.mark.parametrize("path", files("*.lock"), ids=lambda path: path.name)
def test_lock_names_no_address_and_hashes_everything(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert "index-url" not in text
    blocks = re.split(r"\n(?=\S)", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE).strip())
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert [block.splitlines()[0] for block in blocks if "==" not in block] == []
