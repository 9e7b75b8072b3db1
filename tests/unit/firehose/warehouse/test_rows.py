from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from millstream.firehose.ports import DeliveryError
from millstream.firehose.warehouse.columns import TargetColumn
from millstream.firehose.warehouse.copyoptions import parse_copy_options
from millstream.firehose.warehouse.jsonpaths import parse_jsonpaths
from millstream.firehose.warehouse.port import LoadFailed
from millstream.firehose.warehouse.rows import Rejects, RowReader

TEXT = TargetColumn("v", "character varying", size_bytes_max=5)


def load(
    columns: list[TargetColumn], options: str, data: bytes, paths: bytes | None = None
) -> tuple[list[dict[str, Any]], Rejects]:
    parsed = parse_copy_options(options)
    rejects = Rejects(parsed.maxerror)
    reader = RowReader(columns, parsed, parse_jsonpaths(paths) if paths else None)
    return [row for batch in reader.batches([data], rejects) for row in batch.to_pylist()], rejects


def one(column: TargetColumn, value: Any, options: str = "") -> Any:
    """What a JSON value becomes in a column."""
    rows, _ = load([column._replace(name="v")], f"json 'auto' {options}", json.dumps({"v": value}).encode())
    return rows[0]["v"]


def refusal(column: TargetColumn, value: Any, options: str = "") -> str:
    with pytest.raises(LoadFailed) as caught:
        one(column, value, options)
    (error,) = caught.value.errors
    assert (error.row, error.column) == (1, "v")
    return error.reason


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("integer", 7, 7),
        ("integer", "7", 7),
        ("integer", " 7 ", 7),
        ("integer", "", None),
        ("integer", None, None),
        ("bigint", -(2**63), -(2**63)),
        ("double precision", 1.5, 1.5),
        ("double precision", 2, 2.0),
        ("real", "1e3", 1000.0),
        ("boolean", True, True),
        ("boolean", "yes", True),
        ("boolean", "f", False),
        ("boolean", 0, False),
        ("text", "x", "x"),
        ("text", "", ""),
        ("text", "\\N", None),
        ("text", 1.10, "1.1"),
        ("text", True, "true"),
        ("text", {"a": [1, 2]}, '{"a":[1,2]}'),
        ("date", "09/30/2014", date(2014, 9, 30)),
        ("date", "2014-09-30", date(2014, 9, 30)),
        ("date", " ", None),
        ("timestamp without time zone", "2014-09-30 23:51:00", datetime(2014, 9, 30, 23, 51)),
        ("timestamp with time zone", "2014-09-30 23:51:00+02", datetime(2014, 9, 30, 21, 51, tzinfo=UTC)),
        ("timestamp with time zone", "2014-09-30 23:51:00", datetime(2014, 9, 30, 23, 51, tzinfo=UTC)),
    ],
)
def test_values_become_the_columns_type(kind: str, value: Any, stored: Any) -> None:
    assert one(TargetColumn("v", kind), value) == stored


@pytest.mark.parametrize(
    ("value", "stored"),
    [("12.349", "12.34"), (12.349, "12.34"), (7, "7.00"), ("-0.999", "-0.99"), ("999.99", "999.99")],
)
def test_decimals_are_cut_to_their_scale(value: Any, stored: str) -> None:
    assert one(TargetColumn("v", "numeric", precision=5, scale=2), value) == Decimal(stored)


def test_decimals_are_rounded_if_asked() -> None:
    assert one(TargetColumn("v", "numeric", precision=5, scale=2), 12.345, "roundec") == Decimal("12.35")


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        (TargetColumn("v", "integer"), "x", "Invalid digit"),
        (TargetColumn("v", "integer"), 1.5, "Invalid digit"),
        (TargetColumn("v", "integer"), True, "Invalid digit"),
        (TargetColumn("v", "integer"), "0x1F", "Invalid digit"),
        (TargetColumn("v", "smallint"), 40_000, "Overflow"),
        (TargetColumn("v", "bigint"), 2**70, "Overflow"),
        (TargetColumn("v", "numeric", precision=5, scale=2), "1000", "Overflow"),
        (TargetColumn("v", "numeric", precision=5, scale=2), "x", "Invalid digit"),
        (TargetColumn("v", "double precision"), "x", "Invalid digit"),
        (TargetColumn("v", "boolean"), "maybe", "Unknown boolean format"),
        (TargetColumn("v", "date"), "soon", "Invalid timestamp format"),
        (TEXT, "sixsix", "String length exceeds DDL length"),
        (TEXT, "ééé", "String length exceeds DDL length"),  # six bytes
        (TEXT, "a\0b", "Invalid null byte"),
        (TEXT, "\ud800", "invalid or unsupported UTF8"),
        (TargetColumn("v", "integer", nullable=False), None, "Missing data for not-null field"),
    ],
)
def test_values_that_do_not_fit_are_told_of(column: TargetColumn, value: Any, reason: str) -> None:
    assert reason in refusal(column, value)


