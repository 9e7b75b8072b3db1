"""A header is found among others, whatever their types; what cannot be read is as if it were not there."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, header

from millstream.connect.rabbitmq.headers import find_header

BEFORE = {
    "table": {"key": "no", "deep": {"key": "no"}},
    "array": ["key", 1, {"key": "no"}],
    "none": None,
    "when": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    "decimal": Decimal("1.5"),
    "bytes": bytearray(b"key"),
    "ke": "no",
    "key2": 3.5,
}


def wire(headers: dict[str, Any] | None, **properties: Any) -> bytes:
    """Properties as on the wire."""
    made = commands.Basic.Properties(headers=headers, **properties)
    return header.ContentHeader(0, 0, made).marshal()[12:]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("tenant é", "tenant é"),
        ("", ""),
        (7, "7"),
        (-7, "-7"),
        (1 << 40, "1099511627776"),
        (-(1 << 40), "-1099511627776"),
        (True, "true"),
        (False, "false"),
        (2.5, "2.5"),
        (None, None),
        ({"a": 1}, None),
        ([1], None),
    ],
)
def test_values(value: Any, text: str | None) -> None:
    for others in ({}, BEFORE):
        properties = wire({**others, "key": value, "last": 1}, content_type="x/y", content_encoding="z", message_id="m")
        assert find_header(properties, b"key") == text


def test_no_such_header() -> None:
    assert find_header(wire(BEFORE), b"key") is None
    assert find_header(wire(None, content_type="x"), b"key") is None
    assert find_header(b"", b"key") is None


@given(st.integers(0, 400), st.binary(max_size=40))
def test_damaged_headers_raise_nothing(at: int, damage: bytes) -> None:
    whole = wire({**BEFORE, "key": "value"})
    find_header(whole[:at], b"key")
    find_header(whole[:at] + damage + whole[at + len(damage) :], b"key")
