"""Signals to processes inside of pods, by a shell that the container has: stop, go on, and how they are now.

Processes are found by their name, all of them. The first process of a container (its pid 1) cannot be stopped from
within: the kernel shields it. It can where the pod has `shareProcessNamespace: true`, or an init before it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from chaos.kubernetes.api import Api

# In plain sh: images have neither pgrep nor ps for certain. The name is an argument, never part of the text.
_EACH = """
for each in /proc/[0-9]*; do
    read -r name 2>/dev/null < "$each/comm" || continue
    [ "$name" = "$1" ] || continue
"""
SEND = f"""{_EACH}    kill "-$2" "${{each#/proc/}}" || exit 3
done"""
STATES = f"""{_EACH}    read -r line 2>/dev/null < "$each/stat" || continue
    rest="${{line##*) }}"
    echo "${{each#/proc/}} ${{rest%% *}}"
done"""
_STOPPED = frozenset("Tt")

__all__ = ["SEND", "STATES", "Standing", "send", "standing"]


class Standing(NamedTuple):
    """How many processes of a name stand still, how many there are, and whether the container's first is one."""

    still: int
    there: int
    first: bool = False


def send(api: Api, pod: str, container: str, process: str, signal: Literal["STOP", "CONT"]) -> None:
    """To every process of that name in the container. Raises KubernetesError."""
    api.execute(pod, container, ["sh", "-c", SEND, "sh", process, signal])


def standing(api: Api, pod: str, container: str, process: str) -> Standing:
    """The processes of that name in the container. Raises KubernetesError."""
    states = dict(
        line.split() for line in api.execute(pod, container, ["sh", "-c", STATES, "sh", process]).splitlines()
    )
    return Standing(sum(state in _STOPPED for state in states.values()), len(states), "1" in states)
