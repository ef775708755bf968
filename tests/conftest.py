"""What every test shares: its state goes to a temporary place, never to the user's."""

from pathlib import Path

import pytest


@pytest.fixture
def windtunnel_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own, named to the project by WINDTUNNEL_STATE."""
    folder = tmp_path / "state"
    monkeypatch.setenv("WINDTUNNEL_STATE", str(folder))
    return folder
