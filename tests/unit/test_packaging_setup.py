"""Set-up: which Python it takes, which .venv it trusts, when it installs again."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The set-up script, working on an empty project folder."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / ".ci" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "requirements.lock").write_text("thing==1.0 --hash=sha256:00\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    return module


def test_what_compiles_kernels_is_taken_from_the_lock_with_its_hashes(bootstrap: ModuleType) -> None:
    one, two = "a==1 \\\n    --hash=x\n    # via\n    #   b\n", "b==2 ; marker \\\n    --hash=y\n"
    bootstrap.LOCK.write_text(f"# by hand\n{one}{two}bc==3\n")
    assert bootstrap.locked(("a",)) == one
    assert bootstrap.locked(("b",)) == two
    bootstrap.LOCK.write_text((ROOT / "requirements.lock").read_text())
    for name in bootstrap.COMPILING:
        assert f"{name}==" in bootstrap.locked((name,))
        assert "--hash=sha256:" in bootstrap.locked((name,))


def test_kernels_are_compiled_by_what_is_installed_first_alone(bootstrap: ModuleType) -> None:
    ours = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    others = set(importlib.metadata.packages_distributions()) - {*bootstrap.COMPILING, *ours}
    assert {"scipy", "pydantic", "simpy"} <= others
    missing = f"import sys; sys.modules.update(dict.fromkeys({sorted(others)}))"
    command = [sys.executable, "-c", f"{missing}; from simulator import kernels; kernels.main()"]
    subprocess.run(command, cwd=ROOT, timeout=300, check=True)


def fake_python(bootstrap: ModuleType, prefix: str, new_enough: bool = True) -> None:
    """An interpreter that answers the probe, as one in a copied or an old environment would."""
    bootstrap.PYTHON.parent.mkdir(parents=True)
    bootstrap.PYTHON.write_text(f"#!/bin/sh\necho {prefix}\necho {new_enough}\n")
    bootstrap.PYTHON.chmod(0o755)
    (bootstrap.VENV / "pyvenv.cfg").write_text("")


def test_environment_made_here_is_kept(bootstrap: ModuleType) -> None:
    fake_python(bootstrap, str(bootstrap.VENV))
    bootstrap.ensure_venv()
    assert bootstrap.PYTHON.read_text().startswith("#!/bin/sh")


@pytest.mark.parametrize(("prefix", "new_enough"), [("/somewhere/else/.venv", True), ("", False)])
def test_environment_from_elsewhere_or_too_old_is_not_ours(
    prefix: str, new_enough: bool, bootstrap: ModuleType
) -> None:
    fake_python(bootstrap, prefix or str(bootstrap.VENV), new_enough)
    assert not bootstrap.venv_is_ours()


def test_folder_that_is_no_environment_is_refused_and_kept(bootstrap: ModuleType) -> None:
    bootstrap.VENV.mkdir()
    (bootstrap.VENV / "notes.txt").write_text("mine")
    with pytest.raises(bootstrap.SetupError, match="no virtual environment"):
        bootstrap.ensure_venv()
    assert (bootstrap.VENV / "notes.txt").exists()


def test_changed_lock_installs_again(bootstrap: ModuleType) -> None:
    before = bootstrap.wanted_stamp()
    assert bootstrap.wanted_stamp() == before
    bootstrap.LOCK.write_text("thing==1.1 --hash=sha256:00\n")
    assert bootstrap.wanted_stamp() != before


@pytest.mark.parametrize("code", [0, 3])
def test_set_up_fails_with_the_compiling_of_kernels_and_else_goes_on(
    code: int, bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bootstrap.KERNELS[1:] == ["-m", "simulator.kernels"]
    monkeypatch.setattr(bootstrap, "KERNELS", ["sh", "-c", f"exit {code}"])
    if code == 0:
        bootstrap.compile_kernels()
    else:
        with pytest.raises(bootstrap.SetupError, match="exit status 3"):
            bootstrap.compile_kernels()


@pytest.mark.parametrize("python", ["/nonexistent/python3", "false"])
def test_unusable_python_is_told_with_rule_and_remedy(python: str) -> None:
    result = subprocess.run(
        [str(ROOT / ".ci" / "setup")],
        env={**os.environ, "PYTHON": python},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 2
    assert python in result.stderr
    assert "Python 3.11 or later" in result.stderr
    assert "remedy" in result.stderr


def test_gate_is_make_test_and_then_what_needs_a_cluster_or_flagd() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert commands == ['cd "$(dirname "$0")/.." && make test && make cluster-test && exec make flagd-test']
