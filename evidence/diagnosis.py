"""Which service failed first: each failed request followed down its spans to where the failure began.

From the client's span down: into the last attempt that failed and was not made good by a later one; from an attempt
into what its callee did; and when a caller's time was up while nothing below had failed, into what took most of it.
Where that ends is the first to fail: a service, or the way to one, when the callee says that it was well or says
nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evidence.spans import Span
from evidence.tables import CLIENT

__all__ = ["Cause", "Diagnosis", "diagnose"]

# Reasons of callers whose time was up; all others were told something, or found a closed door.
GAVE_UP = ("timeout", "unfinished", "cancelled")
# A child that took so much of its parent's time is where the time went.
_MOST = 0.5


@dataclass(frozen=True, slots=True)
class Cause:
    """Failed requests whose failure began in one place and in one way.

    where: `checkout 2.4`, or `edge -> checkout` for the way between them. example: the spans of one such request, each
    with its depth, in the order of a tree.
    """

    where: str
    what: str
    requests: int
    functions: tuple[str, ...]
    cohorts: tuple[str, ...]
    example: tuple[tuple[int, Span], ...] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain data; of the example its trace id and a line a span."""
        return {
            "where": self.where,
            "what": self.what,
            "requests": self.requests,
            "functions": list(self.functions),
            "cohorts": list(self.cohorts),
            "trace_id": self.example[0][1].trace_id,
            "trace": [
                {
                    "depth": depth,
                    "service": span.service,
                    "version": span.version,
                    "replica": span.replica,
                    "kind": span.kind,
                    "name": span.name,
                    "start_s": span.start_s,
                    "end_s": span.end_s,
                    "failed": span.failed,
                    "reason": span.reason,
                    "log": span.log,
                }
                for depth, span in self.example
            ],
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Of a drill: how many requests failed for clients, and where that began, most frequent first."""

    requests: int
    failed: int
    causes: tuple[Cause, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "requests": self.requests,
            "failed": self.failed,
            "causes": [cause.to_json() for cause in self.causes],
        }


def diagnose(spans: Sequence[Span], silent: Collection[str] = ()) -> Diagnosis:
    """Follow every failed request of the clients; copies, for which nobody waited, have no part in it.

    `silent` are callees that make no spans, such as stores: whether they saw a request is not known.
    """
    traces: dict[str, _Trace] = defaultdict(_Trace)
    roots: list[Span] = []
    for span in spans:
        if span.mirrored:
            continue
        if span.service == CLIENT:
            roots.append(span)
        else:
            traces[span.trace_id].children[span.parent_id].append(span)
    failed = [root for root in roots if root.failed]
    found: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for root in failed:
        found[_first(traces[root.trace_id], root, silent)].append(root)
    causes = [_cause(*place, hit, traces) for place, hit in found.items()]
    return Diagnosis(len(roots), len(failed), tuple(sorted(causes, key=lambda each: (-each.requests, each.where))))


@dataclass
class _Trace:
    """Spans of one trace by the id of their parent."""

    children: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))

    def below(self, span: Span) -> list[Span]:
        return sorted(self.children.get(span.span_id, ()), key=lambda each: (each.start_s, each.span_id))

    def failed_in(self, span: Span) -> bool:
        """Whether it failed, or is an attempt that was told of an error and passed that on as an answer."""
        return span.failed or (span.kind == "client" and any(child.failed for child in self.below(span)))

    def tree(self, span: Span, depth: int = 0) -> Iterator[tuple[int, Span]]:
        yield depth, span
        for child in self.below(span):
            yield from self.tree(child, depth + 1)


def _first(trace: _Trace, root: Span, silent: Collection[str]) -> tuple[str, str]:
    """Where the failure of a request began, and how."""
    span = root
    while True:
        below = trace.below(span)
        broken = [child for child in _last_tries(below) if trace.failed_in(child)]
        if broken:
            span = broken[-1]
        elif slow := _slowest(span, below):
            span = slow
        else:
            return _place(span, below, silent)


def _last_tries(below: Sequence[Span]) -> list[Span]:
    """Of each callee the last attempt, which says what came of those before it; in their order."""
    last = {(child.kind, child.name): child for child in below}
    return [child for child in below if last[child.kind, child.name] is child]


def _slowest(span: Span, below: Sequence[Span]) -> Span | None:
    """What took most of the time of a caller that gave up; of what is only slow below it, too."""
    if span.failed and span.kind == "server":
        return None  # it answered with an error of its own
    longest = max(below, key=lambda child: child.took_s, default=None)
    if longest is None or longest.took_s < _MOST * span.took_s or (span.failed and span.reason not in GAVE_UP):
        return None
    return longest


def _place(span: Span, below: Sequence[Span], silent: Collection[str]) -> tuple[str, str]:
    if span.kind == "server":
        return f"{span.service} {span.version}".strip(), span.reason or "slow: the caller's time was up"
    callee = "the shop" if span.service == CLIENT else span.name
    told = "" if below or callee in silent else f" ({callee} never saw it)"
    return f"{span.service} -> {callee}", f"{span.reason or 'slow'}{told}"


def _cause(where: str, what: str, hit: Sequence[Span], traces: Mapping[str, _Trace]) -> Cause:
    example = min(hit, key=lambda root: (root.start_s, root.span_id))
    return Cause(
        where=where,
        what=what,
        requests=len(hit),
        functions=tuple(name for name, _ in Counter(root.name for root in hit).most_common()),
        cohorts=tuple(name for name, _ in Counter(root.cohort for root in hit).most_common()),
        example=tuple(traces[example.trace_id].tree(example)),
    )
