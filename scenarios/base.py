"""What every part of a scenario has in common: unknown keys are errors, and nothing changes after loading."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator

__all__ = ["Bounds", "Name", "Part", "Text", "Version", "exactly_one"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Part(BaseModel):
    """A part of a scenario. Field names are ours (units last); aliases are the words of the language."""

    # Strict: the text "yes" is not true, and the text "0.5" is not a number.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False, allow_inf_nan=False, strict=True)


class Bounds(Part):
    """A part of bounds that must hold. A key whose value was forgotten would be one that nobody looks at: refused."""

    @field_validator("*", mode="before")
    @classmethod
    def _given(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("must have a value, or be left out: nothing would be held to it")
        return value


def _parse_name(value: Any) -> str:
    if not isinstance(value, str) or _NAME.fullmatch(value) is None or len(value) > 63:
        raise ValueError("must be a name of lower-case letters, digits and single dashes, at most 63 long")
    return value


def _parse_version(value: Any) -> str:
    # Unquoted, 2.10 is the number 2.1: the version would be a different one from the one that is meant.
    if not isinstance(value, str):
        raise ValueError('must be quoted text, such as "2.10" (unquoted, YAML reads a number)')
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}", value):
        raise ValueError("must be letters, digits and ._+-, at most 63 long")
    return value


Name = Annotated[
    str,
    BeforeValidator(_parse_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": 63}),
]
Version = Annotated[str, BeforeValidator(_parse_version), WithJsonSchema({"type": "string"})]
Text = Annotated[str, Field(min_length=1)]


def exactly_one(part: BaseModel, names: tuple[str, ...]) -> str:
    """The one of the fields `names` that is given; raises ValueError (with the YAML words) for none or several."""
    words = {name: type(part).model_fields[name].alias or name for name in names}
    given = [name for name in names if getattr(part, name) is not None]
    empty = [words[name] for name in names if name in part.model_fields_set and name not in given]
    if len(given) != 1:
        hint = f": {empty[0]} has no value" if empty else ""
        raise ValueError(f"must have exactly one of {', '.join(words.values())}, has {len(given)}{hint}")
    return given[0]
