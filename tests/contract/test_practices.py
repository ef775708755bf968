"""docs/practices.md: each practice has a key that there is, an example that uses it, tests and a place in the docs."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer
from ruamel.yaml import YAML

from scenarios.catalogue import library_file, library_names
from scenarios.schema import json_schema
from simulator.unmodelled import UNMODELLED
from windtunnel.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ROW = re.compile(
    r"\| (?P<practice>[^|]+) \| `(?P<key>[^`|]+)` \| (?P<example>[^|]+) \| (?P<tests>`[^|]+`) \| "
    r"\[[^\]]+\]\((?P<place>[^)]+)\) \|"
)
EXAMPLE = re.compile(r"\[(?P<name>[a-z0-9-]+)\]\(\.\./scenarios/library/(?P=name)\.yaml\)")
NOT_MODELLED = "drills only"


@dataclass(frozen=True)
class Practice:
    """A row of the table. `key` is a path of the language, with `: value` where it is about one, or a command."""

    practice: str
    key: str
    example: str
    tests: str
    place: str

    @property
    def command(self) -> list[str]:
        """The words of a command behind `windtunnel`; empty where the key is one of the language."""
        first, *words = self.key.split()
        return words if first == "windtunnel" else []

    @property
    def path(self) -> list[str]:
        return self.key.split(": ")[0].replace("[]", ".[]").split(".")

    @property
    def value(self) -> str | None:
        return self.key.split(": ")[1] if ": " in self.key else None

    @property
    def words(self) -> re.Pattern[str]:
        """What a text that is about the practice calls it by: the key's last step, or the value."""
        last = next(step for step in reversed(self.path) if step != "[]")
        names = [last] if self.value is None else [last, self.value]
        either = "|".join("[ _-]?".join(map(re.escape, re.split("[_-]", name))) for name in names)
        return re.compile(rf"(?<![a-z0-9])({either})s?(?![a-z0-9])", re.IGNORECASE)


def table() -> list[Practice]:
    lines = (DOCS / "practices.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| Practice |")]
    matches = [ROW.fullmatch(row) for row in rows]
    assert [row for row, match in zip(rows, matches, strict=True) if match is None] == []
    return [Practice(**match.groupdict()) for match in matches if match is not None]


PRACTICES = table()
OF_THE_LANGUAGE = [each for each in PRACTICES if not each.command]
COMMANDS = [each for each in PRACTICES if each.command]


def test_there_is_a_row_for_each_practice_and_none_twice() -> None:
    names = [each.practice for each in PRACTICES]
    assert len(names) > 150
    assert len(set(names)) == len(names)


# -- keys


def children(schema: dict[str, Any], step: str) -> Iterator[dict[str, Any]]:
    """What the schema says of a step below: a key, NAME for any name, [] for any entry."""
    if "$ref" in schema:
        yield from children(json_schema()["$defs"][schema["$ref"].rsplit("/", 1)[-1]], step)
    for option in schema.get("anyOf", []):
        yield from children(option, step)
    if step == "[]":
        yield from [schema["items"]] if "items" in schema else []
    elif step == "NAME":
        others = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
        yield from (each for each in others if isinstance(each, dict))
    elif step in schema.get("properties", {}):
        yield schema["properties"][step]


def described(path: list[str]) -> list[dict[str, Any]]:
    found = [json_schema()]
    for step in path:
        found = [below for schema in found for below in children(schema, step)]
    return found


def test_every_key_is_in_the_schema() -> None:
    assert [row.key for row in OF_THE_LANGUAGE if not described(row.path)] == []


def test_every_command_is_there_with_its_options() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for row in COMMANDS:
        name, *options = row.command
        assert name in commands
        assert set(options) <= {option for each in commands[name].params for option in each.opts}, row.key


# -- examples


