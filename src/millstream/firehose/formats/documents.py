"""The JSON objects of records: usually one in each, though a record may have several, one after the other.

AWS documents `{"a":1}{"b":1}` as valid input and `[{"a":1},{"a":2}]` as invalid; whitespace between objects is fine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from millstream.base.errors import MillstreamError

_MARK = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}]', re.DOTALL)
"""Strings and braces. A string without its end goes to the record's end, so that nothing is looked at twice."""
_SPACE = b" \t\r\n"


class Malformed(MillstreamError):
    """A record is not made of JSON objects; the text says why."""


class DocumentReader:
    """Decodes records. With `exact`, numbers with a fraction or an exponent become Decimals."""

    def __init__(self, *, exact: bool) -> None:
        decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal if exact else None)
        self.decode: Callable[[bytes], Any] = decoder.decode

    def read_one_each(self, records: list[bytes]) -> list[dict[str, Any]] | None:
        """The objects of records, if each is just one: the usual case, and the fast one. Else None."""
        try:
            documents = list(map(self.decode, records))
        except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
            return None
        return documents if {dict}.issuperset(map(type, documents)) else None

    def read(self, record: bytes) -> list[dict[str, Any]]:
        """The objects of a record, at least one. Raises Malformed."""
        try:
            documents = [self.decode(piece) for piece in _objects(record)]
        except RecursionError:
            raise Malformed("Encountered malformed JSON. It is nested too deeply.") from None
        except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
            reason = str(error).removeprefix("JSON is malformed: ")
            raise Malformed(f"Encountered malformed JSON: {reason}.") from None
        if not documents:
            raise Malformed("Encountered malformed JSON. The record is empty.")
        for document in documents:
            if not isinstance(document, dict):
                raise Malformed("The record is not a JSON object, nor JSON objects one after the other.")
        return documents


def _objects(record: bytes) -> list[bytes]:
    """The record cut after each brace that closes an outermost object; each piece is then for the decoder to judge."""
    pieces = []
    start = depth = 0
    for mark in _MARK.finditer(record):
        match mark.group():
            case b"{":
                depth += 1
            case b"}":
                depth -= 1
                if depth == 0:
                    pieces.append(record[start : mark.end()])
                    start = mark.end()
    if rest := record[start:].strip(_SPACE):
        pieces.append(rest)
    return pieces
