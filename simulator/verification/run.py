"""Run the checks of the registry and gather what they found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.errors import RequestError
from simulator.verification import registry
from simulator.verification.agreement import Agreement
from simulator.verification.registry import Check
from simulator.verification.settings import Settings

__all__ = ["Checked", "chosen", "verify"]


@dataclass(frozen=True, slots=True)
class Checked:
    """A check and its lines."""

    name: str
    agreements: tuple[Agreement, ...]

    @property
    def within(self) -> bool:
        """Whether every line is."""
        return all(each.within for each in self.agreements)


def chosen(only: Sequence[str]) -> list[Check]:
    """The checks of these names in the registry's order; all without names. Raises RequestError for a name unknown."""
    names = [check.name for check in registry.CHECKS]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise RequestError(f"only(={unknown[0]}) must be one of: {', '.join(names)}.")
    return [check for check in registry.CHECKS if not only or check.name in only]


def verify(
    settings: Settings, only: Sequence[str] = (), progress: Callable[[int, int], None] = lambda _done, _of: None
) -> list[Checked]:
    """Play the checks one after the other; `progress` hears how many are done, and of how many."""
    checks = chosen(only)
    found = []
    for done, check in enumerate(checks, 1):
        found.append(Checked(check.name, tuple(check.play(settings))))
        progress(done, len(checks))
    return found
