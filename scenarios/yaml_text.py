"""YAML 1.2 text to plain data, with the line of every value.

YAML 1.2 and not 1.1, because in 1.1 the key `on` is the boolean true and `1:30` is ninety.
"""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from scenarios.errors import ScenarioUnreadable

__all__ = ["Path", "parse"]

Path = tuple[str | int, ...]

# Aliases let a few lines of YAML stand for billions of values; no scenario comes near this.
_VALUES_MAX = 100_000
_DEPTH_MAX = 50


_NO_COLON = "could not find expected ':'"
_ADVICE = {
    "'\\t'": ": indent by spaces, not by tabs",
    "found character '>'": ': a bound must be quoted, such as ">= 99%"',
    "chomping or indentation indicators": ': a bound must be quoted, such as ">= 99%"',
    _NO_COLON: " and a space after a key",
}
"""What an author is likely to have meant, by words of the problem."""


def parse(text: str, source: str) -> tuple[Any, dict[Path, int]]:
    """Plain data, and the line (from 1) on which the value at each path starts; raises ScenarioUnreadable."""
    try:
        _check_events(text, source)
        yaml = YAML(typ="safe", pure=True)
        node = yaml.compose(text)
        if node is None:
            raise ScenarioUnreadable(f"{source}: is empty: must be a scenario in YAML")
        lines: dict[Path, int] = {}
        _collect(node, (), lines, source)
        return yaml.constructor.construct_document(node), lines
    except MarkedYAMLError as error:
        # ruamel adds a paragraph of advice for programmers to some problems; the first line is the problem.
        problem = str(error.problem or error.context).strip().splitlines()[0]
        advice = next((advice for words, advice in _ADVICE.items() if words in problem), "")
        # A key without its colon is noticed on the next line only.
        first, second = error.problem_mark, error.context_mark
        mark = (second or first) if problem == _NO_COLON else (first or second)
        where = f"{source}:{mark.line + 1}" if mark is not None else source
        raise ScenarioUnreadable(f"{where}: is not YAML 1.2: {problem}{advice}") from error
    except RecursionError as error:
        raise ScenarioUnreadable(f"{source}: stands in itself, or is nested too deeply") from error
    except (YAMLError, ValueError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ScenarioUnreadable(f"{source}: is not YAML 1.2: {first}") from error


def _check_events(text: str, source: str) -> None:
    """Refuse what the parser breaks on or takes minutes for, before it does: tags, and brackets within brackets."""
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        where = f"{source}:{event.start_mark.line + 1}"
        # A tag claims what a value is (`!!bool x`); what is no such value is a crash.
        if getattr(event, "ctag", None) is not None:
            raise ScenarioUnreadable(f"{where}: {event.ctag}: must not be there: tags have no meaning in a scenario")
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _DEPTH_MAX:
            raise ScenarioUnreadable(f"{where}: is nested more than {_DEPTH_MAX} deep")


def _collect(node: Node, path: Path, lines: dict[Path, int], source: str) -> None:
    if len(lines) >= _VALUES_MAX:
        raise ScenarioUnreadable(f"{source}: holds more than {_VALUES_MAX} values")
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise ScenarioUnreadable(f"{source}:{line}: a key must be text, not a list or a mapping")
            name = str(key.value)
            if (*path, name) in lines:
                raise ScenarioUnreadable(
                    f"{source}:{key.start_mark.line + 1}: {name}: must be there once: it is on line "
                    f"{lines[(*path, name)]} already"
                )
            _collect(value, (*path, name), lines, source)
            # A mapping's own line is that of its first key, the line below; its name's is the one to show.
            lines[(*path, name)] = key.start_mark.line + 1
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            _collect(value, (*path, index), lines, source)
