"""What a comparison compares: strategies, and variants of the scenario's text, each with a label of its own.

`PATH=V1,V2` varies one thing (scenarios.editing says what a path is). Several of them make a grid: every value of each
with every value of the others. A strategy that a path does not concern (`release.strategy.canary.bake` and a
blue-green) is played once and not once a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from scenarios.editing import edited
from scenarios.loading import ScenarioText, load_text
from scenarios.models import Scenario
from simulator.strategies import KINDS, strategy_named
from windtunnel.choices import compared_kinds
from windtunnel.errors import UsageError

__all__ = ["Contender", "Varied", "contenders", "varied_of"]

CONTENDERS_MAX = 100


@dataclass(frozen=True, slots=True)
class Contender:
    """A scenario under one strategy (None: its main one); `changes` are its values by path."""

    label: str
    strategy: str | None
    scenario: Scenario
    source: ScenarioText
    changes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Varied:
    """One path and the values that stand there, one after the other."""

    path: str
    values: tuple[str, ...]

    def concerns(self, kind: str) -> bool:
        """Whether it changes what is played by a strategy of that kind."""
        steps = self.path.split(".")
        # Of the alternatives, an entry is chosen by its place or by its kind.
        within = {"strategy": steps[2:3], "alternatives": steps[2:4]}.get(steps[1] if len(steps) > 1 else "", [])
        named = [step for step in within if step in KINDS] if steps[0] == "release" else []
        return not named or named[0] == kind


def varied_of(text: str) -> Varied:
    """`PATH=V1,V2`; commas within brackets and quotes belong to a value. Raises UsageError."""
    path, equals, values = text.partition("=")
    found = tuple(each.strip() for each in _split(values))
    if not equals or not path.strip() or not all(found):
        raise UsageError(f"vary(={text}) must be PATH=V1,V2, such as release.strategy.canary.bake=1m,5m")
    if len(set(found)) < len(found):
        raise UsageError(f"vary(={text}) must name each value once")
    return Varied(path.strip(), found)


def _split(text: str) -> list[str]:
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        depth += (character in "{[") - (character in "}]") if not quote else 0
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def contenders(
    scenario: Scenario, source: ScenarioText, strategies: Sequence[str] | None, vary: Sequence[str] = ()
) -> list[Contender]:
    """Strategies by the combinations of values that concern them, in the order asked for.

    Strategies None: with `vary` the scenario's main one alone, else as windtunnel.choices.compared_kinds. All variants
    are checked before any is played. Raises UsageError, and ScenarioError for what is no scenario any more.
    """
    varied = [varied_of(each) for each in vary]
    paths = [each.path for each in varied]
    if len(set(paths)) < len(paths):
        raise UsageError(f"vary must name each path once, names {', '.join(paths)}")
    kinds = _kinds(scenario, strategies, varied)
    for place, kind in enumerate(kinds):
        if kind is not None:
            strategy_named(scenario, kind)
        if kind in kinds[:place]:
            raise UsageError(f"strategy {kind!r} must be named once")
    played = [kind or scenario.release.strategy.kind for kind in kinds]
    for each in varied:
        if not any(each.concerns(kind) for kind in played):
            named = ", ".join(played)
            raise UsageError(f"vary(={each.path}) must concern a strategy that is compared: {named}")
    found: list[Contender] = []
    for kind, as_played in zip(kinds, played, strict=True):
        mine = [each for each in varied if each.concerns(as_played)]
        for values in product(*(each.values for each in mine)):
            changes = dict(zip((each.path for each in mine), values, strict=True))
            found.append(_contender(scenario, source, kind, changes, several=len(kinds) > 1))
            if len(found) > CONTENDERS_MAX:
                raise UsageError(f"vary and strategies must make at most {CONTENDERS_MAX} variants")
    _require_comparable(found)
    return found


def _require_comparable(found: Sequence[Contender]) -> None:
    """What is compared is compared function by function, and money in one currency."""
    for what, of in (("the same functions", _functions), ("one currency of revenue", _currencies)):
        told = {each.label: of(each.scenario) for each in found}
        first, *others = told
        for other in others:
            if told[other] != told[first] and told[other] and told[first]:
                raise UsageError(
                    f"vary must leave {what}, has {', '.join(told[first])} under {first} and "
                    f"{', '.join(told[other])} under {other}"
                )


def _functions(scenario: Scenario) -> list[str]:
    return [*scenario.functions]


def _currencies(scenario: Scenario) -> list[str]:
    revenues = (function.revenue for function in scenario.functions.values())
    return sorted({revenue.currency for revenue in revenues if revenue is not None})


def _kinds(scenario: Scenario, strategies: Sequence[str] | None, varied: Sequence[Varied]) -> list[str | None]:
    if strategies is not None:
        return [*strategies]
    return [None] if varied else [*compared_kinds(scenario)]


def _contender(
    scenario: Scenario, source: ScenarioText, kind: str | None, changes: dict[str, str], *, several: bool
) -> Contender:
    if not changes:
        return Contender(kind or scenario.release.strategy.kind, kind, scenario, source, {})
    text = source.text
    for path, value in changes.items():
        text = edited(text, path, value)
    shown = ", ".join(f"{path}={value}" for path, value in changes.items())
    varied = ScenarioText(f"{source.source} ({shown})", text)
    names = [f"{name}={value}" for name, value in zip(_short(list(changes)), changes.values(), strict=True)]
    label = " ".join([*([kind] if several and kind else []), *names])
    return Contender(label, kind, load_text(varied.text, varied.source), varied, changes)


def _short(paths: Sequence[str]) -> list[str]:
    """The last key of each path, or the whole path where two end alike."""
    last = [path.rpartition(".")[2] for path in paths]
    return [name if last.count(name) == 1 else path for name, path in zip(last, paths, strict=True)]
