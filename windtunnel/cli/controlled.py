"""``windtunnel compare --control-variate``."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["ControlVariateOption", "emit_controlled"]

ControlVariateOption = Annotated[
    int | None,
    typer.Option(
        "--control-variate",
        metavar="PAIRS",
        help="Play the replications as flows, and so many of them request by request too, which correct the means.",
    ),
]


def emit_controlled(
    reference: str,
    pairs: int,
    *,
    strategies: str | None,
    replications: int | None,
    seed: int,
    processes: int | None,
    as_json: bool,
    others: dict[str, object],
) -> None:
    """Compare and print; `others` are options that mean nothing here, by name, with what was given."""
    from evidence.report.controlled import controlled_text
    from scenarios.loading import load
    from windtunnel.cli.options import kinds_named
    from windtunnel.cli.output import emit_json, emit_text
    from windtunnel.cli.progress import counted
    from windtunnel.controlled import compare_controlled
    from windtunnel.errors import UsageError

    for name, value in others.items():
        if value:
            given = ", ".join(value) if isinstance(value, list) else value
            raise UsageError(f"--{name}(={given}) must not be given beside --control-variate")
    loaded, source = load(reference)
    with counted("replications") as progress:
        found = compare_controlled(
            loaded,
            source,
            strategies=kinds_named(strategies),
            replications=replications,
            paired=pairs,
            seed=seed,
            processes=processes,
            progress=progress,
        )
    if as_json:
        emit_json({**found.to_json(), "seed": seed})
        return
    emit_text(controlled_text(found))
