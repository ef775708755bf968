"""What the undo of a release, and of faults by command, does to a staging of commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from chaos.staging.commands.answers import ServiceStatus, understood
from chaos.staging.commands.calling import Caller
from chaos.staging.commands.errors import CommandFailed, VerbMissing
from chaos.staging.commands.recent import RecentStatus
from chaos.staging.files.commands import Command, Commands, DataCommands, FaultCommands
from scenarios.faults import FaultKind

__all__ = ["CommandsSurface"]

N = TypeVar("N", int, float)

# The most commands that one rung of a release's undo, and one reading back of it, runs one after the other; and the
# time that they have on the embedded staging.
_DEPLOYS, _ROUTES, _STATUSES, _RUNG_S = 4, 2, 4, 60.0
_READS, _READ_S = 5, 10.0
# What putting a store back may take there.
_RESET_S = 120.0


class CommandsSurface:
    """The part of chaos.faults.surface.Surface that releases use; its faults are commands (faults.py)."""

    def __init__(self, token: str, commands: Commands, caller: Caller) -> None:
        self._token = token
        self._commands = commands
        self._caller = caller
        self._recent = RecentStatus(self._asked)

    @property
    def patience(self) -> float:
        """From the commands' own times, so that no step of an undo is given up while its command may still work."""
        commands, longest_s = self._commands, self._caller.timeout_s
        status_s = longest_s(commands.status)
        rung_s = _DEPLOYS * longest_s(commands.deploy) + _ROUTES * longest_s(commands.route) + _STATUSES * status_s
        rung_s += sum(longest_s(each) for each in (commands.flag, commands.mirror) if each is not None)
        heals = [longest_s(fault.heal) / _RUNG_S for fault in commands.faults.values()]
        reads_s = [_READS * status_s, *(longest_s(fault.residue) for fault in commands.faults.values())]
        if commands.data is not None:
            heals.append(longest_s(commands.data.heal) / _RESET_S)
            reads_s.append(longest_s(commands.data.residue))
        return max(1.0, rung_s / _RUNG_S, max(reads_s) / _READ_S, *heals)

    def token(self) -> str:
        """The staging file's."""
        return self._token

    def status(self, service: str) -> ServiceStatus:
        """The service as it is now."""
        return self._recent.of(service)

    def _asked(self, service: str) -> ServiceStatus:
        printed = self._caller.call("status", self._commands.status, {"service": service})
        return understood("status", ServiceStatus, printed, self._caller.redact)

    def ordered(self, service: str) -> Mapping[str, int]:
        """By the status command."""
        return _some(self.status(service).ordered)

    def ready(self, service: str) -> Mapping[str, int]:
        """By the status command."""
        return _some(self.status(service).ready)

    def routes(self, service: str) -> Mapping[str, float]:
        """By the status command."""
        return {version: share for version, share in self.status(service).routes.items() if share > 0}

    def steering(self, service: str) -> tuple[str, ...]:
        """Cohorts' own routes, copies, and what else the status command tells."""
        status = self.status(service)
        cohorts = (f"cohort {cohort} routes {_some(shares)}" for cohort, shares in status.cohorts.items())
        mirrors = (f"{share:g} of the requests are copied to {v}" for v, share in _some(status.mirrors).items())
        return (*cohorts, *mirrors, *(self._caller.redact(line) for line in status.steering))

    def defects(self, service: str) -> tuple[str, ...]:
        """By the status command."""
        found = self.status(service).defects
        return tuple(f"{version}: {name}" for version, names in sorted(found.items()) for name in names)

    def deploy(self, service: str, version: str, replicas: int) -> None:
        """By the deploy command; the status is read back."""
        told = {"service": service, "version": version, "replicas": replicas}
        self._change("deploy", self._commands.deploy, told)
        ready = self.ready(service).get(version, 0)
        if ready != replicas:
            raise CommandFailed(f"deploy of {service} {version}: status says ready(={ready}), must be {replicas}")

    def route(
        self, service: str, weights: Mapping[str, float], cohorts: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """By the route command, cohorts left out going with the rest; the status is read back."""
        own = {cohort: dict(shares) for cohort, shares in (cohorts or {}).items()}
        if own and not self._commands.route.cohorts:
            raise VerbMissing(f"route of {service}: cohorts(={sorted(own)}): the command routes by weights alone")
        told = {"service": service, "weights": dict(weights), "cohorts": own}
        self._change("route", self._commands.route, told)
        status = self.status(service)
        for cohort in (None, *{**own, **status.cohorts}):
            wanted = weights if cohort is None else own.get(cohort, weights)
            found = status.routes if cohort is None else status.cohorts.get(cohort, status.routes)
            if any(abs(found.get(name, 0.0) - wanted.get(name, 0.0)) > _SHARE for name in {*found, *wanted}):
                of = "" if cohort is None else f" cohort {cohort}"
                raise CommandFailed(f"route of {service}{of}: status says {_some(found)}, must be {dict(wanted)}")

    def mirror(self, service: str, version: str, share: float) -> None:
        """By the mirror command; the status is read back."""
        if self._commands.mirror is None:
            raise VerbMissing(f"mirror of {service} to {version}: the staging file has no command for it")
        self._change("mirror", self._commands.mirror, {"service": service, "version": version, "share": share})
        found = self.status(service).mirrors.get(version, 0.0)
        if abs(found - share) > _SHARE:
            raise CommandFailed(f"mirror of {service} to {version}: status says share(={found:g}), must be {share:g}")

    def flag(self, service: str, share: float, cohorts: list[str]) -> None:
        """By the flag command, which ends when all follow."""
        if self._commands.flag is None:
            raise VerbMissing(f"flag of {service}: the staging file has no command for it")
        self._change("flag", self._commands.flag, {"service": service, "share": share, "cohorts": cohorts})

    def procedure(self, service: str, old: str, new: str) -> None:
        """By the rollback command."""
        if self._commands.rollback is None:
            raise VerbMissing(f"procedure of {service}: the staging file has no command rollback")
        self._change("rollback", self._commands.rollback, {"service": service, "old": old, "new": new})

    def clear_steering(self, service: str) -> None:
        """Cohorts with the rest, no copies, the flag off: where there is any of it."""
        status = self.status(service)
        if status.cohorts:
            self.route(service, status.routes)
        for version in _some(status.mirrors):
            self.mirror(service, version, 0.0)
        if self._commands.flag is not None and status.steering:
            self.flag(service, 0.0, [])

    def set_defects(self, service: str, version: str, names: list[str]) -> None:
        """By the defects command."""
        if self._commands.defects is None:
            if not names:
                return
            raise VerbMissing(f"defects of {service} {version}: the staging file has no command for them")
        told = {"service": service, "version": version, "defects": names}
        self._change("defects", self._commands.defects, told)

    def clear_defects(self, service: str) -> None:
        """Of every version that has one."""
        for version, names in self.status(service).defects.items():
            if names:
                self.set_defects(service, version, [])

    # -- the store ----------------------------------------------------------------------------------------------

    def store_differences(self, store: str) -> list[str]:
        """By the residue command of the data."""
        if self.holds("residue", self._of_data(store).residue, _told(store)):
            return []
        return ["its residue command says that something is left"]

    def reset_store(self, store: str) -> None:
        """By the heal command of the data."""
        self.play("heal", self._of_data(store).heal, _told(store))

    def _of_data(self, store: str) -> DataCommands:
        if self._commands.data is None:
            raise VerbMissing(f"{store}: the staging file has no commands for its data")
        return self._commands.data

    # -- faults -------------------------------------------------------------------------------------------------

    def fault(self, kind: FaultKind) -> FaultCommands:
        """The commands of a kind of fault. Raises VerbMissing."""
        found = self._commands.faults.get(kind)
        if found is None:
            raise VerbMissing(f"fault {kind}: the staging file has no commands for it")
        return found

    def play(self, verb: str, command: Command, told: Mapping[str, Any]) -> None:
        """Run a command of a fault. Raises CommandFailed."""
        self._change(verb, command, told)

    def holds(self, verb: str, command: Command, told: Mapping[str, Any]) -> bool:
        """Whether a command that asks ended with exit code 0."""
        return self._caller.ask(verb, command, told).code == 0

    def _change(self, verb: str, command: Command, told: Mapping[str, Any]) -> None:
        with self._recent.changing():
            self._caller.call(verb, command, told)


# Routers keep shares in steps of their own: half a percent is as near as any has to come.
_SHARE = 0.005


def _told(store: str) -> dict[str, str]:
    """Like a fault's commands: of what kind, and where."""
    return {"kind": "store", "target": store}


def _some(counts: Mapping[str, N]) -> dict[str, N]:
    return {version: count for version, count in counts.items() if count}
