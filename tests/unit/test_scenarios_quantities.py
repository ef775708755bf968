"""Quantities: every unit, its value in SI units, and the rule that refuses the rest."""

from collections.abc import Callable
from typing import Any

import pytest

from scenarios.defects import Defect
from scenarios.models import Bound, Distribution, Money
from scenarios.quantities import parse_duration_s, parse_money, parse_positive_duration_s, parse_ratio, parse_size_bytes
from scenarios.release import Guardrail
from scenarios.strategies import Rolling


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0.0), ("250us", 250e-6), ("250ms", 0.25), ("1.5s", 1.5), ("5m", 300.0), ("2h", 7200.0), ("1d", 86400.0),
     ("1e3ms", 1.0), ("5 m", 300.0), (" 5m ", 300.0), ("366d", 366 * 86400.0)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == pytest.approx(seconds, rel=1e-15)


@pytest.mark.parametrize(
    "value",
    ["", "5", "s", "5 minutes", "--5s", "+5s", ".5s", "5.s", "5S", "1:30", "5s5s", "٥s", 5, 0.5, None, True, [], {}],
)
def test_no_durations(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^must be a duration with its unit \(us, ms, s, m, h, d\), such as 250ms"):
        parse_duration_s(value)


@pytest.mark.parametrize(
    ("parse", "value"),
    [(parse_duration_s, "-5s"), (parse_ratio, "- 1%"), (parse_money, "-5 EUR"), (parse_size_bytes, "-1GB")],
)
def test_what_is_negative_is_told_to_be(parse: Callable[[Any], Any], value: str) -> None:
    with pytest.raises(ValueError, match=r"^must not be negative$"):
        parse(value)


def test_durations_have_bounds() -> None:
    with pytest.raises(ValueError, match=r"^must be at most 366d$"):
        parse_duration_s("367d")
    with pytest.raises(ValueError, match=r"^must be a finite number$"):
        parse_duration_s("1e999s")
    with pytest.raises(ValueError, match=r"^must be longer than 0s$"):
        parse_positive_duration_s("0ms")


@pytest.mark.parametrize(("text", "ratio"), [("0%", 0.0), ("1.5%", 0.015), ("100%", 1.0), ("5 %", 0.05), ("1e1%", 0.1)])
def test_ratios(text: str, ratio: float) -> None:
    assert parse_ratio(text) == pytest.approx(ratio, rel=1e-15)


@pytest.mark.parametrize("value", ["", "5", "0.05", "101%", "%", "٥%", 0.05, 5, None, False])
def test_no_ratios(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^must be a percentage from 0% to 100%, such as 1.5%$"):
        parse_ratio(value)


def test_money() -> None:
    assert parse_money("55 EUR") == Money(55.0, "EUR")
    assert parse_money("0.01USD") == Money(0.01, "USD")
    for value in ["55", "EUR 55", "55 eur", "55 EURO", 55]:
        with pytest.raises(ValueError, match=r"^must be an amount and a currency code, such as 55 EUR$"):
            parse_money(value)


@pytest.mark.parametrize(
    ("op", "holds"),
    [
        (">=", (False, True, True)),
        (">", (False, False, True)),
        ("<=", (True, True, False)),
        ("<", (True, False, False)),
    ],
)
def test_bounds_hold_on_their_side_and_never_for_nan(op: str, holds: tuple[bool, bool, bool]) -> None:
    bound = Bound(op, 0.5)
    assert (bound.holds(0.4), bound.holds(0.5), bound.holds(0.6)) == holds
    assert not bound.holds(float("nan"))
    assert str(bound) == f"{op} 0.5"


@pytest.mark.parametrize(
    ("value", "kind", "params", "mean_s"),
    [
        ("20ms", "constant", (0.02, 0.0), 0.02),
        ({"constant": "20ms"}, "constant", (0.02, 0.0), 0.02),
        ({"exponential": {"mean": "20ms"}}, "exponential", (0.02, 0.0), 0.02),
        ({"uniform": {"low": "10ms", "high": "30ms"}}, "uniform", (0.01, 0.03), 0.02),
        # mean 20 ms, cv 1: sigma^2 = ln 2, mu = ln 0.02 - ln(2)/2.
        ({"lognormal": {"mean": "20ms", "cv": 1}}, "lognormal", (-4.258596595708119, 0.8325546111576977), 0.02),
        # median 1 s, p95 e^1.6448... s: mu 0, sigma 1, mean e^0.5.
        ({"lognormal": {"median": "1s", "p95": "5.180251602233015s"}}, "lognormal", (0.0, 1.0), 1.6487212707001282),
    ],
)
def test_distributions(value: Any, kind: str, params: tuple[float, float], mean_s: float) -> None:
    found = Distribution.model_validate(value)
    assert found.kind == kind
    assert found.params == pytest.approx(params, abs=1e-12)
    assert found.mean_s == pytest.approx(mean_s, rel=1e-12)


@pytest.mark.parametrize(("text", "factor", "add_s"), [("x2.5", 2.5, 0.0), ("x1", 1.0, 0.0), ("+200ms", 1.0, 0.2)])
def test_latency_changes(text: str, factor: float, add_s: float) -> None:
    defect = Defect.model_validate({"name": "d", "probability": "1%", "latency": text, "errors": "1%"})
    assert (defect.latency.factor, defect.latency.add_s) == (factor, add_s)


@pytest.mark.parametrize(
    ("metric", "above", "limit", "quantile"), [("error-ratio", "5%", 0.05, None), ("p95", "40ms", 0.04, 0.95)]
)
def test_guardrails_read_their_limit_in_the_unit_of_the_metric(
    metric: str, above: str, limit: float, quantile: float | None
) -> None:
    guardrail = Guardrail.model_validate({"metric": metric, "of": "web", "above": above})
    assert (guardrail.above, guardrail.quantile) == (limit, quantile)
    assert guardrail.name == f"{metric} of web (new)"


def test_a_count_of_replicas_is_no_share_of_them() -> None:
    rolling = Rolling.model_validate({"surge": 1, "unavailable": "100%"})
    assert isinstance(rolling.surge, int)
    assert isinstance(rolling.unavailable, float)
    assert rolling.counts(3) == (1, 3)
