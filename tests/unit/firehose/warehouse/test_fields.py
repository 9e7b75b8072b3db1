from __future__ import annotations

import itertools
from typing import Any

import pytest

from millstream.firehose.warehouse.copyoptions import parse_copy_options
from millstream.firehose.warehouse.documents import Malformed
from millstream.firehose.warehouse.fields import field_rows


def read(options: str, data: bytes, piece_bytes: int = 3) -> list[Any]:
    pieces = [data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)]
    return list(itertools.chain.from_iterable(field_rows(pieces, parse_copy_options(options))))


@pytest.mark.parametrize(
    ("options", "data", "rows"),
    [
        ("", b"a|b\nc|\n", [["a", "b"], ["c", ""]]),
        ("delimiter ','", b'"a",b', [['"a"', "b"]]),
        ("removequotes delimiter ','", b'"a,1",b\n', [["a,1", "b"]]),
        ("csv", 'a,"1st ""district"", Rockville\nMD",é\r\n'.encode(), [["a", '1st "district", Rockville\nMD', "é"]]),
        ("csv quote '%' delimiter ';'", b'%a;b%;"c"\n', [["a;b", '"c"']]),
        ("escape", b"a\\|b|c\\\\|d\\\ne|\\N\n", [["a|b", "c\\", "d\ne", "\\N"]]),
        ("csv ignoreheader 2", b"h,h\nh,h\na,b\n", [["a", "b"]]),
        ("csv", b"a\n\nb\n", [["a"], [""], ["b"]]),
        ("csv ignoreblanklines", b"a\n\nb\n", [["a"], ["b"]]),
        ("delimiter '\\t'", b"a\tb", [["a", "b"]]),
        ("csv", b"", []),
    ],
)
def test_rows_are_cut_into_fields(options: str, data: bytes, rows: list[list[str]]) -> None:
    assert read(options, data) == rows


def test_a_row_with_wrong_quotes_costs_itself_only() -> None:
    bad, good = read("csv", b'"a"b,c\nd,e\n')

    assert isinstance(bad, Malformed)
    assert "Invalid quote formatting" in bad.reason
    assert good == ["d", "e"]


def test_invalid_utf8_is_left_to_the_column() -> None:
    assert read("csv", b"a\xff,b\n") == [["a\udcff", "b"]]
