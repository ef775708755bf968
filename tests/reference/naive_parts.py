"""What the twin is made of: steps of a function, replicas, jobs."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from simulator.network import Node

ERROR, TIMEOUT, REFUSED, UNSENT = "error", "timeout", "refused", "unsent"


@dataclass(eq=False)
class Step:
    """A node of a function's tree, with what follows it."""

    number: int
    node: Node
    function: int
    children: list["Step"] = field(default_factory=list)
    following: "Step | None" = None  # the whole group
    group: list["Step"] = field(default_factory=list)  # those that start with this one, which is the first


@dataclass(eq=False)
class Replica:
    station: int
    version: int
    number: int
    busy: int = 0
    worked: float = 0.0
    queue: deque["Job"] = field(default_factory=deque)
    failed: int = 0  # in a row
    out_until: float = 0.0


@dataclass(eq=False)
class Job:
    key: int
    step: Step
    request: int
    cohort: int
    attempt: int
    caller: "Job | str"  # another job, "client", "gave up" or "killed"
    sent: float
    serial: int
    version: int = 0
    replica: Replica | None = None
    child: "Job | None" = None
    next_call: tuple[Step, int] | None = None
    event: Any = None  # what it is waiting for; an event that is not this is stale
    timer: Any = None
    answer: str | None = "ok"
    counted: bool = False
    wrote: bool = False
    over: bool = False
    holding: bool = False
    caller_version: tuple[int, int] | None = None
    branches: "list[Job]" = field(default_factory=list)
    branch_of: "Job | None" = None
    broken: bool = False
    copy: bool = False  # of a request, or at work for one
