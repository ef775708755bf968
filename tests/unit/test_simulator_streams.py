"""Streams of the control plane: fixed by seed, replication and name."""

import numpy as np

from scenarios.models import Defect
from simulator.draws import Stream
from simulator.streams import ControlStream, defects_drawn, people


def defect(name: str, probability: str) -> Defect:
    return Defect.model_validate({"name": name, "probability": probability, "errors": "1%"})


def test_defects_come_as_often_as_their_probability_says() -> None:
    defects = [defect("rare", "10%"), defect("common", "60%"), defect("never", "0%"), defect("always", "100%")]
    n = 4000
    drawn = [[each.name for each in defects_drawn(defects, 3, replication)] for replication in range(n)]
    share = {each.name: sum(each.name in names for names in drawn) / n for each in defects}
    assert (share["never"], share["always"]) == (0, 1)
    for name, p in (("rare", 0.1), ("common", 0.6)):
        assert abs(share[name] - p) < 4 * np.sqrt(p * (1 - p) / n)
    both = sum("rare" in names and "common" in names for names in drawn) / n
    assert abs(both - 0.06) < 4 * np.sqrt(0.06 * 0.94 / n)


def test_another_defect_leaves_the_others_as_they_were() -> None:
    one, two = defect("one", "50%"), defect("two", "50%")
    for replication in range(50):
        alone = one in defects_drawn([one], 3, replication)
        assert alone == (one in defects_drawn([two, one], 3, replication))


def test_people_depend_on_seed_and_replication() -> None:
    first = people(1, 5).random(4)
    assert first.tolist() == people(1, 5).random(4).tolist()
    assert first.tolist() != people(1, 6).random(4).tolist()
    assert first.tolist() != people(2, 5).random(4).tolist()


def test_no_number_is_used_for_two_streams() -> None:
    assert {int(each) for each in ControlStream}.isdisjoint(int(each) for each in Stream)
