"""All checks, in the order in which a reader would fix things."""

from __future__ import annotations

from windtunnel.doctor import binaries, machine, packages
from windtunnel.doctor.finding import Finding, Status

__all__ = ["complete", "examine"]


def examine() -> list[Finding]:
    """Try everything; starts only `--version` of programs, leaves nothing behind."""
    return [
        packages.python(),
        *packages.installed_packages(),
        *packages.optional_packages(),
        packages.compiled_packages(),
        binaries.envoy(),
        binaries.postgresql(),
        binaries.toxiproxy(),
        binaries.flagd(),
        binaries.oasdiff(),
        machine.unprivileged_user(),
        machine.loopback(),
        machine.packets(),
        machine.cores(),
        machine.disk(),
        *machine.folders(),
        machine.compiled_cache(),
    ]


def complete(findings: list[Finding]) -> bool:
    """Whether nothing is missing."""
    return all(finding.status is not Status.MISSING for finding in findings)
