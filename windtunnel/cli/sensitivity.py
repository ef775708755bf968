"""``windtunnel sensitivity``: which of a scenario's assumptions matters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.options import (
    COUNT_MAX,
    DrawnDefectOption,
    JsonOption,
    OutOption,
    ScenarioArgument,
    SeedOption,
    StrategyOption,
    ratio_of,
)
from windtunnel.cli.output import emit_json, emit_table, emit_text
from windtunnel.cli.progress import counted

if TYPE_CHECKING:
    from evidence.sensitivity import Influence
    from windtunnel.sensitivity import SensitivityOutcome

__all__ = ["add_to"]

_NAMED_MAX = 6
"""Inputs without a known influence, up to which they are named."""

_EXAMPLES = examples("sensitivity uncertain-inputs", "sensitivity shop-release --spread 20% --by rto_s")


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("sensitivity", epilog=_EXAMPLES)(sensitivity)


def sensitivity(
    scenario: ScenarioArgument,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="MEASURE",
            help="rto_s, rto_missed, rpo_s, failed_share or revenue_lost (repeatable); else rto_s and failed_share.",
        ),
    ] = None,
    spread: Annotated[
        str | None,
        typer.Option(
            "--spread",
            metavar="SHARE",
            help="Draw every quantity of the world within so much of itself; else the scenario's ranges, or 20%.",
        ),
    ] = None,
    defect: DrawnDefectOption = None,
    strategy: StrategyOption = None,
    replications: Annotated[
        int,
        typer.Option(
            "--replications", "-n", metavar="N", min=60, max=COUNT_MAX, help="How often the release is played."
        ),
    ] = 1000,
    seed: SeedOption = 1,
    out: OutOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Rank a scenario's uncertain inputs by their influence.

    By how much of the outcome's variation comes with each.
    """
    from scenarios.loading import load
    from windtunnel import sensitivity as asking

    _, source = load(scenario)
    with counted("replications") as progress:
        found = asking.sensitivity(
            source,
            spread=None if spread is None else ratio_of("--spread", spread),
            measures=by or ("rto_s", "failed_share"),
            strategy=strategy,
            defects=defect,
            replications=replications,
            seed=seed,
            out=out,
            progress=progress,
        )
    if as_json:
        emit_json(_document(found, seed))
    else:
        _emit_text(found)


def _document(found: SensitivityOutcome, seed: int) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "scenario": found.simulation.record.header.scenario.name,
        "strategy": found.simulation.record.header.strategy,
        "seed": seed,
        "replications": found.simulation.result.replications,
        "spread": found.spread,
        "inputs": [{"name": each.name, "range": each.text} for each in found.ranges],
        "influences": [asdict(each) for each in found.influences],
        "constant": [{"function": function, "measure": measure} for function, measure in found.constant],
        "unknown": [{"function": function, "measure": measure} for function, measure in found.unknown],
        "caveats": found.simulation.caveats,
        "record": str(found.simulation.record.folder),
    }


def _emit_text(found: SensitivityOutcome) -> None:
    ranges = {each.name: each.text for each in found.ranges}
    currency = {row.function: row.currency for row in found.simulation.result.measures}
    for key in dict.fromkeys((each.function, each.measure) for each in found.influences):
        rows = [each for each in found.influences if (each.function, each.measure) == key]
        told = [each for each in rows if each.told]
        emit_text(f"{key[1]} of {key[0]}")
        if told:
            emit_table(
                ("INPUT", "RANGE", "EXPLAINS", "LOWEST THIRD", "HIGHEST THIRD"),
                [
                    (each.input, ranges[each.input], _share(each), *_means(each, currency[each.function]))
                    for each in told
                ],
            )
        rest = [each.input for each in rows if not each.told]
        if rest:
            emit_text(f"{_untold(rest, len(rows))}: the data cannot tell whether they have any influence\n")
    for function, measure in found.constant:
        emit_text(f"{measure} of {function}: the same in every replication")
    for function, measure in found.unknown:
        emit_text(f"{measure} of {function}: no data in some replication")
    replications = found.simulation.result.replications
    emit_text(
        f"Shares of the variance over {replications:,} replications with 95 % intervals; in thirds of an input: means."
    )
    if found.spread is not None:
        emit_text(f"Every quantity of the world was drawn within {found.spread:.0%} of itself.".replace("%", " %"))
    emit_text("\n".join(["", *(f"Caveat: {each}" for each in found.simulation.caveats)]))
    emit_text(f"record: {found.simulation.record.folder}")


def _untold(names: Sequence[str], inputs: int) -> str:
    """By name where a reader can take them in."""
    return ", ".join(names) if len(names) <= _NAMED_MAX else f"{len(names)} of {inputs} inputs"


def _share(influence: Influence) -> str:
    share = influence.share
    return f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]".replace("%", " %")


def _means(influence: Influence, currency: str | None) -> tuple[str, str]:
    from evidence.report.table import money

    low, high = influence.low_mean, influence.high_mean
    if influence.measure in ("failed_share", "rto_missed"):
        return f"{low:.2%}".replace("%", " %"), f"{high:.2%}".replace("%", " %")
    if influence.measure == "revenue_lost":
        return money(low, currency), money(high, currency)
    return f"{low:.4g} s", f"{high:.4g} s"
