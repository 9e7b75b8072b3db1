"""Conditions, which patterns of documents and of columns share: `= 4*`, `!= "x y"`, `>= 1e3`, `= %regex%`; `&& || ( )`.

A `*` stands for any text at the beginning and at the end of a value, and for itself in the middle. A text that spells a
number is compared as that number, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Generic, TypeVar

from millstream.logs.patterns.scanner import Scanner

Number = int | float
Scalar = str | int | float | bool
Test = Callable[[Scalar], bool]
T = TypeVar("T")

_ORDERINGS: dict[str, Callable[[Number, Number], bool]] = {"<=": le, ">=": ge, "<": lt, ">": gt}
_OPERATORS = ("!=", "<=", ">=", "=", "<", ">")  # longer ones first
_DEPTH_MAX = 50
_INTEGER_DIGITS_MAX = 300
_number = re.compile(r"[+-]?(?:[0-9]+(\.[0-9]*)?|(\.[0-9]+))([eE][+-]?[0-9]{1,9})?").fullmatch
_ENDS = frozenset(",)]}&|")


class Expression(Generic[T]):
    """Reads conditions on a T that are combined by `&&`, `||` and parentheses; `condition` reads a single one."""

    def __init__(self, scanner: Scanner, condition: Callable[[], Callable[[T], bool]]) -> None:
        self._scanner = scanner
        self._condition = condition
        self._depth = 0

    def take(self) -> Callable[[T], bool]:
        """What the whole expression says. `&&` binds more tightly than `||`. Raises PatternError."""
        either = [self._conjunction()]
        while self._scanner.take("||"):
            either.append(self._conjunction())
        if len(either) == 1:
            return either[0]
        return lambda subject: any(test(subject) for test in either)

    def _conjunction(self) -> Callable[[T], bool]:
        every = [self._operand()]
        while self._scanner.take("&&"):
            every.append(self._operand())
        if len(every) == 1:
            return every[0]
        return lambda subject: all(test(subject) for test in every)

    def _operand(self) -> Callable[[T], bool]:
        if not self._scanner.take("("):
            return self._condition()
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            self._scanner.fail(f"parentheses are nested more than {_DEPTH_MAX} deep")
        inner = self.take()
        self._depth -= 1
        self._scanner.expect(")", "a closing parenthesis must follow")
        return inner


def take_test(scanner: Scanner) -> Test | None:
    """An operator and what follows it, as a test of a value; None if no operator comes next. Raises PatternError."""
    for operator in _OPERATORS:
        if scanner.take(operator):
            scanner.skip_blanks()
            return _ordering(scanner, operator) if operator in _ORDERINGS else _equality(scanner, operator)
    return None


def _ordering(scanner: Scanner, operator: str) -> Test:
    compare = _ORDERINGS[operator]
    limit = _number_of(_word(scanner))
    if limit is None:
        scanner.fail(f"a number must follow {operator}")

    def test(value: Scalar) -> bool:
        number = _number_of(value)
        return number is not None and compare(number, limit)

    return test


def _equality(scanner: Scanner, operator: str) -> Test:
    equal = _operand(scanner)
    if operator == "=":
        return equal
    return lambda value: not equal(value)


def _operand(scanner: Scanner) -> Test:
    if scanner.peek() == "%":
        search = scanner.regex()
        return lambda value: search(text_of(value))
    if scanner.peek() == '"':
        return _like(scanner.quoted())
    word = _word(scanner)
    number = _number_of(word)
    if number is None:
        return _like(word)
    return lambda value: _number_of(value) == number or text_of(value) == word


def _word(scanner: Scanner) -> str:
    word = scanner.take_while(_is_plain)
    char = scanner.peek()
    if char and not char.isspace() and char not in _ENDS:
        scanner.fail(
            f"Invalid character(s) in term '{char}': put a value that has other characters than letters, digits and "
            "_ - + . * in double quotes"
        )
    if not word:
        scanner.fail("a value must follow")
    return word


def _is_plain(char: str) -> bool:
    return char.isalnum() or char in "_-+.*"


def _like(pattern: str) -> Test:
    """Equality with `pattern`, in which a `*` at the beginning or the end stands for any text."""
    head, tail = pattern.startswith("*"), pattern.endswith("*")
    text = pattern.strip("*") if head and tail else pattern.removeprefix("*").removesuffix("*")
    if head and tail:
        return lambda value: text in text_of(value)
    if head:
        return lambda value: text_of(value).endswith(text)
    if tail:
        return lambda value: text_of(value).startswith(text)
    return lambda value: text_of(value) == text


def text_of(value: Scalar) -> str:
    """A value as text: numbers and truth values as JSON has them."""
    if isinstance(value, str):
        return value
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _number_of(value: Scalar) -> Number | None:
    """The number that a value is or spells; None if it does not."""
    if isinstance(value, bool):
        return None
    if not isinstance(value, str):
        return value
    found = _number(value)
    if found is None:
        return None
    is_integer = found.lastindex is None and len(value) <= _INTEGER_DIGITS_MAX
    return int(value) if is_integer else float(value)
