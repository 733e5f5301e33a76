"""The calculator: exact, readable, and never to be kept busy."""

import time
from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lar.domain.values import JsonObject
from lar.errors import ToolError
from lar.testing.tool_contract import ToolContract
from lar.tools.calculator import calculate, calculator_tool
from lar.tools.contract import Tool
from lar.tools.settings import CalculatorSettings

SETTINGS = CalculatorSettings()


class TestContract(ToolContract):
    """The calculator keeps the tool contract."""

    @pytest.fixture
    def tool(self) -> Tool:
        """The tool."""
        return calculator_tool(SETTINGS)

    @pytest.fixture
    def arguments(self) -> JsonObject:
        """Some arithmetic."""
        return {"expression": "1 + 1"}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("17.5% of 2340", "409.5"),
        ("17.5%", "0.175"),
        ("50% of 50% of 8", "2"),
        ("0.1 + 0.2", "0.3"),
        ("1/3", "0.33333333333333333333"),
        ("1/3*3", "1"),
        ("10 / 4", "2.5"),
        ("2**100", "1267650600228229401496703205376"),
        ("2^0.5", "1.4142135623730950488"),
        ("2**3**2", "512"),
        ("-2**2", "-4"),
        ("2**-1", "0.5"),
        ("0**0", "1"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("10%3", "1"),
        ("10 % (4)", "2"),
        ("(1 + 2) * -3", "-9"),
        ("--3", "3"),
        ("sqrt(16) + sqrt 9", "7"),
        ("√16", "4"),
        ("round(2.5)", "3"),
        ("round(2.675, 2)", "2.68"),
        ("round(1250, -2)", "1300"),
        ("min(3, 1, 2) + max(3, 1, 2)", "4"),
        ("abs(-3) * floor(2.9) * ceil(2.1)", "18"),
        ("5 × 3 ÷ 2 =", "7.5"),  # noqa: RUF001  # as people type it
        ("1_000 * 2", "2000"),
        ("1e3 + .5", "1000.5"),
        ("9**999", "1.9420791685807240107e+953"),
        ("1e-30", "1e-30"),
        ("100 - 100.0", "0"),
        ("1000000 * 1000000", "1000000000000"),
    ],
)
def test_calculates(expression: str, value: str) -> None:
    """What people and models write, and what they expect to read."""
    assert calculate(expression, SETTINGS) == value


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "empty"),
        ("1 +", "ends too early"),
        ("(1", "parenthesis is missing"),
        ("1)", "Did not expect"),
        ("1 2", "Did not expect"),
        ("abc", "Did not expect 'abc'"),
        ("__import__('os')", "Cannot read"),
        ("1/0", "Division by zero"),
        ("1 % 0", "Division by zero"),
        ("sqrt(-1)", "no real result"),
        ("(-8) ** 0.5", "no real result"),
        ("0 ** -1", "infinite"),
        ("9**9**9", "limited to 1000"),
        ("9e99999 * 9e99999", "too large"),
        ("1" * 501, "longer than 500"),
        ("(" * 60 + "1" + ")" * 60, "More than 50"),
        ("2**" * 60 + "1", "More than 50"),
        ("sqrt(1, 2)", "one value"),
        ("round(1, 2, 3)", "round takes"),
        ("round(1, 999)", "round takes"),
        ("sqrt " * 90 + "2", "More than 50"),
        ("√" * 499 + "2", "More than 50"),
    ],
)
def test_refuses_with_a_reason(expression: str, reason: str) -> None:
    """What cannot be calculated is explained, so that the model can ask better."""
    with pytest.raises(ToolError, match=reason.replace("(", r"\(")):
        calculate(expression, SETTINGS)


@given(st.lists(st.tuples(st.sampled_from("+-*"), st.integers(-999, 999)), min_size=1, max_size=12))
def test_agrees_with_exact_arithmetic(terms: list[tuple[str, int]]) -> None:
    """Sums and products are exact, with the usual precedence."""
    expression = "0" + "".join(f" {operator} ({number})" for operator, number in terms)
    products: list[Fraction] = [Fraction(0)]
    for operator, number in terms:
        if operator == "*":
            products[-1] *= number
        else:
            products.append(Fraction(number if operator == "+" else -number))
    assert Fraction(calculate(expression, SETTINGS)) == sum(products)


@given(st.text(alphabet="0123456789+-*/%^().,e sqrtoundminabf_", max_size=60))
def test_any_text_is_answered(expression: str) -> None:
    """No text raises anything but a reason for the model."""
    with suppress(ToolError):
        assert calculate(expression, SETTINGS)


@pytest.mark.parametrize("expression", ["*".join(["9.9**999.5"] * 40), "999.9**999.9**0.99", "7**-1000 ** 0.5" * 20])
def test_is_not_kept_busy(expression: str) -> None:
    """The largest expression it takes costs milliseconds."""
    started = time.process_time()
    with suppress(ToolError):
        calculate(expression, SETTINGS)
    assert time.process_time() - started < 0.5
