"""Breaking differences between two OpenAPI documents, by oasdiff: on PATH, in the cache, or built from Go."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.errors import ChaosError
from chaos.staging.go_toolchain import Go, Say, locked
from chaos.staging.paths import cache_dir

__all__ = ["Breaking", "breaking", "ensure", "find"]

OASDIFF_VERSION = "1.36.0"
PACKAGE = "github.com/oasdiff/oasdiff"
GO_VERSION_MIN = (1, 26)
BUILD_TIMEOUT_S = 600.0
_COMPARE_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Breaking:
    """One difference that breaks consumers: at which operation, oasdiff's name of its kind, and in words."""

    path: str
    operation: str
    kind: str
    text: str

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.operation} {self.path}: {self.text} ({self.kind})"


def find() -> Path | None:
    """The program, if it is on PATH or in the cache."""
    on_path = shutil.which("oasdiff")
    if on_path:
        return Path(on_path)
    return _cached() if os.access(_cached(), os.X_OK) else None


def ensure(say: Say = lambda _: None) -> Path:
    """The program, built now if need be. Two runs at once build it once. Raises BuildFailed."""
    target = _cached()
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent / ".build-oasdiff.lock"):
        found = find()
        if found:
            return found
        with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as scratch:
            go = Go.find(GO_VERSION_MIN, Path(scratch), say)
            say(f"building oasdiff {OASDIFF_VERSION} (once; about a minute)")
            go.run(["install", "-trimpath", "-ldflags=-s -w", f"{PACKAGE}@v{OASDIFF_VERSION}"], BUILD_TIMEOUT_S)
            go.installed(PACKAGE).replace(target)
    return target


def breaking(old: Mapping[str, Any], new: Mapping[str, Any], say: Say = lambda _: None) -> list[Breaking]:
    """What in the new document breaks those who hold on to the old one. Raises ChaosError, BuildFailed."""
    program = ensure(say)
    with tempfile.TemporaryDirectory(prefix="windtunnel-contract-") as name:
        folder = Path(name)
        for file, document in (("old.json", old), ("new.json", new)):
            (folder / file).write_text(json.dumps(document), encoding="utf-8")
        command = [str(program), "breaking", "old.json", "new.json", "--format", "json"]
        try:
            answer = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_COMPARE_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ChaosError(f"oasdiff failed: {error}") from error
    if answer.returncode != 0:
        raise ChaosError(f"oasdiff failed with code {answer.returncode}: {answer.stderr.strip()}")
    return [
        Breaking(each.get("path", ""), each.get("operation", ""), each["id"], each["text"])
        for each in json.loads(answer.stdout or "[]")
    ]


def _cached() -> Path:
    return cache_dir() / "bin" / f"oasdiff-{OASDIFF_VERSION}"
