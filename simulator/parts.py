"""Walking through a scenario's models, whatever they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from scenarios.models import Guardrail

__all__ = ["judged_services", "parts"]


def parts(value: Any, where: str) -> Iterator[tuple[BaseModel, str]]:
    """The models in a field's value, each with its path; `where` is that of the field."""
    if isinstance(value, BaseModel):
        yield value, where
    elif isinstance(value, dict):
        yield from ((each, f"{where}.{name}") for name, each in value.items() if isinstance(each, BaseModel))
    elif isinstance(value, list):
        yield from ((each, f"{where}[{place}]") for place, each in enumerate(value) if isinstance(each, BaseModel))


def judged_services(part: BaseModel) -> Iterator[str]:
    """The services that guardrails and analyses, in `part` or below, look at."""
    if isinstance(part, Guardrail):
        yield part.of
    for name in type(part).model_fields:
        for inner, _ in parts(getattr(part, name), name):
            yield from judged_services(inner)
