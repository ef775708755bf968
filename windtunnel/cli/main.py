"""The root command, and the one handler that turns errors into messages and exit codes."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Annotated

import typer

from windtunnel import __version__
from windtunnel.cli import (
    assess,
    attainable,
    check,
    compare,
    contract,
    demo,
    doctor,
    drill,
    faults,
    load,
    peak,
    rare,
    reach,
    replay,
    safety,
    scenario,
    sensitivity,
    simulate,
    staging,
    verify,
)
from windtunnel.cli.exits import ExitCode, exit_code_of
from windtunnel.cli.output import emit_error, emit_text, say

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

__all__ = ["Terminated", "app", "run"]

# Plain help: formatting it with rich would double the time of `windtunnel --help`.
app = typer.Typer(
    name="windtunnel",
    help="Fly a release before it flies: simulate a rollout, drill its rollback, judge both alike.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    demo,
    scenario,
    simulate,
    compare,
    attainable,
    sensitivity,
    reach,
    rare,
    replay,
    staging,
    drill,
    faults,
    contract,
    peak,
    load,
    safety,
    assess,
    check,
    verify,
    doctor,
):
    group.add_to(app)


def _print_version(asked: bool) -> None:
    if asked:
        emit_text(f"windtunnel {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and exit."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (WINDTUNNEL_DEBUG=1).")
    ] = False,
) -> None:
    """Fly a release before it flies: simulate a rollout, drill its rollback, judge both alike."""
    if debug:
        os.environ["WINDTUNNEL_DEBUG"] = "1"
    from windtunnel.cli.logged import say_what_is_logged  # logging is not for `--help` to wait for

    say_what_is_logged()


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code; the entry point of the console script."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # No command does linear algebra that is worth threads: one a core, for numpy and again for scipy, cost a tenth of
    # the start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    ending = [each for each in _ENDING if signal.getsignal(each) is not signal.SIG_IGN]  # nohup means it
    interrupt = KeyboardInterrupt("interrupted")
    before = {each: signal.signal(each, partial(_unwind, interrupt)) for each in ending}
    as_json = "--json" in arguments
    try:
        # Typer would end bad usage and Ctrl-C itself, without the JSON document.
        code = app(arguments, prog_name="windtunnel", standalone_mode=False) or 0
        if code == ExitCode.INTERRUPTED:
            raise interrupt  # with the notes of those whom it has ended
        sys.exit(code)
    except (Exception, KeyboardInterrupt, Terminated) as error:  # noqa: BLE001 - the last handler there is
        sys.exit(_report(error, as_json=as_json))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _unwind(interrupt: KeyboardInterrupt, number: int, _frame: FrameType | None) -> None:
    """End by way of every `finally`, so that what was started is stopped; no second signal cuts that short."""
    for each in _ENDING:
        signal.signal(each, _still_ending)
    if number == signal.SIGINT:
        raise interrupt
    raise Terminated(number)


class Terminated(SystemExit):
    """By a signal that is no Ctrl-C, with the code that a shell gives it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number

    def __str__(self) -> str:
        return "the terminal was closed" if self.number == signal.SIGHUP else "terminated"


def _still_ending(_number: int, _frame: FrameType | None) -> None:
    """Tell it, past Python's own buffers: a line may be on its way into them."""
    with suppress(OSError):
        os.write(2, b"windtunnel: already cleaning up\n")


def _report(error: BaseException, *, as_json: bool) -> int:
    """Say what went wrong, on stderr and, where asked for, as JSON; the exit code."""
    if isinstance(error, typer.TyperException):
        return _report_usage(error, as_json=as_json)
    debug = os.environ.get("WINDTUNNEL_DEBUG", "") not in ("", "0")
    code = ExitCode(128 + error.number) if isinstance(error, Terminated) else exit_code_of(error)
    if debug:
        import traceback

        say("".join(traceback.format_exception(error)).rstrip())
    if code is None:
        code = ExitCode.ERROR
        message = f"internal error: {type(error).__name__}: {error}"
        say(f"windtunnel: {message}")
        if not debug:
            say("This is a defect of Windtunnel; --debug shows where it came from.")
    else:
        message = _out_of_memory(error) if isinstance(error, MemoryError) else str(error) or type(error).__name__
        say(f"windtunnel: {message}" if "\n" not in message else f"windtunnel:\n{message}")
        notes = getattr(error, "__notes__", ())
        for note in notes:
            say(f"windtunnel: {note}")
        message = "\n".join([message, *notes])
    if as_json:
        problems = getattr(error, "problems", ())
        details = {"problems": [str(problem) for problem in problems]} if problems else {}
        emit_error(message, type(error).__name__, int(code), details)
    return int(code)


def _out_of_memory(error: MemoryError) -> str:
    """Samples of a replication are kept cell by cell, which is most of what a simulation holds."""
    what = f" ({error})" if str(error) else ""
    return f"not enough memory{what}: a longer measure.resolution, a shorter duration or fewer --processes take less"


def _report_usage(error: typer.TyperException, *, as_json: bool) -> int:
    """Bad usage, told as Typer tells it: with how the command is used."""
    show = getattr(error, "show", None)
    if show is None:
        say(f"windtunnel: {error.format_message()}")
    else:
        show()
    if as_json:
        emit_error(error.format_message(), type(error).__name__, error.exit_code, {})
    return error.exit_code
