"""However a scenario's text is spoilt, only ScenarioError comes out."""

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.errors import ScenarioError
from scenarios.loading import load_text
from tests.unit.scenario_texts import VALID

TOKENS = re.findall(r"\w+|\s+|[^\w\s]", VALID)
# What breaks parsers: wrong shapes, odd numbers, tags, anchors, merge keys, control characters.
ODD = [
    "[]", "{}", "[a]", "{a: b}", "null", "1", "-1", "0.5", "true", '""', "0x" + "f" * 5000, "1e999", ".nan", ".inf",
    "*a",
    "&a", "<<", "!!bool x", '!!int ""', "!!set {a}", "? ", "2020-01-01", "2020-13-01", "%", "@", "\t", "\0", "é",
    "٣",
    '"', "'", ": ", ", ", "\n", "\n- ", "[[a]]", "[redeploy]", "client -> edge", "0s",
    "x", "default", "release", "client",
]  # fmt: skip


def only_scenario_errors(text: str) -> None:
    """Load the text; anything but a scenario or a ScenarioError that names the file fails the test."""
    try:
        load_text(text, "f.yaml")
    except ScenarioError as error:
        message = str(error)
    else:
        message = "f.yaml"
    assert message.startswith("f.yaml")


edit = st.tuples(st.integers(0, len(TOKENS) - 1), st.one_of(st.sampled_from(ODD), st.sampled_from(TOKENS), st.just("")))


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(edit, min_size=1, max_size=4))
def test_spoilt_scenarios(edits: list[tuple[int, str]]) -> None:
    tokens = list(TOKENS)
    for index, token in edits:
        tokens[index] = token
    only_scenario_errors("".join(tokens))


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    only_scenario_errors(text)
