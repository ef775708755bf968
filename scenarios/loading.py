"""From a text to a scenario, or to the list of everything that is wrong with it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from scenarios.catalogue import library_file, library_names
from scenarios.errors import InvalidScenario, Problem, ScenarioNotFound, ScenarioUnreadable
from scenarios.ranges import dotted, ranges_in, with_values
from scenarios.rules import violations
from scenarios.scenario import Scenario
from scenarios.schema import allowed_keys
from scenarios.yaml_text import Path, parse

__all__ = ["ScenarioText", "load", "load_file", "load_text", "read"]

_BYTES_MAX = 1 << 20

_RULE_OF_TYPE = {
    "missing": "is required",
    "model_type": "must be a mapping of keys to values",
    "invalid_key": "must be text, not a number or a list",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "dict_type": "must be a mapping of names to values",
    "list_type": "must be a list",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be one of {expected}",
    "string_too_short": "must not be empty",
    "too_short": "must have at least {min_length}",
    "too_long": "must have at most {max_length} in version 1 of the language",
}


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
    raise ScenarioNotFound(f"{reference}: is no file, and not in the library: {', '.join(library_names())}")


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
    problems = [_told(each.path, each.value, each.rule, lines, source) for each in refused]
    if problems:
        raise InvalidScenario(problems)
    scenarios = []
    # The middle is the scenario; what does not hold at an end of a range is a problem of it as well.
    for share in (0.5, 0.0, 1.0) if ranges else (0.5,):
        scenario, found = _checked(with_values(data, ranges, [each.at(share) for each in ranges]), lines, source)
        scenarios.append(scenario)
        told = {(each.path, each.rule) for each in problems}
        problems += [each for each in found if (each.path, each.rule) not in told]
    if problems or scenarios[0] is None:
        raise InvalidScenario(sorted(problems, key=lambda each: (each.line or 0, each.path)))
    return scenarios[0]


def _checked(data: Any, lines: dict[Path, int], source: str) -> tuple[Scenario | None, list[Problem]]:
    """The scenario of plain data without ranges, and everything that is wrong with it."""
    problems: list[Problem] = []
    scenario: Scenario | None = None
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        problems += [_problem(each, data, lines, source) for each in error.errors(include_url=False)]
    problems += [_told(each.path, each.value, each.rule, lines, source) for each in violations(data)]
    return scenario, problems


def _told(path: Path, value: Any, rule: str, lines: dict[Path, int], source: str) -> Problem:
    return Problem(source, _line(path, lines), dotted(path) or "(the whole)", _shown(value), rule)


def _problem(error: ErrorDetails, data: Any, lines: dict[Path, int], source: str) -> Problem:
    loc = error["loc"]
    path = tuple(step for step in loc if step != "[key]")
    if path[:2] == ("expect", "functions"):
        path = ("expect", *path[2:])
    rule = _RULE_OF_TYPE.get(error["type"], "").format(**error.get("ctx", {}))
    value = _shown(_value_at(path, data, error["input"]))
    if not rule:
        rule = error["msg"].removeprefix("Value error, ")
    if loc[-1:] == ("[key]",) or error["type"] == "invalid_key":
        value = _shown(error["input"] if error["type"] == "invalid_key" else path[-1])
    elif error["type"] == "missing":
        value = "(absent)"
    elif error["type"] == "extra_forbidden":
        rule = _unknown_key(path)
    return Problem(source, _line(path, lines), dotted(path) or "(the whole)", value, rule)


def _value_at(path: Path, data: Any, otherwise: Any) -> Any:
    """What the author wrote at `path`; validators may have been given something derived from it."""
    for step in path:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return otherwise
    return data


def _unknown_key(path: Path) -> str:
    allowed = allowed_keys(path[:-1])
    near = difflib.get_close_matches(str(path[-1]), allowed, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"unknown key, allowed are {', '.join(allowed) or '(none)'}{hint}"


def _line(path: Path, lines: dict[Path, int]) -> int | None:
    while path and path not in lines:
        # Keys that are no text, such as 7, stand in `lines` as they are written.
        written = (*path[:-1], str(path[-1]))
        path = written if written in lines else path[:-1]
    return lines.get(path)


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:
        # Python writes out no whole number of more than 4300 digits.
        text = "(a huge number)"
    return text if len(text) <= 80 else f"{text[:77]}..."
