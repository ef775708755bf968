"""``windtunnel simulate`` and ``windtunnel compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from windtunnel.cli.controlled import ControlVariateOption, emit_controlled
from windtunnel.cli.options import (
    FewestOption,
    FidelityOption,
    JsonOption,
    MostOption,
    OutOption,
    ScenarioArgument,
    SeedOption,
    StrategiesOption,
    UntilOption,
    VaryOption,
    kinds_named,
)
from windtunnel.cli.output import emit_json, emit_text
from windtunnel.cli.progress import counted
from windtunnel.cli.verdict import emit_judged, precision_text

__all__ = ["add_to"]

ProcessesOption = Annotated[
    int | None,
    typer.Option("--processes", min=1, help="Else as many as pay; the answer is the same."),
]

ExecutorOption = Annotated[
    str,
    typer.Option("--executor", help="local, or dask=ADDRESS: the scheduler of a Dask cluster; the answer is the same."),
]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("simulate")(simulate)
    app.command("compare")(compare)


def simulate(
    scenario: ScenarioArgument,
    strategy: Annotated[str | None, typer.Option("--strategy", help="A kind; else the scenario's main one.")] = None,
    defect: Annotated[
        list[str] | None,
        typer.Option("--defect", help="In every replication (repeatable); else drawn."),
    ] = None,
    replications: FewestOption = None,
    until: UntilOption = None,
    max_replications: MostOption = None,
    seed: SeedOption = 1,
    processes: ProcessesOption = None,
    executor: ExecutorOption = "local",
    fidelity: FidelityOption = None,
    out: OutOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Play the release in the simulator many times, and judge what is expected of it."""
    from scenarios.loading import load
    from windtunnel import simulating

    loaded, source = load(scenario)
    with counted("replications") as progress:
        outcome = simulating.simulate(
            loaded,
            source,
            strategy=strategy,
            replications=replications,
            until=until or (),
            max_replications=max_replications,
            seed=seed,
            processes=processes,
            executor=executor,
            fidelity=fidelity,
            defects=defect,
            out=out,
            progress=progress,
        )
    emit_judged(outcome.record, outcome.verdict, as_json=as_json)
    raise typer.Exit(outcome.verdict.exit_code)


def compare(
    scenario: ScenarioArgument,
    strategies: StrategiesOption = None,
    vary: VaryOption = None,
    replications: FewestOption = None,
    until: UntilOption = None,
    max_replications: MostOption = None,
    seed: SeedOption = 1,
    processes: ProcessesOption = None,
    executor: ExecutorOption = "local",
    fidelity: FidelityOption = None,
    control_variate: ControlVariateOption = None,
    out: OutOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Play the release by several strategies, or with several values, each against the same random draws."""
    if control_variate is not None:
        emit_controlled(
            scenario,
            control_variate,
            strategies=strategies,
            replications=replications,
            seed=seed,
            processes=processes,
            as_json=as_json,
            others={
                "vary": vary,
                "until": until,
                "max-replications": max_replications,
                "executor": None if executor == "local" else executor,
                "fidelity": fidelity,
            },
        )
        return
    from evidence.assess import scenario_of
    from evidence.caveats import caveats_compared
    from scenarios.loading import load
    from windtunnel import simulating

    loaded, source = load(scenario)
    with counted("replications") as progress:
        outcome = simulating.compare(
            loaded,
            source,
            strategies=kinds_named(strategies),
            vary=vary or (),
            replications=replications,
            until=until or (),
            max_replications=max_replications,
            seed=seed,
            processes=processes,
            executor=executor,
            fidelity=fidelity,
            out=out,
            progress=lambda _, done, total: progress(done, total),
        )
    records = {label: str(each.record.folder) for label, each in outcome.by_label.items()}
    found = caveats_compared(
        {label: (scenario_of(each.record), each.result.measures, None) for label, each in outcome.by_label.items()}
    )
    if as_json:
        headers = {label: each.record.header for label, each in outcome.by_label.items()}
        variants = {label: header.variant.changes for label, header in headers.items() if header.variant is not None}
        first = headers[next(iter(headers))]
        played = {"replications": first.replications, "seed": seed}
        stopped = {"until": first.until, "precise": first.precise} if until else {}
        said = {"caveats": found, "variants": variants, "records": records}
        emit_json({**outcome.comparison.to_json(), **played, **stopped, **said})
    else:
        from evidence.report.text import comparison_text

        emit_text(comparison_text(outcome.comparison, found))
        if until:
            emit_text(precision_text(outcome.simulations[0].record.header))
        emit_text("\n".join(f"record of {label}: {folder}" for label, folder in records.items()))
