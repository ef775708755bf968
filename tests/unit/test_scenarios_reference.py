"""docs/scenario-language.md names exactly the keys of the models, which of them are required, and their defaults."""

import re
from pathlib import Path
from typing import Any

import pytest

from scenarios.quantities import parse_duration_s, parse_ratio
from scenarios.scenario import FunctionExpectation, Scenario

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "scenario-language.md"
ROW = re.compile(r"\| `(?P<key>[a-z0-9_-]+)` +\|(?P<value>.*?)\|(?P<default>.*?)\|")
# Defaults that are told in words, because they are nothing, everything, or a part of their own.
WORDS = {
    "the first change",
    "none",
    "empty",
    "unbounded",
    "unchanged",
    "all",
    "its defaults",
    "always open",
    "all four, in the order given below",
}


def documented() -> dict[str, dict[str, str]]:
    """Part -> key -> default, as the reference has them."""
    parts: dict[str, dict[str, str]] = {}
    keys: dict[str, str] = {}
    for line in REFERENCE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            keys = {}
        if line.startswith("### "):
            parts[line[4:].split(":")[0]] = keys
        elif match := ROW.match(line):
            assert match["key"] not in keys, line
            keys[match["key"]] = match["default"].strip()
    return parts


def modelled() -> dict[str, dict[str, Any]]:
    """Part -> its JSON Schema with defaults in the models' units."""
    schema = Scenario.model_json_schema(by_alias=True)
    parts = {**schema["$defs"], "Scenario": schema}
    parts["FunctionExpectation"] = FunctionExpectation.model_json_schema(by_alias=True)
    parts["Expect"]["properties"].pop("functions")
    return parts


DOCUMENTED, MODELLED = documented(), modelled()


def test_every_part_is_documented_and_no_other() -> None:
    assert set(DOCUMENTED) == set(MODELLED)


@pytest.mark.parametrize("part", sorted(MODELLED))
def test_every_key_is_documented_and_no_other(part: str) -> None:
    assert list(DOCUMENTED[part]) == list(MODELLED[part]["properties"])


@pytest.mark.parametrize("part", sorted(MODELLED))
def test_what_is_required_is_said(part: str) -> None:
    required = {key for key, default in DOCUMENTED[part].items() if default == "required"}
    assert required == set(MODELLED[part].get("required", []))


def in_si(text: str) -> object:
    """The value of a default as the reference writes it."""
    if text in ("true", "false"):
        return text == "true"
    if text.isdigit():
        return int(text)
    for parse in (parse_duration_s, parse_ratio):
        try:
            return parse(text)
        except ValueError:
            continue
    return text


@pytest.mark.parametrize(
    ("part", "key", "default"),
    [(part, key, default) for part, keys in DOCUMENTED.items() for key, default in keys.items()],
)
def test_defaults_are_those_of_the_models(part: str, key: str, default: str) -> None:
    if default == "required":
        return
    modelled = MODELLED[part]["properties"][key].get("default")
    if default in WORDS:
        assert not isinstance(modelled, bool | int | float), modelled
    else:
        assert in_si(default.strip("`")) == modelled


def test_links_lead_somewhere() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors
    for target in re.findall(r"\]\(([^#)][^)]*)\)", text):
        assert (REFERENCE.parent / target).exists(), target
