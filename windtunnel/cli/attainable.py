"""``windtunnel attainable``: the RTO and RPO that hold, by tier and strategy, and what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.options import (
    COUNT_MAX,
    ExecutorOption,
    FidelityOption,
    JsonOption,
    MostOption,
    OutOption,
    ProcessesOption,
    ScenarioArgument,
    SeedOption,
    StrategiesOption,
    UntilOption,
    VaryOption,
    kinds_named,
)
from windtunnel.cli.output import emit_json, emit_text, write_page
from windtunnel.cli.progress import counted
from windtunnel.cli.verdict import precision_text

__all__ = ["add_to"]

_REPLICATIONS = 400
"""At 99 % no fewer than 368 have an upper end."""

_FewestOption = Annotated[
    int | None,
    typer.Option(
        "--replications",
        "-n",
        metavar="N",
        min=1,
        max=COUNT_MAX,
        help=f"How often the release is played ({_REPLICATIONS}); with --until the fewest.",
    ),
]

_EXAMPLES = examples("attainable shop-release", "attainable shop-release --report attainable.html")


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("attainable", epilog=_EXAMPLES)(attainable)


def attainable(
    scenario: ScenarioArgument,
    strategies: StrategiesOption = None,
    vary: VaryOption = None,
    replications: _FewestOption = None,
    until: UntilOption = None,
    max_replications: MostOption = None,
    seed: SeedOption = 1,
    processes: ProcessesOption = None,
    executor: ExecutorOption = "local",
    fidelity: FidelityOption = None,
    out: OutOption = Path("runs"),
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a page with figures.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Find the RTO and RPO that hold at 95 % and 99 %.

    By tier and strategy, over all releases, with what they cost in time and capacity.
    """
    from evidence.attainable import attainable as found_in
    from evidence.report.attainable import attainable_tables
    from scenarios.loading import load
    from windtunnel import simulating
    from windtunnel.errors import UsageError

    if report is not None and not report.parent.is_dir():
        raise UsageError(f"--report(={report}) cannot be written: its folder must be there")
    loaded, source = load(scenario)
    with counted("replications") as progress:
        outcome = simulating.compare(
            loaded,
            source,
            strategies=kinds_named(strategies),
            vary=vary or (),
            replications=_REPLICATIONS if replications is None and not until else replications,
            until=until or (),
            max_replications=max_replications,
            seed=seed,
            processes=processes,
            executor=executor,
            fidelity=fidelity,
            out=out,
            progress=lambda _, done, total: progress(done, total),
        )
    measures = {label: each.result.measures for label, each in outcome.by_label.items()}
    found = found_in(loaded.name, measures, outcome.comparison.release)
    records = {label: str(each.record.folder) for label, each in outcome.by_label.items()}
    if report is not None:
        from windtunnel.reporting import attainable_page

        write_page(report, attainable_page([each.record.folder for each in outcome.simulations], found), "--report")
    if as_json:
        played = {"replications": outcome.simulations[0].record.header.replications, "seed": seed}
        emit_json({**found.to_json(), **played, **outcome.stopped, "caveats": outcome.caveats, "records": records})
    else:
        emit_text("\n\n".join(table.text() for table in attainable_tables(found)))
        emit_text("\n".join(["", *(f"Caveat: {each}" for each in outcome.caveats)]))
        if until:
            emit_text(precision_text(outcome.simulations[0].record.header))
        emit_text("\n".join(f"record of {label}: {folder}" for label, folder in records.items()))
        if report is not None:
            emit_text(f"report: {report}")
