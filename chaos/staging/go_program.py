"""A program of somebody else's that is found, or built once from its Go module: on PATH, in the cache, by a build."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import BuildFailed
from chaos.staging.go_toolchain import Go, Say, locked
from chaos.staging.paths import cache_dir

__all__ = ["BUILD_TIMEOUT_S", "INSTALL", "GoProgram"]

# The longest took two minutes of a quiet two-core machine; a busy one takes much longer.
BUILD_TIMEOUT_S = 2_400.0
INSTALL = ("install", "-trimpath", "-ldflags=-s -w")


@dataclass(frozen=True)
class GoProgram:
    """`name` is what it is called on PATH; `takes` tells people how long a build takes."""

    name: str
    version: str
    package: str
    go_minimum: tuple[int, int]
    takes: str

    def find(self) -> Path | None:
        """The program, if it is on PATH or in the cache."""
        on_path = shutil.which(self.name)
        if on_path:
            return Path(on_path)
        return self.cached if os.access(self.cached, os.X_OK) else None

    def ensure(self, say: Say = lambda _: None) -> Path:
        """The program, built now if need be. Two runs at once build it once. Raises BuildFailed."""
        found = self.find()
        if found:
            return found
        target = self.cached
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.parent / f".build-{self.name}.lock"):
            found = self.find()
            if found:
                return found
            with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as scratch:
                go = Go.find(self.go_minimum, Path(scratch), say)
                say(f"building {self.name} {self.version} (once; about {self.takes})")
                self.build(go)
                go.installed(self.package).replace(target)
        return target

    def build(self, go: Go) -> None:
        """Have the toolchain install it. Raises BuildFailed."""
        go.run([*INSTALL, f"{self.package}@v{self.version}"], BUILD_TIMEOUT_S)

    @property
    def cached(self) -> Path:
        """Where it is kept when it was built."""
        return cache_dir() / "bin" / f"{self.name}-{self.version}"

    def main(self) -> int:
        """Of a module that is run: print where the program is, building it if need be; the exit code."""
        try:
            print(self.ensure(lambda text: print(text, file=sys.stderr)))
        except BuildFailed as error:
            print(f"error: {error}", file=sys.stderr)
            return 4
        return 0
