"""The JSON Schema of the language, for editors and for naming the keys that are allowed at a place."""

from __future__ import annotations

from functools import cache
from typing import Any

from scenarios.scenario import FunctionExpectation, Scenario
from scenarios.yaml_text import Path

__all__ = ["allowed_keys", "json_schema", "meaning_without"]


@cache
def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of windtunnel/v1."""
    schema = Scenario.model_json_schema(by_alias=True, mode="validation")
    definitions = schema["$defs"]
    # In the text the functions' expectations stand beside `release`, without a level of their own.
    definitions.setdefault("FunctionExpectation", FunctionExpectation.model_json_schema())
    expect = definitions["Expect"]
    expect["properties"].pop("functions", None)
    expect["additionalProperties"] = {"$ref": "#/$defs/FunctionExpectation"}
    _close_names(schema)
    _allow_ranges(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Windtunnel scenario",
        **schema,
    }


def _close_names(node: Any) -> None:
    """Refuse keys that are no names, as the models do; pydantic leaves mappings with a pattern open."""
    if isinstance(node, dict):
        if "patternProperties" in node:
            node["additionalProperties"] = False
        # Defaults are in our units (60.0 seconds), which the text may not be written in.
        if node.get("type") == "string" and not isinstance(node.get("default", ""), str):
            del node["default"]
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _close_names(child)


def _allow_ranges(node: Any) -> None:
    """Let a range stand where a number stands; where it must not, the language's own rules say so."""
    if isinstance(node, dict):
        kind = node.get("type")
        if kind == "string" and str(node.get("pattern", "")).startswith("^" + _DIGIT):
            node["pattern"] = f"{node['pattern']}|{_RANGE}"
        elif kind in ("integer", "number"):
            node["type"] = [kind, "string"]
            node["pattern"] = _RANGE
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _allow_ranges(child)


_DIGIT = r"\d"
_RANGE = r"^[x+]?\s*\d[^.]*(\.\d[^.]*)?\.\.\s*[x+]?\s*\d.*$"


def allowed_keys(path: Path, root: dict[str, Any]) -> list[str]:
    """The keys that the mapping at `path` may have by a schema; empty where any name may stand."""
    return list(_resolve(_at(path, root), root).get("properties", {}))


def meaning_without(path: Path, root: dict[str, Any]) -> str:
    """What holds where the key at `path` is left out, as its description says; empty where it says nothing."""
    return str(_at(path, root).get("description", "")).partition("without it, ")[2]


def _at(path: Path, root: dict[str, Any]) -> dict[str, Any]:
    schema = root
    for step in path:
        schema = _resolve(schema, root)
        schema = schema.get("items", {}) if isinstance(step, int) else _of_key(schema, step)
    return schema


def _of_key(schema: dict[str, Any], key: str) -> dict[str, Any]:
    patterns: dict[str, Any] = schema.get("patternProperties", {})
    of_names: dict[str, Any] = schema.get("additionalProperties") or next(iter(patterns.values()), {})
    found: dict[str, Any] = schema.get("properties", {}).get(key, of_names)
    return found


def _resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    for option in schema.get("anyOf", []):
        if "$ref" in option:
            return _resolve(option, root)
    if "$ref" in schema:
        return _resolve(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root)
    return schema
