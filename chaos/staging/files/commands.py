"""The part of a staging file that `adapter: commands` reads: one command a verb, run as it stands, without a shell."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from scenarios.base import Name, Part
from scenarios.faults import FaultKind
from scenarios.quantities import PositiveDurationS

__all__ = ["PLACEHOLDERS", "Command", "Commands", "DataCommands", "FaultCommands", "Route", "Secrets"]

# What each verb is told, as placeholders of its arguments and in its environment.
PLACEHOLDERS: dict[str, tuple[str, ...]] = {
    "deploy": ("service", "version", "replicas"),
    "route": ("service", "weights", "cohorts"),
    "mirror": ("service", "version", "share"),
    "status": ("service",),
    "observe": (),
    "defects": ("service", "version", "defects"),
    "rollback": ("service", "old", "new"),
    "flag": ("service", "share", "cohorts"),
    "ledger": ("store",),
    "verify": (),
    "facts": (),
    "migrate": ("store", "phase", "lock_s"),
    "reconcile": ("store",),
    "wrong": ("store", "since"),
    "backup": ("store",),
    "restore": ("store", "until"),
    "fail-over": ("store",),
    "inject": ("kind", "target"),
    "confirm": ("kind", "target"),
    "heal": ("kind", "target"),
    "residue": ("kind", "target"),
}
DATA_VERBS = ("migrate", "reconcile", "wrong", "backup", "restore", "fail-over", "heal", "residue")
_PLACEHOLDER = re.compile(r"(?<!\$)\{([a-z_]+)\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"must be a regular expression: {error}") from None
    return value


def _variable(value: str) -> str:
    if _VARIABLE.fullmatch(value) is None:
        raise ValueError("must be the name of an environment variable: letters, digits and _")
    return value


Variable = Annotated[str, AfterValidator(_variable)]


class Command(Part):
    """One command: a program and its arguments, each as it stands."""

    run: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, description="program and arguments; `{service}` and the verb's other words are filled in"
    )
    timeout_s: PositiveDurationS | None = Field(
        None, alias="timeout", description="after it the command's process group is killed; else the common one"
    )
    env: dict[Variable, str] = Field({}, description="environment variables of this command alone")

    def problems(self, verb: str) -> list[str]:
        """Placeholders that the verb does not fill."""
        known = PLACEHOLDERS[verb]
        unknown = {name for word in self.run for name in _PLACEHOLDER.findall(word)} - set(known)
        listed = ", ".join(f"{{{name}}}" for name in known) or "none"
        return [f"{{{name}}} in `run` of {verb} is no placeholder of it, allowed: {listed}" for name in sorted(unknown)]

    def arguments(self, values: dict[str, str]) -> list[str]:
        """The command line with its placeholders filled in, each within its own argument."""
        return [_PLACEHOLDER.sub(lambda match: values[match[1]], word) for word in self.run]


class Route(Command):
    """How shares are put in force."""

    cohorts: bool = Field(False, description="whether it gives cohorts the shares of their own that it is told as JSON")


class FaultCommands(Part):
    """How a kind of fault is put in force on this staging, and taken back."""

    inject: Command = Field(description="puts it in force; the fault is told as JSON on standard input")
    heal: Command = Field(description="takes it back, also when it never was in force or is already gone")
    confirm: Command = Field(description="exit code 0 while it is in force; else the drill is an error")
    residue: Command = Field(description="exit code 0 when nothing is left of it")


class DataCommands(Part):
    """The verbs for the data of the staging's store. Those left out cannot be had, but the undo of them all must be."""

    store: Name = Field(description="the scenario's, which they are about")
    migrate: Command | None = Field(
        None, description="plays {phase}: expand, backfill, switch, contract, revert; of `state`, prints where it is"
    )
    reconcile: Command | None = Field(
        None, description="puts right what rows are wrong, and gives the old schema what only the new one has"
    )
    wrong: Command | None = Field(None, description="prints which rows written since {since} are wrong, as JSON")
    backup: Command | None = Field(None, description="takes a backup of {store}")
    restore: Command | None = Field(None, description="brings {store} back to {until}, in a fresh instance")
    fail_over: Command | None = Field(None, alias="fail-over", description="has a standby of {store} take over")
    heal: Command = Field(description="servers and schema as before the drill, rows of now; also when nothing was done")
    residue: Command = Field(description="exit code 0 when servers and schema are as before the drill")

    def by_verb(self) -> dict[str, Command]:
        """Those that there are."""
        found = {verb: getattr(self, verb.replace("-", "_")) for verb in DATA_VERBS}
        return {verb: command for verb, command in found.items() if command is not None}


class Secrets(Part):
    """What must not be read in a record: values of environment variables, and what patterns match."""

    env: list[Variable] = Field([], description="variables whose values are replaced by ***")
    patterns: list[Annotated[str, AfterValidator(_pattern)]] = Field([], description="regular expressions")


class Commands(Part):
    """The verbs. Those left out cannot be had: a scenario that needs one is refused."""

    folder: str = Field(".", description="in which the commands run, from the folder of the file on")
    env: dict[Variable, str] = Field({}, description="environment variables, besides those of who runs them")
    timeout_s: PositiveDurationS = Field("60s", alias="timeout", validate_default=True, description="of each command")
    secrets: Secrets = Field(Secrets(), description="what is kept out of the record")
    deploy: Command = Field(description="exactly {replicas} ready replicas of {version} in rotation; 0 stops them all")
    route: Route = Field(description="each version's share of the requests: {weights}, such as 2.3=0.8 2.4=0.2")
    status: Command = Field(description="prints what is ordered, ready and routed of {service}, as JSON")
    mirror: Command | None = Field(
        None, description="copies {share} of the requests to {version}, keeping nothing of what a copy writes; 0: none"
    )
    observe: Command | None = Field(None, description="prints counters of all services, as JSON")
    ledger: Command | None = Field(None, description="prints which writes are in {store}, as JSON")
    verify: Command | None = Field(None, description="prints what differs from what was declared, a line each")
    facts: Command | None = Field(None, description="prints all that a rollback must bring back, as JSON")
    rollback: Command | None = Field(None, description="your own way back, for the rollback step `procedure`")
    flag: Command | None = Field(
        None, description="has the new version's flag on for {share} of the requests and for {cohorts}; 0 and none: off"
    )
    defects: Command | None = Field(None, description="switches {defects} of a version on, and all others off")
    data: DataCommands | None = Field(None, description="the verbs for the data of its store")
    faults: dict[FaultKind, FaultCommands] = Field({}, description="by kind of fault, such as latency")

    @model_validator(mode="after")
    def _placeholders_are_known(self) -> Self:
        problems = [line for verb, command in self._all() for line in command.problems(verb)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def every(self) -> list[Command]:
        """Those of all verbs."""
        return [command for _, command in self._all()]

    def _all(self) -> list[tuple[str, Command]]:
        given: list[tuple[str, Any]] = [(verb, getattr(self, verb, None)) for verb in PLACEHOLDERS]
        given += [] if self.data is None else self.data.by_verb().items()
        for kind in self.faults.values():
            given += [(verb, getattr(kind, verb)) for verb in ("inject", "heal", "confirm", "residue")]
        return [(verb, command) for verb, command in given if command is not None]
