"""Splitting: a random walk whose probability is known, levels, paths, and what it says when nothing is found."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from evidence.statistics import share_with_interval
from scenarios.loading import load
from simulator.draws import Stream, stream_keys
from simulator.rare.collapse import collapse_probability, collapsed
from simulator.rare.levels import pilot_levels
from simulator.rare.paths import Outcome, Path, Split, branch_keys
from simulator.rare.splitting import Run, branches, estimate, split_run
from simulator.rare.trajectories import Trajectories
from simulator.strategies import strategy_named
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
    levels = pilot_levels([Path(root) for root in range(200)], play)
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


@pytest.mark.parametrize(("hits", "levels"), [(0, ()), (1, (1.0,))])
def test_an_event_that_does_not_come_nearer_has_no_levels_or_those_up_to_there(
    hits: int, levels: tuple[float, ...]
) -> None:
    def flat(paths: Sequence[Path]) -> list[Outcome]:
        return [Outcome(((0, 1.0),), hit=path.root < hits) for path in paths]

    assert pilot_levels([Path(root) for root in range(20)], flat) == levels


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


def test_a_collapse_that_is_not_rare_needs_no_levels_and_any_number_of_processes_agrees() -> None:
    scenario, _ = load("metastable")
    functions = {name: each.model_copy(update={"rate_per_s": 205.0}) for name, each in scenario.functions.items()}
    scenario = scenario.model_copy(update={"functions": functions, "duration_s": 30.0})
    found = collapse_probability(scenario, "", effort=20, processes=1)
    assert found.levels == ()
    assert found.probability.low > 0.2
    assert found.probability == share_with_interval(found.hits, 16 * 20)  # exact, also where all collapse
    assert found == collapse_probability(scenario, "", effort=20, processes=2)
