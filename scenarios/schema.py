"""The JSON Schema of the language, for editors and for naming the keys that are allowed at a place."""

from __future__ import annotations

from functools import cache
from typing import Any

from scenarios.scenario import FunctionExpectation, Scenario
from scenarios.yaml_text import Path

__all__ = ["allowed_keys", "json_schema"]


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
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Windtunnel scenario",
        **schema,
    }


def allowed_keys(path: Path) -> list[str]:
    """The keys that the mapping at `path` may have; empty where any name may stand."""
    schema = _resolve(json_schema())
    for step in path:
        if isinstance(step, int):
            schema = _resolve(schema.get("items", {}))
        else:
            properties = schema.get("properties", {})
            others = schema.get("additionalProperties")
            schema = _resolve(properties.get(step, others if isinstance(others, dict) else {}))
    return list(schema.get("properties", {}))


def _resolve(schema: dict[str, Any]) -> dict[str, Any]:
    for option in schema.get("anyOf", []):
        if "$ref" in option:
            return _resolve(option)
    if "$ref" in schema:
        return _resolve(json_schema()["$defs"][schema["$ref"].rsplit("/", 1)[-1]])
    return schema
