"""From what a check found to what its author is told: file, line, path, value and rule."""

from __future__ import annotations

import difflib
import math
from typing import Any

from pydantic_core import ErrorDetails

from scenarios.errors import Problem
from scenarios.ranges import dotted
from scenarios.schema import allowed_keys, meaning_without
from scenarios.yaml_text import Path

__all__ = ["path_of", "problem_of", "told"]

_ALIKE_MIN = 0.65
"""`retry` is like `retries` (0.67), `threads` is not like `readiness` (0.62)."""
_NONE = ("unlimited", "unbounded", "infinite", "infinity", "inf", "none", "None", "never", "no", "off", "disabled")

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
    "string_too_short": "must have at least {min_length} characters",
    "too_short": "must have at least {min_length}",
    "too_long": "must have at most {max_length} in version 1 of the language",
}


def told(path: Path, value: Any, rule: str, lines: dict[Path, int], source: str) -> Problem:
    """The problem of a rule that does not hold at a path."""
    return Problem(source, _line(path, lines), dotted(path) or "(the whole)", _shown(value), rule)


def path_of(error: ErrorDetails) -> Path:
    """Where it stands in the text."""
    path = tuple(step for step in error["loc"] if step != "[key]")
    return ("expect", *path[2:]) if path[:2] == ("expect", "functions") else path


def problem_of(error: ErrorDetails, data: Any, lines: dict[Path, int], source: str, schema: dict[str, Any]) -> Problem:
    """What pydantic found in what `schema`, a JSON Schema, describes."""
    loc = error["loc"]
    path = path_of(error)
    rule = _RULE_OF_TYPE.get(error["type"], "").format(**error.get("ctx", {}))
    if error["type"] == "string_too_short" and error["ctx"]["min_length"] == 1:
        rule = "must not be empty"
    written = _value_at(path, data, error["input"])
    if isinstance(written, str) and error["type"] in ("model_type", "list_type"):
        rule += _as_written(written, error["type"], allowed_keys(path, schema))
    value = _shown(written)
    if not rule:
        rule = error["msg"].removeprefix("Value error, ")
    if _means_none(written) and (meaning := meaning_without(path, schema)):
        rule += f"; or leave the key out: without it, {meaning}"
    if loc[-1:] == ("[key]",) or error["type"] == "invalid_key":
        value = _shown(error["input"] if error["type"] == "invalid_key" else path[-1])
    elif error["type"] == "missing":
        value = "(absent)"
    elif error["type"] == "extra_forbidden":
        rule = _unknown_key(path, allowed_keys(path[:-1], schema))
    return Problem(source, _line(path, lines), dotted(path) or "(the whole)", value, rule)


def _as_written(text: str, kind: str, allowed: list[str]) -> str:
    """How to write what somebody wrote as a bare text: `path: web`, or `strategy: canary`."""
    if kind == "list_type":
        return f", such as [{', '.join(each.strip() for each in text.replace('->', ',').split(','))}]"
    return f", such as {{{text}: {{...}}}}" if text in allowed else ""


def _means_none(written: Any) -> bool:
    """Whether it is a way to say that there is no limit, or no such thing."""
    return written in _NONE if isinstance(written, str) else written in (-1, math.inf, False)


def _value_at(path: Path, data: Any, otherwise: Any) -> Any:
    """What the author wrote at `path`; validators may have been given something derived from it."""
    for step in path:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return otherwise
    return data


def _unknown_key(path: Path, allowed: list[str]) -> str:
    near = difflib.get_close_matches(str(path[-1]), allowed, n=1, cutoff=_ALIKE_MIN)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"unknown key, allowed are {', '.join(allowed) or '(none)'}{hint}"


def _line(path: Path, lines: dict[Path, int]) -> int | None:
    while path and path not in lines:
        # Keys that are no text, such as 7, stand in `lines` as they are written.
        written = (*path[:-1], str(path[-1]))
        path = written if written in lines else path[:-1]
    return lines.get(path)


def _shown(value: Any) -> str:
    if value is None:
        return "(empty)"
    try:
        text = repr(value)
    except ValueError:
        # Python writes out no whole number of more than 4300 digits.
        text = "(a huge number)"
    return text if len(text) <= 80 else f"{text[:77]}..."
