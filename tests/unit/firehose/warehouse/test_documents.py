from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from millstream.firehose.warehouse.documents import DOCUMENT_BYTES_MAX, Fraction, Malformed, documents

UGLY: list[dict[str, Any]] = [
    {"a": "}{", "b": [1, {"c": "\n"}]},
    {"a": 'quote " and backslash \\', "é": "ü€😀"},
    {},
    {"deep": {"er": [[], {}]}, "n": None, "t": True, "i": 2**60},
    {"text": "line\nbreak\r\n}{\n"},
]


def read(*pieces: bytes) -> list[Any]:
    return list(itertools.chain.from_iterable(documents(pieces)))


@pytest.mark.parametrize("separator", ["", "\n", " ", "\r\n", "\n\n  \n"])
@pytest.mark.parametrize("piece_bytes", [1, 7, 64, 100_000])
@pytest.mark.parametrize("indent", [None, 2])
def test_documents_are_found_however_they_are_cut(separator: str, piece_bytes: int, indent: int | None) -> None:
    data = separator.join(json.dumps(row, indent=indent, ensure_ascii=False) for row in UGLY * 3).encode()
    pieces = [data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)]

    assert read(*pieces) == UGLY * 3


@pytest.mark.parametrize("piece_bytes", [1, 12, 100])
def test_a_malformed_document_costs_its_line_only(piece_bytes: int) -> None:
    data = b'{"a": 1}\n{"a": oh}{"a": 2}\n{"a": 3}\n{"a":'
    found = read(*(data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)))

    assert [row if isinstance(row, dict) else type(row) for row in found] == [{"a": 1}, Malformed, {"a": 3}, Malformed]
    assert found[1].text == '{"a": oh}{"a": 2}'


def test_numbers_keep_their_digits() -> None:
    (row,) = read(b'{"price": 1.10, "far": 1e400, "big": 123456789012345678901234567890}')

    assert row == {"price": "1.10", "far": "1e400", "big": 123456789012345678901234567890}
    assert type(row["price"]) is Fraction


def test_what_is_endless_is_not_kept() -> None:
    piece = b'{"a": "' + b"x" * 1_000_000
    found = read(piece, *[b"y" * 1_000_000] * 5, b'"}\n', b'{"a": 1}\n')

    assert isinstance(found[0], Malformed)
    assert found[0].reason == "Row exceeds the maximum size of 4 MB"
    assert found[-1] == {"a": 1}
    assert all(len(row.text) < 1000 for row in found[:-1])
    assert DOCUMENT_BYTES_MAX == 4 * 1024 * 1024
