"""What a comparison says: pairs, who is better on what, where the data cannot tell, and who dominates whom."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evidence.comparison import compare
from evidence.pairs import CANNOT_TELL, SAME, pairs_of
from evidence.report.comparison_tables import comparison_table, pareto_table
from evidence.report.statements import statement_lines
from evidence.report.summary import best_tiles
from tests.unit import evidence_made as made


def with_changes(rows, **changes):
    return [replace(row, **changes) if row.function == "buy" else row for row in rows]


def test_every_pair_is_there_and_turns_round() -> None:
    canary = made.measures(replications=40)
    slow = [replace(row, rto_s=row.rto_s + 1.0) for row in canary]
    slower = [replace(row, rto_s=row.rto_s + 3.0) for row in canary]
    pairs = pairs_of({"a": canary, "b": slow, "c": slower})
    assert [(p.ours, p.theirs) for p in pairs if p.function == "buy"] == [("a", "b"), ("a", "c"), ("b", "c")]
    found = {each.measure: each for each in next(p for p in pairs if p.ours == "b").differences}
    assert (found["rto_s"].statement, found["rto_s"].estimate.value) == ("better", -2.0)
    assert found["rto_attainment"].statement == SAME
    assert "rto_p95_s" not in found  # 2 of 40 values beyond it say too little
    back = compare("tiny", {"a": canary, "b": slow, "c": slower}).of("buy")[2]
    assert {each.measure: each.estimate.value for each in back.differences}["rto_s"] == 3.0


def test_intervals_hold_together_for_all_pairs() -> None:
    canary = made.measures(replications=60)
    noisy = [replace(row, rto_s=row.rto_s + (row.replication % 7)) for row in canary]
    of_two = {e.measure: e.estimate for e in pairs_of({"a": canary, "b": noisy})[0].differences}["rto_s"]
    of_three = {e.measure: e.estimate for e in pairs_of({"a": canary, "b": noisy, "c": canary})[0].differences}["rto_s"]
    assert of_two.value == of_three.value
    # Quantiles of t with 59 degrees of freedom at 0.975 and 1 - 0.025 / 3.
    ratio = (of_three.high - of_three.value) / (of_two.high - of_two.value)
    assert ratio == pytest.approx(2.4632 / 2.0010, abs=1e-3)


def test_quantile_differences_come_from_common_resamples() -> None:
    canary = made.measures(replications=200, bad_every=2)
    shifted = [replace(row, rto_s=row.rto_s + 1.5) for row in canary]
    found = {each.measure: each for each in pairs_of({"a": shifted, "b": canary})[0].differences}
    estimate = found["rto_p95_s"].estimate
    assert (estimate.value, estimate.low, estimate.high) == (1.5, 1.5, 1.5)  # the pairing leaves no noise
    assert found["rto_p95_s"].statement == "worse"


def test_statements_say_who_is_better_on_what_and_where_nobody_can_tell() -> None:
    canary = made.measures(replications=100)
    slow = with_changes(canary, rto_s=9.0, met_rto=False)
    rare = [replace(row, failed_share=0.5) if row.replication == 3 and row.function == "buy" else row for row in canary]
    found = compare("tiny", {"canary": canary, "recreate": slow, "rolling": rare})
    lines = statement_lines(found)
    alike = "buy, RTO met: canary and rolling are alike, and better than recreate (by 100.0 points ["
    assert lines[0].startswith(alike)
    assert any(line.startswith("The data cannot tell them apart on buy, failed share") for line in lines)
    assert any(line.startswith("No replication differs on") and "browse, RTO met" in line for line in lines)
    statement = next(s for s in found.statements if (s.function, s.measure) == ("buy", "failed_share"))
    assert (statement.worse, statement.unclear) == ((), ("rolling",))
    assert statement.best in ("canary", "recreate")
    json.dumps(found.to_json(), allow_nan=False)


def test_dominated_is_what_another_is_at_least_as_good_as_and_surely_better_somewhere() -> None:
    canary = made.measures(replications=60)
    longer = [replace(row, release_duration_s=(row.release_duration_s or 0.0) + 10.0) for row in canary]
    riskier = [replace(row, release_duration_s=1.0, failed=row.requests) for row in canary]
    found = compare("tiny", {"canary": canary, "slow": longer, "risky": riskier})
    assert {row.name: row.dominated_by for row in found.pareto} == {"canary": (), "slow": ("canary",), "risky": ()}
    assert pareto_table(found).marks == ("best", "", "best")
    assert statement_lines(found)[-1] == "Not dominated in risk, time and capacity: canary and risky."


def test_where_the_data_cannot_tell_a_run_is_perhaps_dominated() -> None:
    """Fewer replica-seconds for sure, but that two more releases of sixty miss their RTO may be chance."""
    canary = made.measures(replications=60)
    cheaper = [replace(row, extra_replica_s=row.extra_replica_s - 1.0) for row in canary]
    missing = [replace(row, met_rto=row.met_rto if row.replication > 1 else False) for row in canary]
    found = compare("tiny", {"canary": missing, "cheaper": cheaper})
    assert [(row.dominated_by, row.perhaps_by) for row in found.pareto] == [((), ("cheaper",)), ((), ())]
    assert [row[-1] for row in pareto_table(found).rows] == ["perhaps cheaper", "none"]
    assert not any(line.startswith("Not dominated") for line in statement_lines(found))


def test_whoever_loses_more_writes_dominates_nobody() -> None:
    canary = [replace(row, lost_writes=0) for row in made.measures(replications=60)]
    faster = [replace(row, release_duration_s=1.0) for row in canary]
    assert compare("tiny", {"canary": canary, "fast": faster}).pareto[0].dominated_by == ("fast",)
    losing = with_changes(faster, lost_writes=2)
    found = compare("tiny", {"canary": canary, "fast": losing})
    assert [row.dominated_by for row in found.pareto] == [(), ()]
    lines = statement_lines(found)
    assert "buy, writes lost: canary is better than fast (by 2 writes [2, 2])." in lines
    assert "release, writes lost: canary is better than fast (by 2 writes [2, 2])." in lines
    assert not any("browse, writes lost" in line for line in lines)  # it writes nothing
    silent = [replace(row, acknowledged_writes=0) for row in canary]
    assert not any("writes lost" in line for line in statement_lines(compare("tiny", {"a": silent, "b": faster})))


def test_a_small_difference_does_not_read_as_none() -> None:
    canary = made.measures(replications=60)
    more = [replace(row, extra_replica_s=row.extra_replica_s + 0.25, rto_s=row.rto_s + 0.004) for row in canary]
    found = compare("tiny", {"canary": canary, "rolling": more})
    lines = statement_lines(found)
    assert "release, capacity: canary is better than rolling (by 0.2 replica-seconds [0.2, 0.2])." in lines
    assert "buy, mean RTO: canary is better than rolling (by 0.004 s [0.004, 0.004])." in lines
    assert [row[-1] for row in comparison_table(found).rows][:2] == ["best", "worse: RTO +0.004 s"]
    share = [replace(row, failed_share=row.failed_share + 0.00002) for row in canary]
    table = comparison_table(compare("tiny", {"canary": canary, "rolling": share}))
    assert table.rows[1][-1] == "worse: failed +0.002 points"


def test_one_run_has_nothing_to_be_compared_with() -> None:
    found = compare("tiny", {"canary": made.measures(replications=10)})
    assert (found.pairs, found.statements, statement_lines(found)) == ((), (), [])
    assert CANNOT_TELL == "the data cannot tell"


def test_a_table_tells_runs_that_never_differ_from_those_that_the_data_cannot_tell() -> None:
    canary = made.measures(replications=1)
    noisy = [replace(row, failed_share=0.1) if row.function == "buy" else row for row in canary]
    assert [row[-1] for row in comparison_table(compare("tiny", {"a": canary, "b": noisy})).rows] == [
        "best", CANNOT_TELL, "best", "the same in every replication",
    ]  # fmt: skip
    unclear, alike = best_tiles(compare("tiny", {"a": canary, "b": noisy}))
    assert (unclear.details[0], alike.details[0]) == (
        "the data cannot tell the strategies apart", "the same in every replication",
    )  # fmt: skip
    assert comparison_table(compare("tiny", {"a": canary})).note.startswith("1 replication.")
