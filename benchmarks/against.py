"""Whether the kernel has become slower: the chain of `benchmarks.peers` here and in another working tree, in turn.

Run: git worktree add ../before b1a8ddc && python -m benchmarks.against ../before [--requests 200000] [--rounds 21]

Commit b1a8ddc is the last whose kernel had no mechanics (balancing, ejection, breakers, budgets, shedding, quotas,
cancelling, calls at the same time, mirrors). Each tree runs in a process of its own. Figures are processor time; the
ratio is the median over rounds, since what else the machine does weighs on both runs of a round alike. Where valgrind
is installed, it counts the instructions of a request, too, which nothing else moves (`benchmarks.instructions`).
"""

import argparse
import json
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks.instructions import instructions, missing

HERE = Path(__file__).resolve().parent.parent
_WORKER = """
import sys, time
sys.path.insert(0, "")
from benchmarks.queues_kernel import chain
chain(2000, 0)
for line in sys.stdin:
    requests, seed = map(int, line.split())
    begun = time.process_time()
    answer = chain(requests, seed)
    print(time.process_time() - begun, answer.batches.sum(), flush=True)
"""
_COUNT = """
from benchmarks.queues_kernel import chain
chain(2000, 0)
for requests in (5000, 45000):
    count(lambda: chain(requests, 1))
"""


def measure(trees: list[Path], requests: int, rounds: int) -> list[list[tuple[float, str]]]:
    """Seconds and answer of each round, by tree."""
    found: list[list[tuple[float, str]]] = [[] for _ in trees]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _WORKER], cwd=tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for tree in trees
        ]
        for seed in range(1, rounds + 1):
            order = list(enumerate(workers))
            for index, worker in order if seed % 2 else reversed(order):
                assert worker.stdin is not None
                assert worker.stdout is not None
                print(requests, seed, file=worker.stdin, flush=True)
                seconds, answer = worker.stdout.readline().split()
                found[index].append((float(seconds), answer))
    return found


def per_request(tree: Path) -> float:
    """The instructions of a request: what 40,000 more of them take."""
    few, many = instructions(_COUNT, tree)
    return (many - few) / 40000


def counted(other: Path) -> dict[str, float]:
    """Instructions of a request in both, and how many times those of the other there are here."""
    there, here = per_request(other), per_request(HERE)
    return {"there": round(there), "here": round(here), "times_there": round(here / there, 4)}


def main() -> None:
    """Measure both and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path, help="folder of the other working tree")
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    other, here = measure([options.tree, HERE], options.requests, options.rounds)
    document = {
        "requests": options.requests,
        "rounds": options.rounds,
        "least_s": {"there": min(other)[0], "here": min(here)[0]},
        "times_there": round(
            statistics.median(mine[0] / theirs[0] for mine, theirs in zip(here, other, strict=True)), 4
        ),
        "instructions_per_request": missing() or counted(options.tree),
        "same_answers": all(mine[1] == theirs[1] for mine, theirs in zip(here, other, strict=True)),
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
