"""Splitting: a random walk whose probability is known, levels, paths, and what it says when nothing is found."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from evidence.statistics import share_with_interval
from scenarios.loading import load, load_text, read
from simulator.draws import Stream, stream_keys
from simulator.rare import collapse
from simulator.rare.collapse import Foretold, collapse_probability, collapsed
from simulator.rare.kinds import kinds_of, roots_of
from simulator.rare.levels import NOT_RARE, Pilot, pilot
from simulator.rare.paths import Outcome, Path, Split, branch_keys
from simulator.rare.splitting import Run, branches, estimate, split_run, weighed
from simulator.rare.trajectories import Trajectories
from simulator.replications import simulate
from simulator.strategies import strategy_named
from simulator.streams import defects_drawn
from simulator.work import Work

UP, GOAL, STEPS = 0.3, 12, 60


def walk(path: Path, goal: int = GOAL) -> Outcome:
    """A walk that goes up with probability UP, else down, never below 0; the event is to reach the goal."""
    splits = {split.tick: number for number, split in enumerate(path.splits, 1)}
    rng = np.random.default_rng([path.root])
    height, records = 0, []
    begun = path.splits[-1].tick if path.splits else 0
    for tick in range(STEPS + 1):
        if tick:
            height = goal if height == goal else max(0, height + (1 if rng.random() < UP else -1))
        if tick in splits:
            taken = [
                number for split in path.splits[: splits[tick]] for number in (split.tick, split.level, split.branch)
            ]
            rng = np.random.default_rng([path.root, *taken])
        if tick >= begun and (not records or height > records[-1][1]):
            records.append((tick, float(height)))
    return Outcome(tuple(records), height == goal)


def play(paths: Sequence[Path], enough: float = math.inf) -> list[Outcome]:
    return [walk(path) for path in paths]


def probability() -> float:
    chances = np.zeros(GOAL + 1)
    chances[0] = 1.0
    for _ in range(STEPS):
        following = np.zeros_like(chances)
        following[GOAL] = chances[GOAL]
        for height in range(GOAL):
            following[height + 1] += UP * chances[height]
            following[max(0, height - 1)] += (1 - UP) * chances[height]
        chances = following
    return float(chances[GOAL])


def test_it_finds_the_probability_of_a_rare_event_in_a_fraction_of_the_trajectories() -> None:
    levels = pilot([Path(root) for root in range(200)], play).levels
    runs = [split_run(levels, [Path(1000 * (1 + n) + root) for root in range(100)], play) for n in range(16)]
    found, truth = estimate(runs, 1600), probability()
    assert 1e-6 < truth < 1e-3
    assert len(levels) >= 3
    assert found.low <= truth <= found.high
    error = np.std([run.probability for run in runs], ddof=1) / math.sqrt(len(runs))
    plain = truth * (1 - truth) / error**2
    assert plain > 10 * sum(run.trajectories for run in runs)


def test_an_event_before_the_last_level_counts_by_the_levels_that_it_crossed() -> None:
    def jumpy(paths: Sequence[Path], enough: float) -> list[Outcome]:
        # One root in four crosses level 1; one that does not hits the event all the same.
        return [Outcome(((0, 0.0), (1, 5.0)) if path.root % 4 == 0 else ((0, 0.0),), path.root == 3) for path in paths]

    run = split_run((5.0,), [Path(root) for root in range(8)], jumpy)
    assert run == Run(probability=1 / 8, trajectories=16, hits=1)


def test_branches_are_taken_in_turn_from_those_that_reached() -> None:
    paths = [Path(0), Path(1), Path(2)]
    outcomes = [
        Outcome(((0, 1.0), (4, 3.0)), hit=False),
        Outcome(((0, 1.0),), hit=False),
        Outcome(((2, 3.0),), hit=True),
    ]
    split, reached = branches(paths, outcomes, 3.0, 0)
    assert reached == 2
    assert split == [Path(0, (Split(4, 0, 0),)), Path(2, (Split(2, 0, 0),)), Path(0, (Split(4, 0, 1),))]


def test_draws_of_a_branch_follow_from_its_path_alone() -> None:
    path = Path(7, (Split(3, 0, 1), Split(9, 1, 0)))
    first, second = branch_keys(1, path, 1), branch_keys(1, path, 2)
    assert first.shape == (len(Stream),)
    assert (branch_keys(1, path, 2) == second).all()
    for other in (first, branch_keys(2, path, 2), branch_keys(1, Path(8, path.splits), 2), stream_keys(1, 7)):
        assert not (other == second).any()


def test_without_a_hit_the_interval_is_what_plain_replications_would_tell() -> None:
    found = estimate([Run(0.0, 100, 0)] * 16, 1600)
    assert found.value == found.low == 0.0
    assert found.high == pytest.approx(3.69 / 1600, rel=0.01)  # -log(0.025) over n


def test_a_pilot_has_no_levels_where_plain_replications_cost_as_little_and_gives_up_at_its_floor() -> None:
    def often(paths: Sequence[Path]) -> list[Outcome]:
        return [Outcome(((0, 0.0),), hit=path.root % 50 == 0) for path in paths]

    found = pilot([Path(root) for root in range(200)], often)
    assert (found.levels, found.probability) == ((), 2 * NOT_RARE)

    def never(paths: Sequence[Path]) -> list[Outcome]:
        return [replace(walk(path), hit=False) for path in paths]

    given_up = pilot([Path(root) for root in range(200)], never, floor=0.01)
    assert given_up.levels == ()
    assert given_up.probability == 0.0
    assert 0.0004 < given_up.reach < 0.01  # one in five at a time


def test_parts_that_are_weighed_hold_their_sum_as_often_as_they_should() -> None:
    often, seldom = (0.02, 160, 0.3), (0.98, 200, 0.002)
    truth = often[0] * often[2] + seldom[0] * seldom[2]
    held = 0.0
    for first in range(161):
        for second in range(12):
            found = weighed([(0.02, share_with_interval(first, 160)), (0.98, share_with_interval(second, 200))])
            chance = _binomial(first, *often[1:]) * _binomial(second, *seldom[1:])
            held += chance * (found.low <= truth <= found.high)
    assert 0.95 <= held < 0.999
    # A part without a hit takes nothing from the lower end, and the only one keeps its interval.
    alone, nothing = share_with_interval(40, 160), share_with_interval(0, 200)
    assert weighed([(1.0, alone)]) == alone
    both = weighed([(0.02, alone), (0.98, nothing)])
    assert both.low == pytest.approx(0.02 * alone.low)
    assert both.high > 0.98 * nothing.high


def _binomial(hits: int, n: int, chance: float) -> float:
    return math.comb(n, hits) * chance**hits * (1.0 - chance) ** (n - hits)


def test_kinds_of_roots_are_those_that_a_replication_draws() -> None:
    scenario, _ = load("shop-release")
    work = Work(scenario, strategy_named(scenario, None), 1, None)
    kinds = kinds_of(work)
    assert len(kinds) == 1 + len(scenario.release.defects) + len(scenario.release.rollback_risks) > 2
    assert sum(kind.share for kind in kinds) == pytest.approx(1.0)
    assert kinds[-1].name == ""
    first = [set(islice(kind.roots(0), 3)) for kind in kinds]
    for kind, roots in zip(kinds, first, strict=True):
        for root in roots:
            drawn = {f"defect {each.name}" for each in defects_drawn(scenario.release.defects, 1, root)}
            assert (kind.name in drawn) if kind.name else not drawn
    assert len(set().union(*first)) == 3 * len(kinds)
    assert [*islice(roots_of(kinds, 500), 100)] == [*range(500, 600)]
    without = [*islice(roots_of(kinds[1:], 500), 100)]
    assert without == [root for root in range(500, without[-1] + 1) if root not in {*islice(kinds[0].roots(500), 99)}]
    assert [kind.share for kind in kinds_of(replace(work, defects=()))] == [1.0]


@pytest.mark.parametrize(("hits", "levels"), [(0, ()), (1, (1.0,))])
def test_an_event_that_does_not_come_nearer_has_no_levels_or_those_up_to_there(
    hits: int, levels: tuple[float, ...]
) -> None:
    def flat(paths: Sequence[Path]) -> list[Outcome]:
        return [Outcome(((0, 1.0),), hit=path.root < hits) for path in paths]

    found = pilot([Path(root) for root in range(200)], flat)
    assert found.levels == levels
    assert found.probability == hits / 200


def test_a_trajectory_is_played_until_it_has_enough_jobs_and_the_rest_of_it_changes_nothing() -> None:
    scenario, _ = load("metastable")
    scenario = scenario.model_copy(update={"duration_s": 35.0})
    trajectories = Trajectories(Work(scenario, strategy_named(scenario, None), 1, None), collapsed)
    root = trajectories.play(Path(0))
    place = len(root.records) // 2
    tick, jobs = root.records[place]
    assert trajectories.play(Path(0), jobs) == Outcome(root.records[: place + 1], hit=False)
    branch = trajectories.play(Path(0, (Split(tick, 0, 0),)))
    assert branch.records[0] == (tick, jobs)  # as the root up to there, and another from there on
    assert branch.records != root.records[place:]


def test_a_collapse_that_a_rare_defect_brings_is_found_among_roots_that_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collapse, "PILOT", 40)
    monkeypatch.setattr(collapse, "EFFORT_MIN", 5)
    text = read("metastable").text
    for old, new in {
        "rate: 152/s": "rate: 130/s",
        "duration: 120s": "duration: 20s",
        "at: 30s": "at: 2s",
        "window: 5s, consecutive: 50": "window: 1s, consecutive: 10",
        "changes: [{service: web,": "changes: [{service: search,",
        "  strategy:": "  defects: [{name: slow, probability: 1%, latency: x3}]\n  strategy:",
        "guardrails: []": (
            "guardrails: [{metric: error-ratio, of: search, version: new, above: 20%, window: 2s, minimum: 50, "
            "action: rollback}]"
        ),
    }.items():
        assert old in text
        text = text.replace(old, new)
    scenario = load_text(text, "metastable")
    foretold: list[Foretold] = []
    found = collapse_probability(scenario, text, effort=5, processes=1, foretold=foretold.append)
    (slow,), rest = found.parts, found.rest
    assert (slow.kind, slow.share) == ("defect slow", 0.01)
    assert rest is not None
    assert (rest.kinds, rest.share, rest.probability.value) == (("",), 0.99, 0.0)
    assert rest.reach < 0.01  # of the collapses that the defect brings
    # What was not met without the defect may still add to it, as far as that many plain replications tell.
    assert rest.replications == 16 * 5
    assert rest.probability == share_with_interval(0, 16 * 5)
    assert found.probability == weighed([(0.01, slow.probability), (0.99, rest.probability)])
    assert found.probability.high > 0.99 * rest.probability.high
    alone = simulate(scenario, text, replications=40, defects=["slow"], seed=3, processes=1, keep=[]).measures
    plain = share_with_interval(sum(row.collapsed for row in alone), 40)
    assert 0.01 * plain.low <= found.probability.value <= 0.01 * plain.high
    assert found.plain_replications is not None
    assert found.plain_replications > 10 * found.trajectories
    assert foretold[0].times > 10.0


def test_a_collapse_that_is_not_rare_needs_no_levels_and_any_number_of_processes_agrees() -> None:
    scenario, _ = load("metastable")
    functions = {name: each.model_copy(update={"rate_per_s": 205.0}) for name, each in scenario.functions.items()}
    scenario = scenario.model_copy(update={"functions": functions, "duration_s": 30.0})
    found = collapse_probability(scenario, "", effort=20, processes=1)
    (part,) = found.parts
    assert part.levels == ()
    assert found.rest is None
    assert found.probability.low > 0.2
    assert found.probability == share_with_interval(found.hits, 16 * 20)  # exact, also where all collapse
    assert found == collapse_probability(scenario, "", effort=20, processes=2)


def test_runs_that_were_done_before_an_end_are_an_estimate_from_four_on() -> None:
    scenario, _ = load("metastable")
    functions = {name: each.model_copy(update={"rate_per_s": 205.0}) for name, each in scenario.functions.items()}
    scenario = scenario.model_copy(update={"functions": functions, "duration_s": 30.0})

    def told(last: int) -> list[str]:
        def progress(done: int, _: int) -> None:
            if done == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as ended:
            collapse_probability(scenario, "", effort=20, processes=1, progress=progress)
        return ended.value.__notes__

    assert told(3) == ["3 of 16 runs were done, which are lost: an estimate takes 4"]
    player = Work(scenario, strategy_named(scenario, None), 1, None).player()
    roots = [200 + run + 16 * place for run in range(4) for place in range(20)]  # the first 200 are the pilot's
    found = share_with_interval(sum(collapsed(player.measures(root)) for root in roots), len(roots))
    interval = f"{found.value:.3g} [{found.low:.3g}, {found.high:.3g}] (95 %)"
    (note,) = told(4)
    assert note.startswith(f"the 4 of 16 runs that were done tell a probability of {interval}; the others are lost, ")


def test_runs_of_several_kinds_are_played_in_turn_and_one_that_others_lack_is_left_out() -> None:
    scenario, _ = load("shop-release")
    kinds = kinds_of(Work(scenario, strategy_named(scenario, None), 1, None))
    sought = [collapse._Piloted(each, Pilot((1.0,), 0.1, 1.0, 200)) for each in kinds[:2]]
    runs = collapse.Runs((1.0,), tuple((each,) for each in range(16)))
    plan = collapse._Plan(sought, [], (runs, runs))
    first, second = [Run(chance, 1, 0) for chance in (0.1, 0.2, 0.3, 0.4)], [Run(0.02, 1, 0)] * 4
    played = [run for pair in zip(first, second, strict=True) for run in pair]
    found = collapse._collapse(plan, played)
    assert [part.probability for part in found.parts] == [estimate(first, 4), estimate(second, 4)]
    assert collapse._collapse(plan, [*played, Run(0.9, 1, 0)]) == found
    assert collapse._told_early(plan, played).startswith("the 4 of 16 runs of each kind that were done tell a prob")
