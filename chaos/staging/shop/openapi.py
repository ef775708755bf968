"""What a version of a service promises its callers: its OpenAPI document.

A version whose defect breaks the contract says so: it requires a field, or a parameter, that nobody sends yet.
"""

from __future__ import annotations

from typing import Any

__all__ = ["document"]

_TEXT, _NUMBER = {"type": "string"}, {"type": "number"}


def document(service: str, version: str, *, breaks: bool) -> dict[str, Any]:
    """The document; `breaks`: with what its callers do not send."""
    return {
        "openapi": "3.0.3",
        "info": {"title": service, "version": version},
        "paths": {path: {method: _operation(path, breaks)} for method, path in _SERVED[service]},
    }


_SERVED = {
    "edge": (("post", "/checkout"), ("get", "/catalogue")),
    "catalogue": (("get", "/catalogue"),),
    "checkout": (("post", "/checkout"),),
    "payments": (("post", "/payments"),),
}
_REQUESTS = {
    "/checkout": ({"order_id": _TEXT, "amount": _NUMBER, "function": _TEXT, "cohort": _TEXT}, ["order_id"]),
    "/payments": ({"order": _TEXT, "amount": _NUMBER}, ["order", "amount"]),
}
_ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "/checkout": ("201", {"order_id": _TEXT}),
    "/payments": ("200", {"paid": {"type": "boolean"}}),
    "/catalogue": (
        "200",
        {"items": {"type": "array", "items": {"type": "object", "properties": {"sku": _TEXT, "price": _NUMBER}}}},
    ),
}


def _operation(path: str, breaks: bool) -> dict[str, Any]:
    status, properties = _ANSWERS[path]
    operation: dict[str, Any] = {
        "responses": {status: {"description": "done", **_json(properties, list(properties))}},
    }
    if path in _REQUESTS:
        fields, required = _REQUESTS[path]
        asked = (fields | {"currency": _TEXT}, [*required, "currency"]) if breaks else (fields, required)
        operation["requestBody"] = {"required": True, **_json(*asked)}
    elif breaks:
        operation["parameters"] = [{"name": "currency", "in": "query", "required": True, "schema": _TEXT}]
    return operation


def _json(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": required}
    return {"content": {"application/json": {"schema": schema}}}
