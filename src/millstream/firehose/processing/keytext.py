"""The text that a JSON value becomes as a partition key."""

from __future__ import annotations

import sys
from typing import Any

_EXACT_MAX = 2**53
_PADDED_DIGITS = 15


def key_text(value: Any) -> str:
    """A string as it is, a number as jq 1.6 prints it, `true` or `false`; "" for null, as AWS takes both for missing.

    Raises ValueError for arrays and objects.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    raise ValueError(f"a partition key must be a string, a number or a boolean, not an {_kind(value)}")


def _kind(value: Any) -> str:
    return "array" if isinstance(value, list) else "object"


def number_text(value: float) -> str:
    """A number as jq 1.6 prints it: all are doubles; whole ones have no fraction, so that 1.0 and 1 are one key.

    Zeros are written out, up to 15 after the significant digits; then there is an exponent. What is too large for a
    double is the largest one.
    """
    if isinstance(value, int) and -_EXACT_MAX <= value <= _EXACT_MAX:
        return str(value)
    try:
        number = float(value)
    except OverflowError:
        number = float("inf") if value > 0 else float("-inf")
    number = min(max(number, -sys.float_info.max), sys.float_info.max)
    if number == 0:
        return "0"
    text = repr(number)
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text.removesuffix(".0")
    digits = mantissa.replace(".", "").lstrip("-")
    places = int(exponent) + 1
    if not 0 < places <= len(digits) + _PADDED_DIGITS:
        return text
    return ("-" if number < 0 else "") + digits.ljust(places, "0")
