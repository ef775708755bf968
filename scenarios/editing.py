"""A scenario's text with the values at a path replaced, and everything else left as its author wrote it.

A path is made of keys with dots between: `system.services.checkout.replicas`. In a list, a step chooses an entry by its
place (from 0), its `name`, its `service`, or as `FROM->TO`; any other step goes on in every entry. A last key that is
not there itself stands for all of that name below: `release.strategy.canary.bake` is every bake of the canary. Where
there is none either, it is added: the language says whether it may be there. `release.strategy.KIND` finds a strategy
among the alternatives, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from scenarios.errors import PathError
from scenarios.schema import allowed_keys, json_schema

__all__ = ["edited"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where text is put: instead of what stands from `start` to `end`."""

    start: int
    end: int
    text: str


def edited(text: str, path: str, value: str) -> str:
    """The text with `value`, itself YAML, at every place of the path. Raises PathError."""
    _require_value(path, value)
    steps = path.split(".")
    if not all(steps):
        raise PathError(f"path(={path}) must be keys with single dots between")
    root = YAML(typ="safe", pure=True).compose(text)
    places = {(place.start, place.end): place for node in _roots(root, steps) for place in _places(node, value)}
    for place in sorted(places.values(), key=lambda each: each.start, reverse=True):
        text = text[: place.start] + place.text + text[place.end :]
    return text


def _require_value(path: str, value: str) -> None:
    try:
        node = YAML(typ="safe", pure=True).compose(value)
    except YAMLError as error:
        raise PathError(f"value(={value}) of {path} must be YAML in one line") from error
    if node is None or "\n" in value or _is_block(node):
        raise PathError(f"value(={value}) of {path} must be YAML in one line, such as 5m or {{mean: 5ms}}")


@dataclass(frozen=True, slots=True)
class _Target:
    """A node to be replaced; or, with `key`, a mapping to which the key is added, `within` mappings of its own."""

    node: Node
    key: str | None = None
    within: tuple[str, ...] = ()


def _roots(root: Node, steps: Sequence[str]) -> list[_Target]:
    if len(steps) > 2 and steps[:2] == ["release", "strategy"]:
        described = [node for node in _strategies(root) if _child(node, steps[2]) is not None]
        if found := [target for node in described for target in _find(node, steps[2:], 2, steps)]:
            return found
    return list(_find(root, steps, 0, steps))


def _strategies(root: Node) -> Iterator[Node]:
    release = _child(root, "release")
    for name in ("strategy", "alternatives"):
        node = _child(release, name)
        yield from node.value if isinstance(node, SequenceNode) else [] if node is None else [node]


def _find(node: Node, steps: Sequence[str], depth: int, whole: Sequence[str]) -> Iterator[_Target]:
    step, rest = steps[0], steps[1:]
    if isinstance(node, SequenceNode):
        yield from _in_list(node, steps, depth, whole)
        return
    child = _child(node, step)
    if child is not None:
        if rest:
            yield from _find(child, rest, depth + 1, whole)
        else:
            yield _Target(child)
        return
    where = ".".join(whole[:depth]) or "the top level"
    if rest and isinstance(node, MappingNode) and step in allowed_keys(tuple(whole[:depth]), json_schema()):
        yield _Target(node, rest[-1], tuple(steps[:-1]))
        return
    if rest or not isinstance(node, MappingNode):
        keys = ", ".join(_keys(node)) or "(none)"
        raise PathError(f"path(={'.'.join(whole)}): {step} must be a key of {where}: {keys}")
    below = list(_below(node, step))
    if below:
        yield from (_Target(each) for each in below)
    else:
        yield _Target(node, step)


def _in_list(node: SequenceNode, steps: Sequence[str], depth: int, whole: Sequence[str]) -> Iterator[_Target]:
    step, rest = steps[0], steps[1:]
    chosen = [each for place, each in enumerate(node.value) if step in (str(place), *_names(each))]
    if chosen and rest:
        for each in chosen:
            yield from _find(each, rest, depth + 1, whole)
    elif chosen:
        yield from (_Target(each) for each in chosen)
    else:
        having = [each for each in node.value if _child(each, step) is not None]
        if not having:
            names = ", ".join(name for each in node.value for name in _names(each)) or f"0 to {len(node.value) - 1}"
            where = ".".join(whole[:depth])
            raise PathError(f"path(={'.'.join(whole)}): {step} must be an entry of {where}, or a key there: {names}")
        for each in having:
            yield from _find(each, steps, depth, whole)


def _names(node: Node) -> list[str]:
    """What an entry of a list is called by."""
    named = [child.value for key in ("name", "service") if isinstance(child := _child(node, key), ScalarNode)]
    ends = [child.value for key in ("from", "to") if isinstance(child := _child(node, key), ScalarNode)]
    return [*named, *(["->".join(ends)] if len(ends) == 2 and not named else [])]


def _below(node: Node, key: str) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for each, child in node.value:
            if each.value == key:
                yield child
            else:
                yield from _below(child, key)
    elif isinstance(node, SequenceNode):
        for child in node.value:
            yield from _below(child, key)


def _child(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((child for each, child in node.value if each.value == key), None)


def _keys(node: Node) -> list[str]:
    return [str(each.value) for each, _ in node.value] if isinstance(node, MappingNode) else []


def _is_block(node: Node) -> bool:
    return isinstance(node, MappingNode | SequenceNode) and not node.flow_style


def _places(target: _Target, value: str) -> list[_Place]:
    node, start, end = target.node, target.node.start_mark.index, target.node.end_mark.index
    if target.key is None:
        if not _is_block(node):
            return [_Place(start, end, value)]
        # A block ends where the next one begins: its last line's end is where its last value ends. A list may begin
        # below the first letter of its key, where no other value may.
        return [_Place(start, _last(node).end_mark.index, f" {value}" if isinstance(node, SequenceNode) else value)]
    added = f"{target.key}: {value}"
    for key in reversed(target.within):
        added = f"{key}: {{{added}}}"
    if _is_block(node):
        return [_Place(start, start, f"{added}\n{' ' * node.start_mark.column}")]
    return [_Place(start + 1, start + 1, f"{added}, " if node.value else added)]


def _last(node: Node) -> Node:
    while _is_block(node) and node.value:
        node = node.value[-1][1] if isinstance(node, MappingNode) else node.value[-1]
    return node
