"""``windtunnel staging up|down|status``: the embedded staging, and a look at any other."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from windtunnel.cli import staging_verbs
from windtunnel.cli.exits import ExitCode
from windtunnel.cli.options import JsonOption, SeedOption, StagingOption, StateOption
from windtunnel.cli.output import emit_json, emit_table, emit_text, say
from windtunnel.cli.staging_status import show_status

__all__ = ["add_to"]

_group = typer.Typer(help="Start, stop, look at and change the embedded staging.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    staging_verbs.add_to(_group)
    app.add_typer(_group, name="staging")


@_group.command()
def up(
    scenario: Annotated[
        str, typer.Argument(metavar="[SCENARIO]", help="Whose numbers the shop takes.")
    ] = "shop-release",
    seed: SeedOption = 1,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start the staging; it runs until `staging down`."""
    from chaos.realise import require_realisable, staging_config
    from chaos.safety.undo import end_orphan
    from chaos.staging.embedded import EmbeddedStaging
    from chaos.staging.paths import state_dir_default
    from scenarios.loading import load

    loaded, _ = load(scenario)
    require_realisable(loaded)
    folder = state or state_dir_default()
    ended = end_orphan(folder)
    if ended is not None:
        say(str(ended))
    staging = EmbeddedStaging.up(staging_config(loaded, seed), folder, say)
    if as_json:
        emit_json({"state_dir": str(staging.state_dir), "edge_url": staging.edge_url()})
    else:
        emit_text(f"The shop answers at {staging.edge_url()}; state is in {staging.state_dir}.")


@_group.command()
def down(state: StateOption = None, as_json: JsonOption = False) -> None:
    """Stop the staging, whatever is left of it.

    A second time does nothing. Exit code 5 if any stays, 2 while a drill uses it (`windtunnel abort` ends that).
    """
    from chaos.safety.locks import require_no_drill
    from chaos.staging.embedded import EmbeddedStaging
    from windtunnel.drilling import state_folder

    require_no_drill(state_folder(state, None))
    stopped = EmbeddedStaging.down(state)
    if as_json:
        emit_json({"stopped": [process.pid for process in stopped]})
    else:
        emit_text(f"Stopped {len(stopped)} processes." if stopped else "No staging was up.")


@_group.command()
def status(
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE...]", help="Of a file's staging: what to look at.")
    ] = None,
    staging: StagingOption = "local",
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every component, or what a file's staging says.

    Exit code 2 when none is up, 4 when one is dead.
    """
    from windtunnel.stagings import LOCAL

    if staging != LOCAL:
        show_status(staging, services or [], state, as_json=as_json)
        return
    from chaos.staging.embedded import Staging

    local = Staging.attach(state)
    components = local.status()
    if as_json:
        document = [asdict(component) for component in components]
        source = local.state().flag_source
        emit_json({"state_dir": str(local.state_dir), "flag_source": source, "components": document})
    else:
        rows = [(c.state, c.name, str(c.pid), str(c.port)) for c in components]
        emit_table(("STATE", "COMPONENT", "PID", "PORT"), rows)
        emit_text(f"Flag source: {local.state().flag_source}.")
    if any(component.state != "running" for component in components):
        raise typer.Exit(ExitCode.ERROR)
