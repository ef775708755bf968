"""Arguments and options that several commands share, so that they read and behave alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scenarios.fidelity import Fidelity

__all__ = [
    "COUNT_MAX",
    "DefectOption",
    "DrawnDefectOption",
    "DryRunOption",
    "ExecutorOption",
    "FewestOption",
    "FidelityOption",
    "GoodOption",
    "JsonOption",
    "LoadWorkersOption",
    "MostOption",
    "OutOption",
    "ProcessesOption",
    "ReplicationsOption",
    "RunArgument",
    "ScenarioArgument",
    "ScenariosArgument",
    "SeedOption",
    "StagingOption",
    "StateOption",
    "StrategiesOption",
    "StrategyOption",
    "UntilOption",
    "VaryOption",
    "defects_to_switch_on",
    "kinds_named",
    "ratio_of",
]


def _library_names(incomplete: str) -> list[str]:
    """What a shell may complete a scenario to, besides files."""
    from scenarios.catalogue import library_names

    return [name for name in library_names() if name.startswith(incomplete)]


COUNT_MAX = 10_000_000
"""Of replications and the like: what each of them measured is kept in memory, so more is a slip of the keyboard."""

ScenarioArgument = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO", help="A scenario file, or a name in the library.", autocompletion=_library_names
    ),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run record: the folder that a run wrote.")]
DefectOption = Annotated[
    list[str] | None,
    typer.Option("--defect", metavar="NAME", help="Wrong with the new version (repeatable); else the first."),
]
DrawnDefectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--defect",
        metavar="NAME",
        help="Wrong with the new version in every replication (repeatable); else drawn by its probability.",
    ),
]
GoodOption = Annotated[bool, typer.Option("--good", help="Nothing is wrong with the new version.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and touch nothing.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
LoadWorkersOption = Annotated[
    int, typer.Option("--load-workers", metavar="N", help="Processes that send the load, each its share.")
]
ScenariosArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SCENARIO...", help="Scenario files, or names in the library.", autocompletion=_library_names
    ),
]
ReplicationsOption = Annotated[
    int,
    typer.Option("--replications", "-n", metavar="N", min=1, max=COUNT_MAX, help="How often the release is played."),
]
StrategyOption = Annotated[
    str | None,
    typer.Option("--strategy", metavar="KIND", help="A kind, such as canary; else the scenario's main strategy."),
]
StrategiesOption = Annotated[
    str | None,
    typer.Option(
        "--strategies",
        metavar="KIND,KIND",
        help="Else those of the scenario; beside a single one, defaults.",
    ),
]
VaryOption = Annotated[
    list[str] | None,
    typer.Option(
        "--vary",
        metavar="PATH=V1,V2",
        help="Values of the scenario's text, side by side (repeatable: every one with every other): "
        "release.strategy.canary.bake=1m,5m,15m. Without --strategies, of the main strategy.",
    ),
]
FewestOption = Annotated[
    int | None,
    typer.Option(
        "--replications",
        "-n",
        metavar="N",
        min=1,
        max=COUNT_MAX,
        help="How often the release is played (200); with --until the fewest.",
    ),
]
UntilOption = Annotated[
    list[str] | None,
    typer.Option(
        "--until",
        metavar="PRECISION",
        help="Play until so precise: 'rto_attainment +-1%', half the width of the 95 % interval (repeatable: all).",
    ),
]
MostOption = Annotated[
    int | None,
    typer.Option("--max-replications", metavar="N", min=1, max=COUNT_MAX, help="With --until the most (10,000)."),
]
ProcessesOption = Annotated[
    int | None,
    typer.Option("--processes", metavar="N", min=1, max=COUNT_MAX, help="Else as many as pay; the answer is the same."),
]
ExecutorOption = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="local|dask=ADDRESS",
        help="This machine, or the scheduler of a Dask cluster; the answer is the same.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of every random stream.")]
FidelityOption = Annotated[
    Fidelity | None,
    typer.Option("--fidelity", help="Data plane: requests, or fluid for long and heavy loads; else the scenario's."),
]


def _folder(text: str | Path) -> Path:
    """An empty name, as of a variable that is not set, would be the current folder."""
    if not str(text):
        raise typer.BadParameter("must name a folder")
    return Path(text)


OutOption = Annotated[
    Path,
    typer.Option("--out", metavar="FOLDER", parser=_folder, help="Folder under which the run record is written."),
]
StagingOption = Annotated[
    str, typer.Option("--staging", metavar="local|FILE", help="The embedded staging, or one that a file describes.")
]
StateOption = Annotated[
    Path | None,
    # absolute, because the staging's processes run in that folder themselves
    typer.Option(
        "--state",
        metavar="FOLDER",
        parser=lambda text: _folder(text).resolve(),
        help="The staging's state folder (WINDTUNNEL_STATE; else the user's).",
    ),
]


def kinds_named(strategies: str | None) -> list[str] | None:
    """Of `--strategies`: the kinds between its commas; None where nothing is said."""
    return None if strategies is None else [each.strip() for each in strategies.split(",")]


def defects_to_switch_on(defect: list[str] | None, *, good: bool) -> list[str] | None:
    """Of `--defect` and `--good`: none, those named, or None for the scenario's first. Raises UsageError for both."""
    from windtunnel.errors import UsageError

    if good and defect:
        raise UsageError(f"--good and --defect(={','.join(defect)}) must not both be given")
    return [] if good else (defect or None)


def ratio_of(option: str, text: str) -> float:
    """The value of an option such as 20%. Raises UsageError, which names the option."""
    from scenarios.quantities import parse_ratio
    from windtunnel.errors import UsageError

    try:
        return parse_ratio(text)
    except ValueError as error:
        raise UsageError(f"{option}(={text}) {error}") from error
