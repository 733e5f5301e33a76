"""Exact arithmetic on decimals, guarded against expressions that would never end."""

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from decimal import (
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)

from lar.domain.risk import Risk
from lar.errors import ToolError
from lar.tools.contract import Tool, ToolContext
from lar.tools.define import tool
from lar.tools.settings import CalculatorSettings

_TOKEN = re.compile(
    r"\s*(?:(\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z]+)|(\*\*|//|[-+*/%(),^]))"
)
# As people type them: multiplication, division and square root signs, minus and en dash.
_SIGNS = str.maketrans({"\u00d7": "*", "\u00b7": "*", "\u00f7": "/", "\u2212": "-", "\u2013": "-", "\u221a": " sqrt "})
_MAX_DEPTH = 50
_WORKING_DIGITS = 100
_SMALLEST_PLAIN = -20


def calculator_tool(settings: CalculatorSettings) -> Tool:
    """The tool `calculate_expression`."""

    @tool(risk=Risk.READ, repeatable=True)
    async def calculate_expression(_context: ToolContext, expression: str) -> str:
        """Calculate an arithmetic expression exactly, in decimals. Use it for any arithmetic.

        Understands + - * / // (floor) % (remainder) ** ^ ( ), percentages such as `17.5% of 2340` or `12%`, and the
        functions sqrt, abs, round(x, digits), floor, ceil, min, max.

        Args:
            expression: For example `(12.5 + 3) * 4` or `17.5% of 2340`.
        """
        return calculate(expression, settings)

    return calculate_expression


def calculate(expression: str, settings: CalculatorSettings) -> str:
    """The value of an expression as plain text.

    Raises:
        ToolError: it is too long, too large, or not arithmetic; the text says why.

    """
    if len(expression) > settings.max_length:
        raise ToolError(f"The expression is longer than {settings.max_length} characters.")
    arithmetic = Context(
        prec=_WORKING_DIGITS, Emax=99_999, Emin=-99_999, traps=[InvalidOperation, DivisionByZero, Overflow]
    )
    try:
        value = _Parser(_tokens(expression), arithmetic, settings.max_exponent).whole()
        return _written(value, settings.digits, exact=not arithmetic.flags[Inexact])
    except DivisionByZero:
        raise ToolError("Division by zero.") from None
    except Overflow:
        raise ToolError("The result is too large.") from None
    except DecimalException:
        raise ToolError("This has no real result, as the square root of a negative number has none.") from None


def _tokens(expression: str) -> list[str]:
    text = expression.translate(_SIGNS).rstrip().rstrip("=?").rstrip()
    found: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ToolError(f"Cannot read the expression from {text[position : position + 20]!r} on.")
        found.append(match.group().strip())
        position = match.end()
    if not found:
        raise ToolError("The expression is empty.")
    return found


