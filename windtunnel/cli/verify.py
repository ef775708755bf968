"""``windtunnel verify``: the simulator against what theory knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from windtunnel.cli.examples import examples
from windtunnel.cli.exits import ExitCode
from windtunnel.cli.options import COUNT_MAX, JsonOption, SeedOption
from windtunnel.cli.output import emit_json, emit_table, emit_text
from windtunnel.cli.progress import counted

if TYPE_CHECKING:
    from simulator.verification.agreement import Agreement
    from simulator.verification.run import Checked

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this group's commands to the root."""
    app.command("verify", epilog=examples("verify", "verify --only little"))(verify)


def verify(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="CHECK", help="A check's name (repeatable); else all.")
    ] = None,
    seed: SeedOption = 1,
    repetitions: Annotated[
        int,
        typer.Option(
            "--repetitions",
            "-n",
            metavar="N",
            min=20,
            max=COUNT_MAX,
            help="Of the intervals' coverage; of random kills ten times as many.",
        ),
    ] = 1000,
    as_json: JsonOption = False,
) -> None:
    """Check the simulator against theory.

    Exit code 1 when a line leaves its bounds.
    """
    from simulator.verification.run import verify as verify_all
    from simulator.verification.settings import Settings

    with counted("checks") as progress:
        checks = verify_all(Settings(seed, repetitions), only or (), progress)
    code = ExitCode.PASS if all(check.within for check in checks) else ExitCode.FAIL
    if as_json:
        emit_json(_document(checks, seed, repetitions, code))
    else:
        _emit_text(checks, seed, repetitions)
    raise typer.Exit(code)


def _document(checks: list[Checked], seed: int, repetitions: int, code: ExitCode) -> dict[str, Any]:
    found = [
        {"name": check.name, "within": check.within, "agreements": [_plain(each) for each in check.agreements]}
        for check in checks
    ]
    within = code is ExitCode.PASS
    return {"seed": seed, "repetitions": repetitions, "within": within, "exit_code": int(code), "checks": found}


def _plain(agreement: Agreement) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(agreement), "within": agreement.within}


def _emit_text(checks: list[Checked], seed: int, repetitions: int) -> None:
    lines = [(check.name, each) for check in checks for each in check.agreements]
    emit_table(
        ("CHECK", "CASE", "THEORY", "OBSERVED", "BOUNDS", "WITHIN"),
        [
            (
                name,
                each.case,
                _number(each.theory, each.unit),
                _number(each.observed, each.unit),
                f"{_number(each.low)} .. {_number(each.high)}",
                "yes" if each.within else "NO",
            )
            for name, each in lines
        ],
    )
    notes: dict[str, list[str]] = {}
    for _, each in lines:
        if each.note:
            notes.setdefault(each.note, []).append(each.case)
    for note, cases in notes.items():
        emit_text(f"{'; '.join(cases)}: {note}")
    outside = [(name, each) for name, each in lines if not each.within]
    emit_text(f"\n{len(lines) - len(outside)} of {len(lines)} within; seed {seed}, {repetitions:,} repetitions")
    for name, each in outside:
        emit_text(
            f"outside: {name}, {each.case}: {_number(each.observed, each.unit)} must be in "
            f"{_number(each.low)} .. {_number(each.high)} ({each.basis})"
        )


def _number(value: float, unit: str = "") -> str:
    text = f"{value:,.0f}" if value == int(value) and abs(value) >= 1000 else f"{value:.5g}"
    return f"{text} {unit}" if unit else text