@pytest.mark.parametrize(
    ("options", "value", "stored"),
    [
        ("truncatecolumns", "sixsix", "sixsi"),
        ("truncatecolumns", "éééé", "éé"),
        ("emptyasnull", "", None),
        ("emptyasnull", " ", " "),
        ("blanksasnull", "  ", None),
        ("trimblanks", "a  ", "a"),
        ("null as 'NUL'", "NUL", None),
        ("acceptinvchars '^'", "a\ud800", "a^"),
    ],
)
def test_options_change_how_text_is_stored(options: str, value: str, stored: str | None) -> None:
    assert one(TEXT, value, options) == stored


def test_any_date_is_accepted_if_asked() -> None:
    assert one(TargetColumn("v", "date"), "00/00/00", "acceptanydate dateformat 'auto'") is None


def test_formats_of_dates_and_times() -> None:
    assert one(TargetColumn("v", "date"), "30.09.2014", "dateformat 'DD.MM.YYYY'") == date(2014, 9, 30)
    assert one(TargetColumn("v", "timestamp"), 1412121060, "timeformat 'epochsecs'") == datetime(2014, 9, 30, 23, 51)


def test_keys_match_columns_by_case_unless_told_not_to() -> None:
    columns = [TargetColumn("id", "integer"), TargetColumn("name", "text")]
    data = b'{"ID": 1, "name": "a", "more": 2}{"id": 2}'

    assert load(columns, "json 'auto'", data)[0] == [{"id": None, "name": "a"}, {"id": 2, "name": None}]
    assert load(columns, "json 'auto ignorecase'", data)[0] == [{"id": 1, "name": "a"}, {"id": 2, "name": None}]


def test_names_with_capitals_match_as_they_are_and_in_lower_case() -> None:
    columns = [TargetColumn("userId", "integer"), TargetColumn("name", "text")]

    rows, _ = load(columns, "json 'auto'", b'{"userId": 1, "name": "a"}{"userid": 2, "name": "b"}')

    assert [row["userId"] for row in rows] == [1, 2]


def test_jsonpaths_find_values_also_in_arrays() -> None:
    columns = [TargetColumn("id", "integer"), TargetColumn("name", "text")]
    paths = b'{"jsonpaths": ["$[0]", "$[1].n"]}'

    assert load(columns, "json 's3://b/p'", b'[1, {"n": "a"}]\n[2]', paths)[0] == [
        {"id": 1, "name": "a"},
        {"id": 2, "name": None},
    ]
    with pytest.raises(DeliveryError, match="numbers should match"):
        load(columns, "json 's3://b/p'", b"", b'{"jsonpaths": ["$.id"]}')


def test_bad_rows_are_skipped_and_counted_below_maxerror() -> None:
    columns = [TargetColumn("id", "integer"), TargetColumn("at", "date")]
    data = b'{"id":1,"at":"2014-09-30"}\n{"id":"x","at":"y"}\nnot json\n[5]\n{"id":5,"at":null}\n'

    rows, rejects = load(columns, "json 'auto' maxerror 4", data)

    assert rows == [{"id": 1, "at": date(2014, 9, 30)}, {"id": 5, "at": None}]
    assert rejects.count == 3
    assert [(error.row, error.column, error.value) for error in rejects.errors] == [
        (2, "id", "x"),
        (3, "", "not json"),
        (4, "", "[5]"),
    ]
    with pytest.raises(LoadFailed, match="row 2, column id: Invalid digit"):
        load(columns, "json 'auto' maxerror 3", data)


def test_delimited_rows_need_all_their_fields() -> None:
    columns = [TargetColumn("id", "integer"), TargetColumn("name", "text"), TargetColumn("at", "date")]
    data = b"1|a|2014-09-30\n2|b\n3|c|2014-09-30|more\n"

    rows, rejects = load(columns, "maxerror 9", data)
    assert [row["id"] for row in rows] == [1]
    assert [error.reason for error in rejects.errors] == ["Delimiter not found", "Extra column(s) found"]

    rows, rejects = load(columns, "fillrecord maxerror 9", data)
    assert rows[1] == {"id": 2, "name": "b", "at": None}
    assert rejects.count == 1


def test_row_numbers_count_the_header() -> None:
    _, rejects = load([TargetColumn("id", "integer")], "csv ignoreheader 1 maxerror 2", b"id\n1\nx\n")

    assert rejects.errors[0].row == 3


def test_invalid_utf8_in_csv_is_replaced_if_asked() -> None:
    rows, _ = load([TargetColumn("v", "text")], "csv acceptinvchars", b"a\xff\xfeb\n")

    assert rows == [{"v": "a??b"}]
