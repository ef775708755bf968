"""What a master and its workers tell each other, over Locust's own messages between its nodes.

    worker                                   master
    CLOCK {n}                     ->                  how late is it with you?
                                  <-         CLOCK {n, at_s}
    HELLO {name, pid}             ->                  I am here
                                  <-         PLAN {plan, share, of, home}
    PLANNED {clock_error_s, schedule}, or REFUSED {why} ->
                                  <-         GO {start_at_s}, or REFUSED {why}
    ROWS {lines}                  ->                  every 50 ms
                                  <-         STOP {reason, abort}
    ENDED {summary}               ->                  all answered and told
                                  <-         Locust's own "quit"

Locust's heartbeats, one a second each way, tell each end that the other lives.
"""

from pathlib import Path

__all__ = ["CLOCK", "ENDED", "GO", "HELLO", "PLAN", "PLANNED", "REFUSED", "ROWS", "SILENT_S", "STOP", "home"]

CLOCK, HELLO, PLAN, PLANNED, REFUSED = "load-clock", "load-hello", "load-plan", "load-planned", "load-refused"
GO, ROWS, STOP, ENDED = "load-go", "load-rows", "load-stop", "load-ended"

SILENT_S = 4.0
"""Without a heartbeat for so long, a worker takes its master to be gone."""


def home() -> str:
    """Whose loopback this is: the same for two processes if and only if they share it."""
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/net').readlink()}"