def values(data: Any, path: list[str]) -> Iterator[Any]:
    """What stands in a scenario's text at a path."""
    if not path:
        yield data
        return
    step, *rest = path
    if step == "[]" and isinstance(data, list):
        below = data
    elif step == "NAME" and isinstance(data, dict):
        below = list(data.values())
    else:
        below = [data[step]] if isinstance(data, dict) and step in data else []
    for each in below:
        yield from values(each, rest)


def paths(path: list[str]) -> Iterator[list[str]]:
    """The path itself, and that of an alternative to the strategy."""
    yield path
    if path[:2] == ["release", "strategy"]:
        yield ["release", "alternatives", "[]", *path[2:]]


def shows(row: Practice) -> bool:
    """Whether the example uses the key, at the value that the row is about; a command takes any scenario."""
    if row.example == NOT_MODELLED:
        return row.path[:2] == ["faults", "[]"] and row.path[2] in UNMODELLED
    match = EXAMPLE.fullmatch(row.example)
    file = None if match is None else library_file(match["name"])
    if file is None or row.command:
        return file is not None
    data = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    found = [each for path in paths(row.path) for each in values(data, path)]
    return bool(found) if row.value is None else row.value in map(str, found)


def test_every_example_is_in_the_library_and_uses_the_key() -> None:
    assert [(row.key, row.example) for row in PRACTICES if not shows(row)] == []


def test_each_scenario_of_the_library_that_is_no_replay_is_an_example() -> None:
    shown = {match["name"] for each in PRACTICES if (match := EXAMPLE.fullmatch(each.example))}
    replays = {name for name in library_names() if re.search(r"-\d{4}-\d\d-\d\d$", name)}
    assert set(library_names()) - replays - shown == set()


# -- tests


@cache
def parsed(file: Path) -> tuple[str, ast.Module]:
    text = file.read_text(encoding="utf-8")
    return text, ast.parse(text)


def told_by(test: str) -> str:
    """The source of a test and of what it stands on in its module: all but the other tests."""
    name, function = test.split("::")
    file = ROOT / "tests" / name
    text, module = parsed(file)
    nodes = [node for node in module.body if not is_test(node) or node.name == function]
    assert any(is_test(node) for node in nodes), f"{test} is not there"
    lines = text.splitlines()
    return "\n".join(line for node in nodes for line in lines[first_line(node) - 1 : node.end_lineno])


def is_test(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test_")


def first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
    return min([node.lineno, *(each.lineno for each in decorators)])


def test_every_test_is_there_and_names_the_key_or_plays_the_example() -> None:
    silent = []
    for row in PRACTICES:
        told = "".join(told_by(test) for test in re.findall(r"`([^`]+)`", row.tests))
        match = EXAMPLE.fullmatch(row.example)
        plays = match is not None and match["name"] in told
        if not (row.command or plays or row.words.search(told)):
            silent.append((row.key, row.tests))
    assert silent == []


# -- docs


@cache
def sections(file: str) -> dict[str, str]:
    """Anchor of a heading -> the text below it, as far as the next heading of any level."""
    anchors: dict[str, str] = {}
    anchor = ""
    for line in (DOCS / file).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            anchor = re.sub(r"[^a-z0-9 _-]", "", line.lstrip("# ").lower()).replace(" ", "-")
        anchors[anchor] = anchors.get(anchor, "") + line + "\n"
    return anchors


def test_every_place_in_the_docs_is_there_and_speaks_of_the_key() -> None:
    silent = []
    for row in PRACTICES:
        file, _, anchor = row.place.partition("#")
        text = sections(file).get(anchor, "") if anchor else (DOCS / file).read_text(encoding="utf-8")
        if not text or not (row.command or row.words.search(text)):
            silent.append((row.key, row.place))
    assert silent == []


def test_readers_find_the_table() -> None:
    for file in (ROOT / "README.md", DOCS / "concepts.md"):
        assert "practices.md)" in file.read_text(encoding="utf-8"), file.name