class _Parser:
    """Recursive descent: sum → product → sign → power → percent → atom."""

    def __init__(self, tokens: list[str], arithmetic: Context, max_exponent: int) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._arithmetic = arithmetic
        self._max_exponent = max_exponent

    def whole(self) -> Decimal:
        value = self._sum()
        if self._at < len(self._tokens):
            raise ToolError(f"Did not expect {self._next()!r} here.")
        return value

    def _next(self) -> str:
        return self._tokens[self._at].lower() if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self._next()
        if token and token in wanted:
            self._at += 1
            return token
        return ""

    @contextmanager
    def _deeper(self) -> Generator[None]:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ToolError(f"More than {_MAX_DEPTH} parentheses, functions or powers inside each other.")
        yield
        self._depth -= 1

    def _sum(self) -> Decimal:
        value = self._product()
        while operator := self._take("+", "-"):
            right = self._product()
            value = self._arithmetic.add(value, right) if operator == "+" else self._arithmetic.subtract(value, right)
        return value

    def _product(self) -> Decimal:
        value = self._sign()
        while operator := self._take("*", "/", "//", "%", "of"):
            right = self._sign()
            if operator in {"*", "of"}:
                value = self._arithmetic.multiply(value, right)
            elif operator == "/":
                value = self._arithmetic.divide(value, right)
            else:
                whole = self._floor(self._arithmetic.divide(value, right))
                rest = self._arithmetic.subtract(value, self._arithmetic.multiply(whole, right))
                value = whole if operator == "//" else rest
        return value

    def _sign(self) -> Decimal:
        negative = False
        while sign := self._take("+", "-"):
            negative ^= sign == "-"
        value = self._power()
        return self._arithmetic.minus(value) if negative else value

    def _power(self) -> Decimal:
        base = self._percent()
        if not self._take("**", "^"):
            return base
        with self._deeper():
            exponent = self._sign()
        if abs(exponent) > self._max_exponent:
            raise ToolError(f"Exponents are limited to {self._max_exponent}.")
        return self._arithmetic.power(base, exponent) if base or exponent else Decimal(1)

    def _percent(self) -> Decimal:
        value = self._atom()
        while self._next() == "%" and not self._operand_follows():
            self._at += 1
            value = self._arithmetic.divide(value, Decimal(100))
        return value

    def _operand_follows(self) -> bool:
        """Whether the % at hand is the remainder's, because something to divide by comes after it."""
        after = self._tokens[self._at + 1].lower() if self._at + 1 < len(self._tokens) else ""
        return after == "(" or after[:1].isdigit() or after[:1] == "." or after in _FUNCTIONS

    def _atom(self) -> Decimal:
        word = self._next()
        if not word:
            raise ToolError("The expression ends too early.")
        self._at += 1
        if word == "(" or word in _FUNCTIONS:
            with self._deeper():
                return self._closed(self._sum()) if word == "(" else self._call(word)
        if word[0].isdigit() or word[0] == ".":
            return self._arithmetic.create_decimal(word.replace("_", ""))
        raise ToolError(f"Did not expect {word!r} here. Functions: {', '.join(_FUNCTIONS)}.")

    def _call(self, name: str) -> Decimal:
        if not self._take("("):
            return _FUNCTIONS[name](self._arithmetic, [self._atom()])
        arguments = [self._sum()]
        while self._take(","):
            arguments.append(self._sum())
        return self._closed(_FUNCTIONS[name](self._arithmetic, arguments))

    def _closed(self, value: Decimal) -> Decimal:
        if not self._take(")"):
            raise ToolError("A closing parenthesis is missing.")
        return value

    @staticmethod
    def _floor(value: Decimal) -> Decimal:
        return value.to_integral_value(ROUND_FLOOR)


def _one(arguments: list[Decimal]) -> Decimal:
    if len(arguments) != 1:
        raise ToolError("This function takes one value.")
    return arguments[0]


def _rounded(arguments: list[Decimal]) -> Decimal:
    digits = int(arguments[1]) if len(arguments) == 2 else 0  # noqa: PLR2004  # round(value, digits)
    if len(arguments) > 2 or abs(digits) > _WORKING_DIGITS // 2:  # noqa: PLR2004  # the same
        raise ToolError("round takes a value and a small number of digits.")
    return arguments[0].quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, Context(prec=100_000))


_Function = Callable[[Context, list[Decimal]], Decimal]
_FUNCTIONS: dict[str, _Function] = {
    "sqrt": lambda arithmetic, values: arithmetic.sqrt(_one(values)),
    "abs": lambda _, values: abs(_one(values)),
    "round": lambda _, values: _rounded(values),
    "floor": lambda _, values: _one(values).to_integral_value(ROUND_FLOOR),
    "ceil": lambda _, values: -(-_one(values)).to_integral_value(ROUND_FLOOR),
    "min": lambda _, values: min(values),
    "max": lambda _, values: max(values),
}


def _written(value: Decimal, digits: int, *, exact: bool) -> str:
    """Without trailing zeros, and without an exponent while that is readable."""
    if not value.is_finite():
        raise ToolError("The result is infinite.")
    if not exact:
        value = Context(prec=digits).plus(value)
    if not value:
        return "0"
    value = value.normalize(Context(prec=_WORKING_DIGITS))
    readable = _SMALLEST_PLAIN <= value.adjusted() < _WORKING_DIGITS and len(value.as_tuple().digits) <= _WORKING_DIGITS
    return f"{value:f}" if readable else f"{value:.{digits}g}"
