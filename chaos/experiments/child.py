"""The child process that plays a part of an experiment: the only module that imports chaoslib.

`python -m chaos.experiments.child`: stdin carries one line of JSON, {"experiment": ..., "part": ...}, and its end means
that the harness is gone; the last line of stdout is JSON, {"activities": [...]} or {"refused": reason}. Extensions of
the Chaos Toolkit are Python packages that may do to their process what they like, and chaoslib sets no limit to most
activities: in a process of its own nothing of that reaches the harness, and what hangs can be killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

__all__ = ["PARTS", "main"]

PARTS = ("check", "hypothesis", "method", "rollbacks")
_HTTP_REFUSED = 400


def main() -> int:
    """Play the part that stdin names."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_harness, daemon=True).start()
    # What activities print must not be taken for the answer.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    print(json.dumps(_played(order["experiment"], order["part"]), default=str), file=answer, flush=True)
    return 0


def _end_with_the_harness() -> None:
    """With all that activities have started: this process leads a group of its own."""
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


def _played(experiment: dict[str, Any], part: str) -> dict[str, Any]:
    try:
        from chaoslib import caching, exceptions
        from chaoslib.configuration import load_configuration
        from chaoslib.experiment import ensure_experiment_is_valid
        from chaoslib.secret import load_secrets
    except ImportError as error:
        return {"refused": f"needs the Chaos Toolkit: install windtunnel[chaostoolkit] ({error})"}
    caching.cache_activities(experiment)
    try:
        ensure_experiment_is_valid(experiment)
        configuration = load_configuration(experiment.get("configuration", {}))
        secrets = load_secrets(experiment.get("secrets", {}), configuration)
    except exceptions.ChaosException as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    return {"activities": [] if part == "check" else _runs(experiment, part, configuration, secrets)}


def _runs(experiment: dict[str, Any], part: str, configuration: Any, secrets: Any) -> list[dict[str, Any]]:
    from chaoslib.activity import run_activities
    from chaoslib.rollback import run_rollbacks

    if part == "hypothesis":
        # chaoslib's own method stops at the first probe that fails; here every one is told.
        experiment = {**experiment, "method": experiment.get("steady-state-hypothesis", {}).get("probes", [])}
    play = run_rollbacks if part == "rollbacks" else run_activities
    with ThreadPoolExecutor(max_workers=8) as pool:
        begun = list(play(experiment, configuration, secrets, pool, dry=None))
        runs = [each.result() if isinstance(each, Future) else each for each in begun]
    return [_told(run, configuration, secrets) for run in runs]


def _told(run: dict[str, Any], configuration: Any, secrets: Any) -> dict[str, Any]:
    """Name, type and end of an activity; `met` is None without a tolerance."""
    from chaoslib import substitute
    from chaoslib.hypothesis import within_tolerance

    activity, met = run["activity"], None
    if "tolerance" in activity:
        tolerance = activity["tolerance"]
        if isinstance(tolerance, str):
            tolerance = substitute(tolerance, configuration, secrets)
        met = run["status"] == "succeeded" and bool(
            within_tolerance(tolerance, run["output"], configuration=configuration, secrets=secrets)
        )
    # Of a traceback the last line, which says what went wrong.
    error = "".join(run.get("exception") or ()).strip().rpartition("\n")[2]
    if run["status"] == "succeeded" and activity["type"] == "action" and met is None:
        error = _refusal(activity["provider"]["type"], run["output"])
    return {
        "name": activity["name"],
        "type": activity["type"],
        "succeeded": run["status"] == "succeeded" and not error,
        "met": met,
        "output": _redacted(str(run["output"]), secrets)[:500],
        "error": _redacted(error, secrets)[:500],
    }


def _refusal(provider: str, output: Any) -> str:
    """What an action met that chaoslib takes for a success: a program's exit code, a server's refusal; else nothing."""
    status = output.get("status", 0) if isinstance(output, dict) else 0
    if provider == "process" and status != 0:
        return f"exit code {status}: {str(output.get('stderr', '')).strip() or 'it said nothing'}"
    return f"answered {status}" if provider == "http" and status >= _HTTP_REFUSED else ""


def _redacted(text: str, secrets: Any) -> str:
    """Without the values of the experiment's secrets: what is told here is kept in the record."""
    for value in sorted(_values(secrets), key=len, reverse=True):
        text = text.replace(value, "***")
    return text


def _values(secrets: Any) -> Iterator[str]:
    if isinstance(secrets, dict):
        for each in secrets.values():
            yield from _values(each)
    elif secrets not in (None, ""):
        yield str(secrets)


if __name__ == "__main__":
    sys.exit(main())
