"""Breaking differences between two OpenAPI documents, by oasdiff: on PATH, in the cache, or built from Go."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.errors import ChaosError
from chaos.staging.go_program import GoProgram
from chaos.staging.go_toolchain import Say

__all__ = ["OASDIFF", "Breaking", "breaking"]

OASDIFF = GoProgram("oasdiff", "1.36.0", "github.com/oasdiff/oasdiff", (1, 26), "a minute")

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


def breaking(old: Mapping[str, Any], new: Mapping[str, Any], say: Say = lambda _: None) -> list[Breaking]:
    """What in the new document breaks those who hold on to the old one. Raises ChaosError, BuildFailed."""
    program = OASDIFF.ensure(say)
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


if __name__ == "__main__":
    sys.exit(OASDIFF.main())
