"""Every scenario of the library: named like its file, with sources, valid by the models and by the JSON Schema."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML

from scenarios.catalogue import library_file, library_names
from scenarios.loading import load, read
from scenarios.schema import allowed_keys, json_schema
from tests.unit.scenario_texts import VALID

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
    "boolean": (bool,), "null": (type(None),),
}  # fmt: skip
KNOWN = {
    "$defs", "$ref", "$schema", "additionalProperties", "anyOf", "const", "default", "description", "enum", "examples",
    "exclusiveMinimum", "items", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minProperties",
    "minimum", "pattern", "patternProperties", "properties", "propertyNames", "required", "title", "type",
}  # fmt: skip


def plain(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def is_type(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def refusals(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """What a JSON Schema validator refuses, for the keywords that our schema uses (and for those only)."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        yield from refusals(value, json_schema()["$defs"][schema["$ref"].rsplit("/", 1)[-1]], path)
    options = schema.get("anyOf")
    if options and all(list(refusals(value, option, path)) for option in options):
        yield f"{path}: fits none of the options"
    types = schema.get("type", [])
    if types and not any(is_type(value, name) for name in ([types] if isinstance(types, str) else types)):
        yield f"{path}: is no {types}"
        return
    yield from refused_scalars(value, schema, path)
    if isinstance(value, dict):
        yield from refused_keys(value, schema, path)
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{path}: has {len(value)} items"
        for index, each in enumerate(value):
            yield from refusals(each, schema.get("items", {}), f"{path}[{index}]")


def refused_scalars(value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    if "const" in schema and value != schema["const"]:
        yield f"{path}: is not {schema['const']}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: is none of {schema['enum']}"
    if isinstance(value, str):
        if "pattern" in schema and re.search(schema["pattern"], value, re.ASCII) is None:
            yield f"{path}: {value!r} does not match {schema['pattern']}"
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{path}: has {len(value)} characters"
    if is_type(value, "number"):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{path}: {value} is out of range"
        if value <= schema.get("exclusiveMinimum", value - 1):
            yield f"{path}: {value} is too small"


def refused_keys(value: dict[str, Any], schema: dict[str, Any], path: str) -> Iterator[str]:
    for key in schema.get("required", []):
        if key not in value:
            yield f"{path}.{key}: is missing"
    if len(value) < schema.get("minProperties", 0):
        yield f"{path}: has {len(value)} keys"
    patterns: dict[str, Any] = schema.get("patternProperties", {})
    for key, each in value.items():
        found = [part for pattern, part in patterns.items() if re.search(pattern, key)]
        if key in schema.get("properties", {}):
            found.append(schema["properties"][key])
        others = schema.get("additionalProperties", True)
        if not found and others is False:
            yield f"{path}.{key}: is an unknown key"
        for part in found or ([others] if isinstance(others, dict) else []):
            yield from refusals(each, part, f"{path}.{key}")


@pytest.mark.parametrize("name", library_names())
def test_library_scenarios_are_named_like_their_files_and_valid(name: str) -> None:
    scenario, text = load(name)
    assert scenario.name == name
    assert scenario.description
    assert scenario.sources
    assert list(refusals(plain(text.text), json_schema())) == []


def test_there_are_at_least_three() -> None:
    assert {"shop-release", "bad-canary", "cloudflare-2025-12-05"} <= set(library_names())
    assert library_file("no-such") is None


def test_the_schema_takes_the_scenario_of_the_tests() -> None:
    assert list(refusals(plain(VALID), json_schema())) == []


def mappings(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of all mappings of plain data."""
    if isinstance(value, dict):
        yield path
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from mappings(each, (*path, key))


# Mappings whose keys are names that the author chooses.
NAMED = [("system", "services"), ("system", "stores"), ("functions",), ("functions", "buy", "cohorts"), ("published",)]


@pytest.mark.parametrize("path", list(mappings(plain(VALID))), ids=str)
def test_the_schema_refuses_unknown_keys_everywhere_and_the_hint_knows_the_known_ones(
    path: tuple[str | int, ...],
) -> None:
    data = plain(VALID)
    place = data
    for step in path:
        place = place[step]
    allowed = allowed_keys(path, json_schema())
    if path in NAMED:
        assert allowed == []
    elif path == ("expect",):
        assert allowed == ["release"]
    else:
        assert set(place) <= set(allowed)
    # A key that is neither a word of the language nor a name.
    place["No Such"] = {}
    if path == ("expect",):
        return  # any name may be a function's; the rules check that it is one
    assert list(refusals(data, json_schema()))


def test_the_schema_refuses_wrong_units_and_shapes() -> None:
    for old, new in [("duration: 60s", "duration: 60"), ("rate: 10/s", "rate: 10"), ("replicas: 4", "replicas: 0"),
                     ("success: \">= 99%\"", "success: 99%"), ("[{weight: 10%}, {bake: 10s}]", "[]"),
                     ("windtunnel/v1", "windtunnel/v2")]:  # fmt: skip
        assert list(refusals(plain(VALID.replace(old, new)), json_schema())), new


def test_the_schema_is_a_copy_that_says_what_it_is() -> None:
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert read("bad-canary").source == "bad-canary"
