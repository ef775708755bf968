"""The embedded staging by hand, or from a script: ``windtunnel staging show|deploy|route|backup`` and others."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

import typer

from windtunnel.cli.options import StateOption
from windtunnel.cli.output import emit_json, emit_text

__all__ = ["add_to"]

ServiceArgument = Annotated[str, typer.Argument(metavar="SERVICE")]
VersionArgument = Annotated[str, typer.Argument(metavar="VERSION")]


def add_to(group: typer.Typer) -> None:
    """Add these commands to the staging's group."""
    for command in (show, deploy, route, mirror, defects, backup, restore, fail_over, reset):
        group.command()(command)


def show(service: ServiceArgument, state: StateOption = None) -> None:
    """Print what of a service is ordered, ready and routed, as JSON."""
    from chaos.staging import steering
    from chaos.staging.embedded import Staging

    staging = Staging.attach(state)
    versions = staging.config.services[service].versions if service in staging.config.services else ()
    found = {version: [each.name for each in staging.defects(service, version)] for version in versions}
    emit_json(
        {
            "ordered": staging.ordered(service),
            "ready": staging.replicas(service),
            "routes": staging.routes(service),
            "defects": {version: names for version, names in found.items() if names},
            "cohorts": staging.envoy.cohort_weights(service),
            "mirrors": staging.envoy.mirrors(service),
            "steering": [*steering.flagged(staging.flags, service)],
        }
    )


def deploy(
    service: ServiceArgument,
    version: VersionArgument,
    replicas: Annotated[int, typer.Argument(metavar="REPLICAS", min=0)],
    state: StateOption = None,
) -> None:
    """Have exactly so many ready replicas of a version."""
    from chaos.staging.embedded import Staging

    Staging.attach(state).deploy(service, version, replicas)
    emit_text(f"{service} {version}: {replicas} ready")


def route(
    service: ServiceArgument,
    shares: Annotated[list[str], typer.Argument(metavar="VERSION=SHARE...", help="They add up to 1.")],
    cohorts: Annotated[
        str, typer.Option(metavar="JSON", help='Shares of cohorts of their own: {"coupon": {"2.4": 1}}.')
    ] = "{}",
    state: StateOption = None,
) -> None:
    """Send each version its share of a service's requests.

    And of the requests of cohorts that have shares of their own.
    """
    from chaos.staging.embedded import Staging
    from windtunnel.errors import UsageError

    weights = {}
    for text in shares:
        version, named, share = text.rpartition("=")
        try:
            weights[version] = float(share if named else "")
        except ValueError:
            raise UsageError(f"{text!r}: must be VERSION=SHARE, such as 2.3=0.8") from None
    own = _cohorts(cohorts)
    Staging.attach(state).route(service, weights, own)
    emit_text(f"{service}: {' '.join(shares)}")


def mirror(
    service: ServiceArgument,
    version: VersionArgument,
    share: Annotated[float, typer.Argument(metavar="SHARE", min=0.0, max=1.0)],
    state: StateOption = None,
) -> None:
    """Copy a share of a service's requests to a version.

    What the copies write is rolled back. 0: no copies.
    """
    from chaos.staging.embedded import Staging

    Staging.attach(state).mirror(service, version, share)
    emit_text(f"{service}: {share:g} copied to {version}")


def defects(
    service: ServiceArgument,
    version: VersionArgument,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Of the scenario's defects; none heals the version.")
    ] = None,
    scenario: Annotated[str, typer.Option("--scenario", help="Whose defects they are.")] = "shop-release",
    state: StateOption = None,
) -> None:
    """Switch what is wrong with a version, and nothing else."""
    from chaos.realise import defects_of
    from chaos.staging.embedded import Staging
    from scenarios.loading import load
    from windtunnel.choices import chosen_defects

    loaded, _ = load(scenario)
    chosen = chosen_defects(loaded, names or [])
    Staging.attach(state).set_defects(service, version, defects_of(loaded, chosen, loaded.release.strategy))
    emit_text(f"{service} {version}: {', '.join(chosen) or 'nothing'} wrong")


def backup(state: StateOption = None) -> None:
    """Take a backup of the database in place of an earlier one.

    Prints as of when it is, and its size, as JSON.
    """
    from chaos.staging.embedded import Staging

    taken = Staging.attach(state).data.back_up()
    emit_json({"taken": taken.taken.isoformat(), "size_bytes": taken.size_bytes})


def restore(
    until: Annotated[str, typer.Argument(metavar="MOMENT", help="Such as 2026-11-30T03:00:00+00:00.")],
    state: StateOption = None,
) -> None:
    """Restore the database to a moment, and have it serve.

    A fresh one, from the backup and the archived log. Prints what it has, as JSON.
    """
    from chaos.staging.embedded import Staging
    from windtunnel.errors import UsageError

    try:
        moment = datetime.fromisoformat(until)
    except ValueError as error:
        raise UsageError(f"{until!r}: must be a moment such as 2026-11-30T03:00:00+00:00: {error}") from None
    if moment.tzinfo is None:
        raise UsageError(f"{until!r}: must be a moment with its time zone")
    found = Staging.attach(state).data.restore(moment)
    emit_json({"taken": found.taken.isoformat(), "kept": found.kept.isoformat(), "rows": found.rows})


def fail_over(state: StateOption = None) -> None:
    """Have the standby take over.

    Prints when the last write was made that it has, as JSON (null: it has all).
    """
    from chaos.staging.embedded import Staging

    kept = Staging.attach(state).data.fail_over()
    emit_json({"kept": None if kept is None else kept.isoformat()})


def reset(state: StateOption = None) -> None:
    """Put the database's servers and schema back.

    As they were brought up, with the rows of now.
    """
    from chaos.staging.embedded import Staging

    Staging.attach(state).data.reset()
    emit_text("the database is as it was brought up, with the rows of now")


def _cohorts(text: str) -> dict[str, dict[str, float]]:
    """Shares by cohort and version. Raises UsageError."""
    from windtunnel.errors import UsageError

    try:
        return {
            str(cohort): {str(version): float(share) for version, share in shares.items()}
            for cohort, shares in json.loads(text).items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f'--cohorts {text!r}: must be JSON such as {{"coupon": {{"2.4": 1}}}}: {error}') from None
