"""From the text of a staging file to a staging's description, or to everything that is wrong with it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chaos.staging.files.errors import InvalidStagingFile, StagingFileUnreadable
from chaos.staging.files.models import StagingFile
from scenarios.errors import Problem, ScenarioUnreadable
from scenarios.problems import problem_of, told
from scenarios.yaml_text import Path as Place
from scenarios.yaml_text import parse

__all__ = ["Loaded", "load_staging", "parse_staging", "staging_schema"]

_BYTES_MAX = 1 << 20
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# Where `${NAME}` stands for an environment variable; anywhere else it is the text that it is.
_EXPANDED: tuple[Place, ...] = (
    ("target",), ("marker", "token"), ("kubernetes", "kubeconfig"), ("prometheus", "url"),
    ("envoy", "admin"),
)  # fmt: skip


@dataclass(frozen=True)
class Loaded:
    """A staging file as understood, and the plain data from which it can be understood again."""

    path: Path
    file: StagingFile
    data: dict[str, Any]


def load_staging(path: Path, environment: Mapping[str, str] | None = None) -> Loaded:
    """The staging that a file describes. Raises StagingFileUnreadable, InvalidStagingFile with every problem found."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_BYTES_MAX + 1)
    except OSError as error:
        raise StagingFileUnreadable(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > _BYTES_MAX:
        raise StagingFileUnreadable(f"{path}: is larger than {_BYTES_MAX} bytes")
    try:
        data, lines = parse(raw.decode("utf-8-sig"), str(path))
    except (UnicodeDecodeError, ScenarioUnreadable) as error:
        text = str(error) if isinstance(error, ScenarioUnreadable) else f"{path}: is not UTF-8 text: {error.reason}"
        raise StagingFileUnreadable(text.replace("a scenario in YAML", "a staging in YAML")) from error
    problems: list[Problem] = []
    for place, text in _texts_to_expand(data):
        value, unset = _expanded(text, os.environ if environment is None else environment)
        problems += [
            told(place, text, f"the environment variable {name} is not set", lines, str(path)) for name in unset
        ]
        _put(data, place, value)
    if problems:
        raise InvalidStagingFile(problems)
    return parse_staging(data, path, lines)


def parse_staging(data: dict[str, Any], path: Path, lines: dict[Place, int] | None = None) -> Loaded:
    """The staging of plain data, whose variables have their values already. Raises InvalidStagingFile."""
    try:
        return Loaded(path, StagingFile.model_validate(data), data)
    except ValidationError as error:
        found = error.errors(include_url=False)
    problems = [problem_of(each, data, lines or {}, str(path), staging_schema()) for each in found]
    raise InvalidStagingFile(sorted(problems, key=lambda each: (each.line or 0, each.path)))


@cache
def staging_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of windtunnel-staging/v1."""
    schema = StagingFile.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Windtunnel staging"}


def _texts_to_expand(data: Any) -> list[tuple[Place, str]]:
    places = list(_EXPANDED)
    commands = data.get("commands") if isinstance(data, dict) else None
    if isinstance(commands, dict) and isinstance(commands.get("env"), dict):
        places += [("commands", "env", name) for name in commands["env"]]
    found = [(place, _get(data, place)) for place in places]
    return [(place, text) for place, text in found if isinstance(text, str)]


def _expanded(text: str, environment: Mapping[str, str]) -> tuple[str, list[str]]:
    unset = [name for name in _VARIABLE.findall(text) if name not in environment]
    return _VARIABLE.sub(lambda match: environment.get(match[1], match[0]), text), unset


def _get(data: Any, place: Place) -> Any:
    for step in place:
        data = data.get(step) if isinstance(data, dict) else None
    return data


def _put(data: Any, place: Place, value: str) -> None:
    for step in place[:-1]:
        data = data[step]
    data[place[-1]] = value
