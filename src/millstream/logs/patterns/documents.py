"""Patterns of JSON: `{ $.user.roles[0] = "admin*" && ($.size >= 1e3 || $.error NOT EXISTS) }`.

A condition looks at one scalar of the message, which must be a JSON object: it is false where there is no such member,
or where that is an object, an array or null, for `!=`, too. Source: the user guide, "Filter pattern syntax".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from millstream.logs.patterns.conditions import Expression, Test, take_test, text_of
from millstream.logs.patterns.pattern import MATCHED, Match, PatternError
from millstream.logs.patterns.scanner import Scanner
from millstream.logs.patterns.selectors import Selector, take_selector

Document = dict[str, Any]
Condition = Callable[[Document], bool]

WILDCARDS_MAX = 3
"""AWS's quota of wildcards in the selectors of one pattern."""

_SCALARS = (str, int, float)
_IS = {"NULL": None, "TRUE": True, "FALSE": False}

_decode = msgspec.json.Decoder(Document).decode


class DocumentPattern:
    """An expression over members of a JSON object; `selectors` are those that it mentions."""

    def __init__(self, condition: Condition, selectors: list[Selector]) -> None:
        self._condition = condition
        self._selectors = selectors

    def match(self, message: str) -> Match | None:
        document = _document(message)
        return MATCHED if document is not None and self._condition(document) else None

    def values(self, message: str) -> dict[str, str]:
        """The scalars that the pattern looks at, by their selectors."""
        document = _document(message) or {}
        found = {selector.text: next(_scalars(selector, document), None) for selector in self._selectors}
        return {text: text_of(value) for text, value in found.items() if value is not None}


def _document(message: str) -> Document | None:
    if "{" not in message:
        return None
    try:
        return _decode(message)
    except (ValueError, RecursionError):  # not JSON, no object, or nested without end
        return None


def compile_document(text: str) -> DocumentPattern:
    """The pattern of `text`, which begins with a brace. Raises PatternError."""
    if not text.rstrip().endswith("}"):
        raise PatternError("If a filter pattern starts with '{' it must end with '}'")
    scanner = Scanner(text)
    scanner.take("{")
    reader = _ConditionReader(scanner)
    condition = Expression(scanner, reader.condition).take()
    scanner.expect("}", "&&, || or the closing brace must follow")
    scanner.expect_end("nothing may follow the closing brace")
    return DocumentPattern(condition, reader.selectors)


class _ConditionReader:
    """Reads single conditions and remembers what they look at."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self.selectors: list[Selector] = []

    def condition(self) -> Condition:
        selector = take_selector(self._scanner)
        self.selectors.append(selector)
        if sum(each.wildcards for each in self.selectors) > WILDCARDS_MAX:
            self._scanner.fail(f"a filter pattern may have {WILDCARDS_MAX} wildcards in its selectors, not more")
        test = take_test(self._scanner)
        if test is not None:
            return _scalar_condition(selector, test)
        if self._scanner.take("NOT"):
            self._scanner.expect("EXISTS", "EXISTS must follow NOT")
            return lambda document: not any(True for _ in selector.find(document))
        self._scanner.expect("IS", "a condition must follow: =, !=, <, >, <=, >=, IS or NOT EXISTS")
        return self._is(selector)

    def _is(self, selector: Selector) -> Condition:
        word = next((word for word in _IS if self._scanner.take(word)), None)
        if word is None:
            self._scanner.fail("NULL, TRUE or FALSE must follow IS; there is no IS NOT")
        wanted = _IS[word]
        return lambda document: any(value is wanted for value in selector.find(document))


def _scalar_condition(selector: Selector, test: Test) -> Condition:
    return lambda document: any(test(value) for value in _scalars(selector, document))


def _scalars(selector: Selector, document: Document) -> Any:
    for value in selector.find(document):
        if isinstance(value, _SCALARS):
            yield value
