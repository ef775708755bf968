"""What every test shares: its state goes to a temporary place, never to the user's."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time, and none that fails because the machine is busy: answers are asserted, not seconds.
settings.register_profile("windtunnel", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("windtunnel")

# Who starts the tests by nohup, or in a shell's background, has these ignored, and all that tests start with them.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


@dataclass(frozen=True)
class CommandResult:
    """What a command line ended with and wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def windtunnel_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own, named to the project by WINDTUNNEL_STATE."""
    folder = tmp_path / "state"
    monkeypatch.setenv("WINDTUNNEL_STATE", str(folder))
    return folder


@pytest.fixture
def windtunnel(capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    """Run a command line in this process: windtunnel("scenario", "list").code."""
    from windtunnel.cli import main

    def run(*arguments: str) -> CommandResult:
        with pytest.raises(SystemExit) as exit_info:
            main.run(list(arguments))
        captured = capsys.readouterr()
        return CommandResult(int(exit_info.value.code or 0), captured.out, captured.err)

    return run
