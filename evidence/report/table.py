"""One neutral table: built once, shown as text, Markdown or HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Table", "decimals_shown", "money", "percent", "replications", "seconds", "share", "with_range"]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under headers. `align` has l or r a column; `marks` one word a row (pass, fail, ... or "").

    `note` stands below the table and says what its figures are. When `grouped`, rows with the same first cell
    belong together, and only the first of them shows it.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: str
    marks: tuple[str, ...] = ()
    note: str = ""
    grouped: bool = False

    def text(self) -> str:
        """Plain text, columns padded."""
        rows = [self.headers, *self._grouped()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(self.headers))]
        lines = ["  ".join(_pad(*each) for each in zip(row, widths, self.align, strict=True)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        lines = [self.title, "", *lines] if self.title else lines
        return "\n".join([*lines, *(("", self.note) if self.note else ())])

    def markdown(self) -> str:
        """GitHub's table syntax; cells are escaped."""
        rule = ["---:" if side == "r" else "---" for side in self.align]
        lines = [_line([_escaped(cell) for cell in self.headers]), _line(rule)]
        lines += [_line([_escaped(cell) for cell in row]) for row in self._grouped()]
        head = [f"## {self.title}", ""] if self.title else []
        return "\n".join([*head, *lines, *(("", _escaped(self.note)) if self.note else ())])

    def _grouped(self) -> list[tuple[str, ...]]:
        if not self.grouped:
            return list(self.rows)
        last, rows = None, []
        for row in self.rows:
            rows.append(("", *row[1:]) if row[0] == last else row)
            last = row[0]
        return rows

    def html_rows(self) -> list[tuple[str, tuple[str, ...]]]:
        """Mark and cells of each row, first cells grouped as in text."""
        marks = self.marks or ("",) * len(self.rows)
        return list(zip(marks, self._grouped(), strict=True))


def _pad(cell: str, width: int, side: str) -> str:
    return cell.rjust(width) if side == "r" else cell.ljust(width)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    for character in "\\`*_[]|<>":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")


def seconds(value: float | None, *, censored: bool = False) -> str:
    """`12.5 s`, `25 min 6 s` from two minutes on, `> 12.5 s` when censored, `-` when there is none."""
    if value is None:
        return "-"
    if value == float("inf"):
        return "not recovered"
    return f"{'> ' if censored else ''}{_duration(value)}"


def decimals_shown(value: float, fewest: int) -> int:
    """So many that a difference which is told apart from none does not read as none."""
    return fewest if value == 0.0 else max(fewest, -math.floor(math.log10(abs(value))))


def _duration(value: float) -> str:
    if value < 100.0:
        return f"{_trimmed(value, 2)} s"
    if value < 120.0:
        return f"{_trimmed(value, 1)} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _trimmed(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text


def with_range(value: float | None, low: float | None, high: float | None, unit: str) -> str:
    """`2.5 s [1.25, 3]`, `2.5 s` when the range has no width; unit is s, % (values are ratios) or a currency."""
    if value is None or low is None or high is None:
        return "-"
    shown, *ends = (_shown(each, unit) for each in (value, low, high))
    if unit != "s" or not any(mark in text for text in (shown, *ends) for mark in ("min", "h", "not")):
        # The unit is said once where it is the same.
        ends = [text.removesuffix(f" {unit}") for text in ends]
    return shown if low == high else f"{shown} [{ends[0]}, {ends[1]}]"


def mean_with_range(value: float, low: float, high: float, unit: str) -> str:
    """As `with_range`, `2.5 s [-, -]` where too few values bound the mean: an endless interval is no endless time.

    What a measure cannot be, less than 0, is not shown.
    """
    if math.isinf(low) or math.isinf(high):
        return f"{_shown(value, unit)} [-, -]"
    return with_range(value, max(0.0, low), high, unit)


def _shown(value: float, unit: str) -> str:
    if unit == "s":
        return seconds(value)
    return percent(value) if unit == "%" else money(value, unit)


def percent(value: float | None) -> str:
    """`1.2 %`, `28.4 %`: digits that a count of requests bears out, and never rounded up to 100 %."""
    if value is None:
        return "-"
    if value in (0.0, 1.0):
        return f"{value:.0%}".replace("%", " %")
    if value >= 0.995:
        return f"{value * 100:.2f} %"
    return f"{value * 100:.2g} %" if value < 0.0995 else f"{value * 100:.3g} %"


def share(value: float, low: float, high: float) -> str:
    """`91.2 % [90, 92]`."""
    shown = [_trimmed(each * 100, 1) for each in (value, low, high)]
    return f"{shown[0]} % [{shown[1]}, {shown[2]}]"


def replications(number: int) -> str:
    """`1 replication`, `1,000 replications`."""
    return f"{number:,} replication{'' if number == 1 else 's'}"


def money(value: float | None, currency: str | None) -> str:
    """`16,500 EUR`."""
    if value is None:
        return "-"
    return f"{value:,.0f} {currency or ''}".rstrip()
