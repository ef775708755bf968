"""From a text to a scenario, or to the list of everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from scenarios.catalogue import library_file, library_names
from scenarios.errors import InvalidScenario, Problem, ScenarioNotFound, ScenarioUnreadable
from scenarios.problems import path_of, problem_of, told
from scenarios.ranges import ranges_in, with_values
from scenarios.rules import violations
from scenarios.scenario import Scenario
from scenarios.schema import json_schema
from scenarios.yaml_text import Path, parse

__all__ = ["ScenarioText", "load", "load_file", "load_text", "read"]

_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class ScenarioText:
    """A scenario's text as it was read, and where it came from."""

    source: str
    text: str


def read(reference: str) -> ScenarioText:
    """Text of a scenario named by file path or by its name in the library; raises ScenarioError."""
    try:
        with _file(reference).open("rb") as file:
            raw = file.read(_BYTES_MAX + 1)
    except OSError as error:
        raise ScenarioNotFound(f"{reference}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ScenarioNotFound(f"{reference!r}: cannot be read: {error}") from error
    if len(raw) > _BYTES_MAX:
        raise ScenarioUnreadable(f"{reference}: is larger than {_BYTES_MAX} bytes")
    try:
        return ScenarioText(reference, raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ScenarioUnreadable(f"{reference}: is not UTF-8 text: byte {error.start}: {error.reason}") from error


def _file(reference: str) -> FilePath:
    path = FilePath(reference)
    # A folder does not hide the library's scenario of its name: runs are kept in folders named like that.
    if path.suffix or (path.exists() and not path.is_dir()):
        return path
    in_library = library_file(reference)
    if in_library is not None:
        return in_library
    if path.exists():
        return path
    names = library_names()
    alike = [name for name in names if reference and reference in name] or get_close_matches(reference, names)
    hint = f"there are {', '.join(alike)}" if alike else "`windtunnel scenario list` shows what is"
    raise ScenarioNotFound(f"{reference}: is no file, and not in the library: {hint}")


def load(reference: str) -> tuple[Scenario, ScenarioText]:
    """Scenario of a file path or library name, with its text; raises ScenarioError."""
    source = read(reference)
    return load_text(source.text, source.source), source


def load_file(path: str | FilePath) -> Scenario:
    """Scenario of a file; raises ScenarioError."""
    source = read(str(path))
    return load_text(source.text, source.source)


@lru_cache(maxsize=16)  # a run is loaded, judged and reported from the same text
def load_text(text: str, source: str) -> Scenario:
    """Scenario of a text; raises ScenarioUnreadable, or InvalidScenario with every problem found."""
    data, lines = parse(text, source)
    ranges, refused = ranges_in(data)
    problems = [told(each.path, each.value, each.rule, lines, source) for each in refused]
    if problems:
        raise InvalidScenario(problems)
    scenarios = []
    # The middle is the scenario; what does not hold at an end of a range is a problem of it as well.
    for share in (0.5, 0.0, 1.0) if ranges else (0.5,):
        scenario, found = _checked(with_values(data, ranges, [each.at(share) for each in ranges]), lines, source)
        scenarios.append(scenario)
        known = {(each.path, each.rule) for each in problems}
        problems += [each for each in found if (each.path, each.rule) not in known]
    if problems or scenarios[0] is None:
        raise InvalidScenario(sorted(problems, key=lambda each: (each.line or 0, each.path)))
    return scenarios[0]


# Parts of these say what there is for others to name.
_NAMED_ELSEWHERE = ((), ("system",), ("release",), ("release", "strategy"), ("operations",), ("calendar",))
_WORDS = (("schema",), ("name",), ("sources",), ("duration",))
_SHAPES = ("missing", "model_type", "dict_type", "list_type", "extra_forbidden", "too_short")


def _names_are_missing(error: ErrorDetails) -> bool:
    """Whether a whole part is not there, or not under its name: rules between parts would miss all that it names."""
    path = path_of(error)
    return error["type"] in _SHAPES and path[:-1] in _NAMED_ELSEWHERE and path not in _WORDS


def _checked(data: Any, lines: dict[Path, int], source: str) -> tuple[Scenario | None, list[Problem]]:
    """The scenario of plain data without ranges, and everything that is wrong with it."""
    problems: list[Problem] = []
    scenario: Scenario | None = None
    wrong: set[Path] = set()
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        problems += [problem_of(each, data, lines, source, json_schema()) for each in errors]
        wrong = {path_of(each) for each in errors}
        if any(_names_are_missing(each) for each in errors):
            return None, problems
    problems += [
        told(each.path, each.value, each.rule, lines, source) for each in violations(data) if each.path not in wrong
    ]
    return scenario, problems
