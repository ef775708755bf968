"""Reports of stored runs: one run, a simulation and a drill of one release side by side, or strategies compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

from evidence.attainable import Attainable
from evidence.beside import predicted_beside_measured
from evidence.header import World
from evidence.report.content import RunContent, comparison_of, gather
from windtunnel.errors import UsageError

__all__ = ["Format", "attainable_page", "report"]


class Format(StrEnum):
    """What a report is written as."""

    HTML = "html"
    TEXT = "text"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    JSON = "json"


def report(folders: Sequence[Path], format: Format) -> str:  # noqa: A002 - the field's word
    """The report of one judged run, of a simulation and a drill side by side, or of simulations compared.

    JUnit takes any number of runs. Raises UsageError for another combination, EvidenceError for records that
    cannot be read, are not judged or do not belong together.
    """
    runs = [gather(folder) for folder in folders]
    if format is Format.JUNIT:
        from evidence.report.junit import junit_xml

        return junit_xml(runs)
    if len(runs) == 1:
        return _RENDER_ONE[format](runs[0])
    worlds = {run.header.world: run for run in runs}
    if set(worlds) == {World.SIMULATION}:
        return _RENDER_COMPARED[format](runs)
    if len(runs) != 2 or set(worlds) != {World.SIMULATION, World.STAGING}:
        found = ", ".join(run.header.world.value for run in runs)
        raise UsageError(
            f"runs(={found}) must be one run, one simulation and one drill (staging), or simulations to be compared"
        )
    return _RENDER_BOTH[format](worlds[World.SIMULATION], worlds[World.STAGING])


def attainable_page(folders: Sequence[Path], found: Attainable) -> str:
    """The HTML page of what is attainable, from the records of the simulations. Raises EvidenceError as `report`."""
    from evidence.report.html import attainable_html

    return attainable_html([gather(folder) for folder in folders], found)


def _html(run: RunContent) -> str:
    from evidence.report.html import run_html

    return run_html(run)


def _text(run: RunContent) -> str:
    from evidence.report.text import run_text

    return run_text(run)


def _markdown(run: RunContent) -> str:
    from evidence.report.markdown import run_markdown

    return run_markdown(run)


def _json(run: RunContent) -> str:
    from evidence.report.json_report import run_json

    return json.dumps(run_json(run), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _html_of_both(simulation: RunContent, drill: RunContent) -> str:
    from evidence.report.html import side_by_side_html

    return side_by_side_html(simulation, drill)


def _text_of_both(simulation: RunContent, drill: RunContent) -> str:
    from evidence.report.text import beside_text

    beside = predicted_beside_measured(simulation.record, drill.record)
    return f"{beside_text(beside)}\n{_text(drill)}\n{_text(simulation)}"


def _markdown_of_both(simulation: RunContent, drill: RunContent) -> str:
    from evidence.report.markdown import side_by_side_markdown

    beside = predicted_beside_measured(simulation.record, drill.record)
    return side_by_side_markdown(simulation, drill, beside)


def _json_of_both(simulation: RunContent, drill: RunContent) -> str:
    from evidence.report.json_report import side_by_side_json

    beside = predicted_beside_measured(simulation.record, drill.record)
    document = side_by_side_json(simulation, drill, beside)
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _html_of_compared(runs: Sequence[RunContent]) -> str:
    from evidence.report.html import comparison_html

    return comparison_html(runs)


def _text_of_compared(runs: Sequence[RunContent]) -> str:
    from evidence.report.text import comparison_text

    return comparison_text(comparison_of(runs))


def _markdown_of_compared(runs: Sequence[RunContent]) -> str:
    from evidence.report.markdown import comparison_markdown

    return comparison_markdown(comparison_of(runs))


def _json_of_compared(runs: Sequence[RunContent]) -> str:
    document = comparison_of(runs).to_json()
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


# The renderers import what they need, so that a text costs no figures.
_RENDER_ONE: dict[Format, Callable[[RunContent], str]] = {
    Format.HTML: _html,
    Format.TEXT: _text,
    Format.MARKDOWN: _markdown,
    Format.JSON: _json,
}
_RENDER_BOTH: dict[Format, Callable[[RunContent, RunContent], str]] = {
    Format.HTML: _html_of_both,
    Format.TEXT: _text_of_both,
    Format.MARKDOWN: _markdown_of_both,
    Format.JSON: _json_of_both,
}
_RENDER_COMPARED: dict[Format, Callable[[Sequence[RunContent]], str]] = {
    Format.HTML: _html_of_compared,
    Format.TEXT: _text_of_compared,
    Format.MARKDOWN: _markdown_of_compared,
    Format.JSON: _json_of_compared,
}
