"""The calls that a job makes: one, or several at the same time."""

from simulator.kernel.entry import send
from simulator.kernel.inline import inlined, outlined, u
from simulator.kernel.jobs import call_key, take_slot
from simulator.kernel.variant import MECHANICS
from simulator.layout import BRANCH, FREE, OK, State


@inlined
def prepare_call(s: State, caller: int) -> int:
    """Returns the slot of the call that the job in `caller` is to make, filled in for `send`."""
    slot = take_slot(s)
    job = s.jobs[u(slot)]
    parent = s.jobs[u(caller)]
    node_index = parent["call_node"]
    attempt = parent["call_attempt"]
    parent["child"] = slot
    job["key"] = call_key(parent, node_index, attempt)
    job["parent"] = caller
    job["caller_row"] = parent["version_row"]
    job["cohort"] = parent["cohort"]
    job["request"] = parent["request"]
    job["node"] = node_index
    job["attempt"] = attempt
    if MECHANICS:
        job["mirrored"] = parent["mirrored"]
    return slot


@outlined
def fork(s: State, caller: int, now: float) -> None:
    """Make the calls that start together. Each has a branch of the caller for its caller, which knows its attempts."""
    parent = s.jobs[u(caller)]
    node_index = parent["call_node"]
    parent["open"] = s.nodes[u(node_index)]["width"]
    parent["broken"] = 0
    before = -1
    for _ in range(parent["open"]):
        slot = take_slot(s)
        branch = s.jobs[u(slot)]
        branch["key"] = parent["key"]
        branch["event_seq"] = 0
        branch["timer_seq"] = 0
        branch["request"] = parent["request"]
        branch["parent"] = caller
        branch["child"] = -1
        branch["next"] = -1
        branch["node"] = parent["node"]
        branch["version_row"] = parent["version_row"]
        branch["replica"] = -1
        branch["cohort"] = parent["cohort"]
        branch["call_node"] = node_index
        branch["call_attempt"] = 0
        branch["mirrored"] = parent["mirrored"]
        branch["state"] = BRANCH
        if before < 0:
            parent["child"] = slot
        else:
            s.jobs[u(before)]["next"] = slot
        before = slot
        node_index = s.nodes[u(node_index)]["sibling"]
    branch_slot = parent["child"]
    while branch_slot >= 0:
        send(s, prepare_call(s, branch_slot), now)
        branch_slot = s.jobs[u(branch_slot)]["next"]


@inlined
def free_branch(s: State, slot: int) -> None:
    """Give a branch's slot back."""
    clock = s.clock[0]
    branch = s.jobs[u(slot)]
    branch["state"] = FREE
    branch["event_seq"] = 0
    branch["next"] = clock["free_head"]
    clock["free_head"] = slot
    clock["free_n"] += 1


@outlined
def join(s: State, slot: int, outcome: int) -> int:
    """The call of a branch is over. Returns the job whose branch it was if that was the last one, else -1."""
    caller = s.jobs[u(slot)]["parent"]
    parent = s.jobs[u(caller)]
    if parent["child"] == slot:
        parent["child"] = s.jobs[u(slot)]["next"]
    else:
        before = parent["child"]
        while s.jobs[u(before)]["next"] != slot:
            before = s.jobs[u(before)]["next"]
        s.jobs[u(before)]["next"] = s.jobs[u(slot)]["next"]
    free_branch(s, slot)
    parent["open"] -= 1
    if outcome != OK:
        parent["broken"] = 1
    return caller if parent["open"] == 0 else -1
