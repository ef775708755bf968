"""Find the Toxiproxy server, or build it from its Go module.

Order: `toxiproxy-server` on PATH, the cache, a build (go_toolchain.py).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from chaos.errors import BuildFailed
from chaos.staging.go_toolchain import Go, Say, locked
from chaos.staging.paths import cache_dir

TOXIPROXY_VERSION = "2.12.0"
PACKAGE = "github.com/Shopify/toxiproxy/v2/cmd/server"
GO_VERSION_MIN = (1, 23)
BUILD_TIMEOUT_S = 600.0


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
    with locked(target.parent / ".build.lock"):
        found = find()
        if found:
            return found
        with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as scratch:
            _build(Path(scratch), target, say)
    return target


def _cached() -> Path:
    return cache_dir() / "bin" / f"toxiproxy-server-{TOXIPROXY_VERSION}"


def _build(scratch: Path, target: Path, say: Say) -> None:
    go = Go.find(GO_VERSION_MIN, scratch, say)
    say(f"building Toxiproxy {TOXIPROXY_VERSION} (once; about half a minute)")
    go.run(["install", "-trimpath", "-ldflags=-s -w", f"{PACKAGE}@v{TOXIPROXY_VERSION}"], BUILD_TIMEOUT_S)
    go.installed(PACKAGE).replace(target)


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
