"""Links: the connection of a caller to a callee, which faults of the network are on."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from scenarios.base import Part

__all__ = ["Link", "OnLink"]

_LINK = re.compile(r"([a-z][a-z0-9-]*)\s*->\s*([a-z][a-z0-9-]*)")


class Link(Part):
    """The connection of a caller to a callee, written `caller -> callee`."""

    caller: str
    callee: str

    def __str__(self) -> str:
        return f"{self.caller} -> {self.callee}"


def _parse_link(value: Any) -> Any:
    if isinstance(value, Link):
        return value
    match = _LINK.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a link such as 'checkout -> payments'")
    return Link(caller=match[1], callee=match[2])


OnLink = Annotated[
    Link,
    BeforeValidator(_parse_link),
    WithJsonSchema({"type": "string", "pattern": _LINK.pattern, "examples": ["checkout -> payments"]}),
]
