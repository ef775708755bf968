"""What callgrind counted is read, and it is what a script asked for."""

from pathlib import Path

import pytest

from benchmarks.instructions import instructions, missing, total


def test_the_total_is_that_of_the_summary() -> None:
    assert total("events: Ir\nsummary: 5073888\n\nfn=(1) summary\n1 7\ntotals: 5145886\n") == 5073888


def test_a_dump_without_a_summary_is_an_error() -> None:
    with pytest.raises(ValueError, match="no line 'summary: N'"):
        total("events: Ir\n")


@pytest.mark.skipif(missing() is not None, reason=f"{missing()}")
def test_each_run_is_counted_for_itself(tmp_path: Path) -> None:
    few, many, few_again = instructions(
        """
for numbers in (1_000, 101_000, 1_000):
    count(lambda: sum(range(numbers)))
""",
        tmp_path,
    )
    assert 5 < (many - few) / 100_000 < 500
    assert abs(few_again - few) < (many - few) / 10
