"""Circuit breakers: what each has heard of its calls, its mode, and the share of the calls that it holds back.

The rules are those of `simulator.kernel.links`, applied to the calls that were drawn. An answer is heard when it comes:
those on the way wait in slots ahead, and are forgotten when the breaker turns, since they were asked before.
"""

from simulator.draws import Stream
from simulator.fluid import lattice
from simulator.fluid.calls import reply_of
from simulator.fluid.counts import begin_draws, draw_unit
from simulator.fluid.layout import AHEAD, RING, SLOTS, State
from simulator.kernel.inline import inlined, outlined
from simulator.layout import BUCKETS, CLOSED, HALF_OPEN, OPEN

_BACKOFF = int(Stream.BACKOFF)
_STEP_S = 0.1
"""Step while a breaker hears of failures."""
_NOTICED = 0.3
"""Share of the errors that trip it, from which that is."""


@inlined
def hear(s: State, call: int, answers: int, failures: int, answered_s: float) -> None:
    """Note answers that come at a time."""
    record = s.calls[call]
    if record["breaker"] == 0 or record["mode"] != CLOSED:
        return
    newest = int(s.clock[0]["now"] / record["slot_s"])
    slot = min(max(int(answered_s / record["slot_s"]), newest), newest + AHEAD) % RING
    s.outcomes[call, slot, 0] += answers
    s.outcomes[call, slot, 1] += failures


@outlined
def listen_until(s: State, now: float, target: float) -> float:
    """How far a step may go: to the end of a breaker's mode, and not far while it hears of failures."""
    for index in range(len(s.calls)):
        call = s.calls[index]
        if call["breaker"] == 0:
            continue
        target = min(target, now + max(_STEP_S, call["slot_s"] * SLOTS))
        if call["mode"] != CLOSED:
            target = min(target, call["until_s"])
        elif call["noticed"] != 0 or call["asked"] - call["asked_ok"] > _NOTICED * call["trip_share"] * call["asked"]:
            target = min(target, now + _STEP_S)
    return target


@outlined
def turn(s: State, now: float) -> bool:
    """Let every breaker come to its mode of now; whether one has turned."""
    turned = False
    for index in range(len(s.calls)):
        call = s.calls[index]
        if call["breaker"] == 0:
            continue
        if call["mode"] == CLOSED:
            if _trips(s, index, now):
                _open(s, index, now)
                turned = True
        elif now >= call["until_s"] - 1e-9:
            if call["mode"] == OPEN:
                _probe(s, index, now)
            elif call["reopens"] != 0:
                _open(s, index, now)
            else:
                call["mode"], call["held"] = CLOSED, 0.0
            turned = True
    return turned


@inlined
def _trips(s: State, index: int, now: float) -> bool:
    """Forget what has left the window; whether too much of the rest has failed."""
    call = s.calls[index]
    newest = int(now / call["slot_s"] + 1e-9)
    first = (newest // SLOTS - BUCKETS + 1) * SLOTS
    for number in range(max(call["first_slot"], first - RING), first):
        s.outcomes[index, number % RING, :] = 0
    call["first_slot"] = max(first, 0)
    answers = failures = 0
    for number in range(max(first, 0), newest + 1):
        answers += s.outcomes[index, number % RING, 0]
        failures += s.outcomes[index, number % RING, 1]
    call["noticed"] = 1 if failures > _NOTICED * call["trip_share"] * answers else 0
    return answers >= call["trip_minimum"] and failures >= call["trip_share"] * answers


@inlined
def _open(s: State, index: int, now: float) -> None:
    call = s.calls[index]
    call["mode"], call["held"], call["until_s"], call["noticed"] = OPEN, 1.0, now + call["open_s"], 0
    s.outcomes[index, :, :] = 0


@inlined
def _probe(s: State, index: int, now: float) -> None:
    """Let probes through. Which of them fails first, and when that is known, is drawn now; others are held back."""
    call = s.calls[index]
    if call["asked"] <= 0.0:  # nobody calls: it stays open until somebody does
        call["until_s"] = now + _STEP_S
        return
    passes = call["asked_ok"] / call["asked"]
    begin_draws(s.draw, s.keys, _BACKOFF, index, int(now * 1024))
    u, made, all_pass = draw_unit(s.draw), 1, passes
    while made < call["probes"] and u < all_pass:
        all_pass *= passes
        made += 1
    call["mode"], call["reopens"] = HALF_OPEN, 0 if u < all_pass else 1
    lasts_s = made / call["asked"] + call["asked_s"] / call["asked"]
    call["until_s"] = now + lasts_s
    call["held"] = 1.0 - min(1.0, min(call["probes"], call["asked"] * lasts_s) / (call["asked"] * lasts_s))


@outlined
def hold_back(s: State, node: int, cohort: int, spare: int, spare2: int) -> None:
    """Calls that a breaker does not let through fail at once, and are not tried again. The spares are overwritten."""
    p, held = s.pool, s.calls[s.nodes[node]["call"]]["held"]
    reply, ok = s.replies[node, cohort], reply_of(s, node, cohort)
    for answer in range(ok, ok + 2):
        lattice.copy(p, answer, spare, 1.0 - held)
        lattice.clear(p, answer)
        lattice.mix(p, answer, 1.0 if held < 1.0 else 0.0, spare, spare2)
    lattice.point(p, spare, 0.0, held)
    lattice.mix(p, ok + 1, 1.0, spare, spare2)
    sent = (1.0 - held) * reply["fail"]
    reply["ok"], reply["fail"] = (1.0 - held) * reply["ok"], sent + held
    reply["burst"] *= sent / reply["fail"]
    reply["attempts"], reply["returned"] = (1.0 - held) * reply["attempts"], (1.0 - held) * reply["returned"]
