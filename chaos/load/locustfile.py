"""The child process that sends the whole load by itself.

It runs as `python -m chaos.load.locustfile` and talks to the harness over three files: stdin carries the
plan, then the start time, and its end means that the harness is gone; stdout says "ready" once; the
file named on the command line receives the raw samples.

Only the modules of such children import locust and gevent, because importing them patches the process.
"""

# isort: off
from chaos.load.sender import Load, dispatching, freeze, play, raise_file_limit  # imports locust, which must come first

# isort: on
import signal
import sys
from pathlib import Path

import gevent
from locust.env import Environment

from chaos.load.harness_pipe import await_end, read_plan, read_start, say_ready
from chaos.load.raw_file import RawFile

__all__ = ["main"]


def _watch_harness(load: Load) -> None:
    await_end()
    load.stop("harness gone", abort=True)


def _run(load: Load, output: RawFile) -> None:
    # A dispatcher that fails must end; Locust's habit is to log the error and run the task again.
    runner = Environment(user_classes=[dispatching(load)], catch_exceptions=False).create_local_runner()
    flusher = gevent.spawn(output.flush_for_ever)
    freeze()
    say_ready()
    start_at_s = read_start()
    if start_at_s is None:
        return
    load.start_at_s = start_at_s
    output.header(load.plan, start_at_s)
    watcher = gevent.spawn(_watch_harness, load)
    summary = play(load, lambda: runner.start(1, spawn_rate=100))
    flusher.kill()
    watcher.kill()
    output.line(summary)
    output.flush()
    runner.quit()


def main(path: Path) -> int:
    """Run the plan that stdin carries, writing raw samples to `path`."""
    raise_file_limit()
    plan = read_plan()
    with RawFile(path) as output:
        load = Load(plan, output)
        gevent.signal_handler(signal.SIGTERM, load.stop, "terminated")
        _run(load, output)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
