"""The ledger with planted losses, duplicates and late writes: read right whatever the mixture."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chaos.ledger import FinalRead, done_against_the_odds, from_load, looked_up
from chaos.load.raw import COLUMNS, RawSamples
from chaos.load.schedule import request_id, write_id
from evidence.loss import loss_of

# What the client was told, and how often the row is there in the end.
FATES = {
    "kept": ("ok", 201, 1),
    "lost": ("ok", 201, 0),
    "twice": ("ok", 201, 2),
    "late": ("timeout", 0, 1),  # the answer never came, and the write did
    "never": ("timeout", 0, 0),
    "refused": ("refused", 0, 0),
    "against the odds": ("refused", 0, 1),
}


def raw_of(fates: list[str]) -> RawSamples:
    rows = []
    for index, fate in enumerate(fates):
        kind, status, _ = FATES[fate]
        values = {
            "function": "order", "index": index, "cohort": "default", "intended_s": float(index),
            "sent_s": None if kind == "refused" else index + 0.1, "finished_s": index + 0.5, "status": status,
            "kind": kind, "version": "", "request_id": request_id("token", "order", index), "error": "",
        }  # fmt: skip
        rows.append([values[name] for name in COLUMNS])
    return RawSamples.from_rows(rows)


@given(st.lists(st.sampled_from(sorted(FATES)), min_size=1, max_size=15), st.booleans())
def test_every_planted_write_is_read_right(fates: list[str], stranger: bool) -> None:
    ids = [write_id(request_id("token", "order", index)) for index in range(len(fates))]
    copies = {name: FATES[fate][2] for name, fate in zip(ids, fates, strict=True) if FATES[fate][2]}
    read = FinalRead(
        frozenset(copies), {name: count for name, count in copies.items() if count > 1}, ("x",) if stranger else ()
    )
    ledger = looked_up(from_load(raw_of(fates), {"order": "orders"}), "orders", read)
    assert ledger.write_id.tolist() == ids
    counts = Counter(fates)
    writes = ledger.writes(("orders",), ("order",))
    end_s = float(len(fates))
    loss = loss_of(writes, np.ones(len(fates), dtype=bool), [end_s], end_s)
    assert loss.acknowledged == counts["kept"] + counts["lost"] + counts["twice"]
    assert loss.lost == counts["lost"]
    assert loss.indeterminate == counts["late"] + counts["never"]
    oldest = fates.index("lost") + 0.5 if counts["lost"] else end_s
    assert loss.rpo_s == end_s - oldest
    assert len(read.duplicates) == counts["twice"]
    odd = {ids[index] for index, fate in enumerate(fates) if fate == "against the odds"}
    assert set(done_against_the_odds(ledger)) == odd
