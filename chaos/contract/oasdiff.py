"""Breaking differences between two OpenAPI documents, by oasdiff: on PATH, in the cache, or built from Go.

oasdiff takes any document, also one that promises nothing, and finds that nothing of it breaks; so documents are looked
at first. Three kinds of differences that it only mentions count here: a field or a header that an answer no longer has,
though it was never required, and a status that is no success and is gone. Consumers read and handle them. It does not
look at `additionalProperties`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from chaos.errors import ChaosError
from chaos.staging.go_program import GoProgram
from chaos.staging.go_toolchain import Say

__all__ = ["OASDIFF", "Breaking", "DocumentInvalid", "breaking", "breaking_files"]

OASDIFF = GoProgram("oasdiff", "1.36.0", "github.com/oasdiff/oasdiff", (1, 26), "a minute")

_COMPARE_TIMEOUT_S = 30.0
_BREAKING_TOO = (
    "optional-response-header-removed",
    "response-optional-property-removed",
    "response-non-success-status-removed",
)
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"})


class DocumentInvalid(ChaosError):
    """A document cannot be read, is no OpenAPI 3, or has no operation: nothing can be said of its contract."""


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
    _require_openapi("the old version's document", old)
    _require_openapi("the new version's document", new)
    program = OASDIFF.ensure(say)
    with tempfile.TemporaryDirectory(prefix="windtunnel-contract-") as name:
        old_file, new_file = Path(name, "old.json"), Path(name, "new.json")
        old_file.write_text(json.dumps(old), encoding="utf-8")
        new_file.write_text(json.dumps(new), encoding="utf-8")
        return _compared(program, old_file, new_file, "--allow-external-refs=false")


def breaking_files(old: Path, new: Path, say: Say = lambda _: None) -> list[Breaking]:
    """The same of two files, YAML or JSON, with the files that they refer to. Raises ChaosError, BuildFailed."""
    for path in (old, new):
        _require_openapi(str(path), _read(path))
    return _compared(OASDIFF.ensure(say), old.absolute(), new.absolute())


def _read(path: Path) -> Any:
    try:
        # JSON is YAML, but for tabs.
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else YAML(typ="safe").load(text)
    except (OSError, ValueError, YAMLError) as error:
        raise DocumentInvalid(f"{path}: cannot be read: {error}") from error


def _require_openapi(name: str, document: Any) -> None:
    version = document.get("openapi") if isinstance(document, Mapping) else None
    if not isinstance(version, str) or not version.startswith("3."):
        raise DocumentInvalid(f"{name}: openapi: {version!r}: must be a version 3 of OpenAPI, such as 3.1.0")
    paths = document.get("paths")
    items = paths.values() if isinstance(paths, Mapping) else ()
    # An item may be in another file, which oasdiff reads.
    if not any(isinstance(item, Mapping) and ("$ref" in item or _METHODS & item.keys()) for item in items):
        raise DocumentInvalid(f"{name}: paths: must have an operation, else there is no contract to compare")


def _compared(program: Path, old: Path, new: Path, *options: str) -> list[Breaking]:
    with tempfile.TemporaryDirectory(prefix="windtunnel-contract-") as folder:  # away from any configuration of oasdiff
        severities = Path(folder, "severities.txt")
        severities.write_text("".join(f"{kind} err\n" for kind in _BREAKING_TOO), encoding="utf-8")
        command = [str(program), "breaking", str(old), str(new), "--format", "json", *options]
        command += ["--severity-levels", str(severities)]
        try:
            answer = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_COMPARE_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ChaosError(f"oasdiff failed: {error}") from error
    if answer.returncode > 100:  # its codes for what it cannot load
        raise DocumentInvalid(f"oasdiff: {answer.stderr.strip().removeprefix('Error: ')}")
    if answer.returncode != 0:
        raise ChaosError(f"oasdiff failed with code {answer.returncode}: {answer.stderr.strip()}")
    return [
        Breaking(each.get("path", ""), each.get("operation", ""), each["id"], each["text"])
        for each in json.loads(answer.stdout or "[]")
    ]


if __name__ == "__main__":
    sys.exit(OASDIFF.main())
