"""What records become, by the rules of the developer guide."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest

from millstream.analytics.records.decode import Decoder
from millstream.analytics.records.paths import InvalidSchema
from millstream.analytics.records.schema import CsvFormat, JsonFormat, RecordColumn, Schema
from millstream.analytics.records.texts import from_list

MANY = 400  # of a record are more than are decoded one by one


def schema(*columns: tuple[str, ...], form: JsonFormat | CsvFormat | None = None) -> Schema:
    made = (RecordColumn(name=name, sql_type=kind, mapping=rest[0] if rest else None) for name, kind, *rest in columns)
    return Schema(columns=tuple(made), format=form or JsonFormat())


def rows(of: Schema, *records: bytes) -> list[tuple[Any, ...]]:
    """The rows, which must be the same one by one and among many."""
    found = Decoder(of).decode(from_list(records))
    many = Decoder(of).decode(from_list(records * MANY))
    assert many.frame.rows() == found.frame.rows() * MANY
    assert len(many.errors) == len(found.errors) * MANY
    return found.frame.rows()


def value(kind: str, given: object) -> Any:
    """What a column of this type makes of a JSON value; the error's message if there is one."""
    of = schema(("C", kind, "$.c"))
    record = json.dumps({"c": given}).encode()
    errors = Decoder(of).decode(from_list([record])).errors
    found = rows(of, record)
    return errors[0].message if errors else found[0][0]


def refused(kind: str, given: object) -> bool:
    return str(value(kind, given)).startswith("Column C: cannot convert ")


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        *((kind, None, None) for kind in ("INTEGER", "VARCHAR(4)", "BOOLEAN", "TIMESTAMP", "DECIMAL(5,2)")),
        ("INTEGER", True, 1),
        ("DOUBLE", False, 0.0),
        ("DECIMAL(5,2)", True, Decimal("1.00")),
        ("BINARY(2)", True, b"\x00\x01"),
        ("VARBINARY(2)", False, b"\x00"),
        ("BOOLEAN", True, True),
        ("VARCHAR(3)", True, "tru"),
        ("INTEGER", 67321, 67321),
        ("INTEGER", 12.0, 12),
        ("BIGINT", 2**53 + 1, 2**53 + 1),
        ("REAL", 0.5, 0.5),
        ("DECIMAL(5,2)", 1.005, Decimal("1.01")),
        ("BOOLEAN", 0, False),
        ("BOOLEAN", 2.5, True),
        ("VARCHAR(8)", 12, "12"),
        ("VARCHAR(8)", -1.25, "-1.25"),
        ("VARCHAR(30)", 1e21, "1" + "0" * 21),
        ("INTEGER", " 12 ", 12),
        ("DOUBLE", "1.5e3", 1500.0),
        ("DECIMAL(5,2)", "12.345", Decimal("12.35")),
        ("VARBINARY(4)", "X'3F67A23A'", bytes.fromhex("3F67A23A")),
        ("VARBINARY(4)", "P2eiOg==", bytes.fromhex("3F67A23A")),
        ("BOOLEAN", "TRUE", True),
        ("BOOLEAN", "yes", False),
        ("VARCHAR(4)", "too long", "too "),
        ("DATE", "1992-02-14", datetime.date(1992, 2, 14)),
        ("TIME", "18:35:44.5", datetime.time(18, 35, 44, 500_000)),
        ("TIMESTAMP", "1992-02-14", datetime.datetime(1992, 2, 14)),
        ("TIMESTAMP", "1992-02-14 18:35:44.0", datetime.datetime(1992, 2, 14, 18, 35, 44)),
        ("TIMESTAMP", "2018-05-09T12:50:41.337510", datetime.datetime(2018, 5, 9, 12, 50, 41, 337_000)),
        ("TIMESTAMP", "2018-05-09T12:50:41Z", datetime.datetime(2018, 5, 9, 12, 50, 41)),
        ("TIMESTAMP", "2018-05-09T12:50:41+02:00", datetime.datetime(2018, 5, 9, 10, 50, 41)),
        ("VARCHAR(20)", {"a": [1, "é"]}, '{"a":[1,"é"]}'),
        ("VARCHAR(3)", [1, 2], "[1,"),
    ],
)
def test_json_values_become_the_columns_type(kind: str, given: object, expected: object) -> None:
    assert value(kind, given) == expected


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("TIMESTAMP", True),
        ("INTEGER", 123.4),
        ("INTEGER", 2**31),
        ("TINYINT", 128),
        ("BIGINT", 2**63),
        ("REAL", 1e39),
        ("DECIMAL(5,2)", 1000),
        ("VARBINARY(4)", 12),
        ("TIMESTAMP", 1525870241),
        ("INTEGER", "abc"),
        ("DOUBLE", "NaN"),
        ("VARBINARY(4)", "X'3F6'"),
        ("DATE", "1992-02-30"),
        ("TIMESTAMP", "yesterday"),
        ("INTEGER", [1]),
        ("BOOLEAN", {"a": 1}),
    ],
)
def test_what_cannot_be_converted_is_an_error(kind: str, given: object) -> None:
    assert refused(kind, given)


def test_an_error_names_column_value_and_type_and_shows_the_record() -> None:
    found = Decoder(schema(("PRICE", "REAL", "$.p"))).decode(from_list([b'{"p":1}', b'{"p":"dear"}', b"{"]))
    assert found.frame.rows() == [(1.0,)]
    assert found.record_index.tolist() == [0]
    assert [error.record for error in found.errors] == [1, 2]
    assert found.errors[0].message == "Column PRICE: cannot convert 'dear' to REAL"
    assert bytes.fromhex(found.errors[0].data) == b'{"p":"dear"}'
    assert found.errors[1].message.startswith("The record is not JSON")


TICKS = schema(("T", "VARCHAR(4)", "$.t"), ("P", "DOUBLE", "$.p"))


def test_missing_elements_are_null_and_names_count_with_case() -> None:
    assert rows(TICKS, b'{"t":"A"}', b'{"T":"A","p":1}', b"{}") == [("A", None), (None, 1.0), (None, None)]


@pytest.mark.parametrize("between", [b"\n", b"", b"\r\n", b"  "])
def test_a_record_may_have_several_values(between: bytes) -> None:
    assert rows(TICKS, b'{"t":"A","p":1}' + between + b'{"t":"B","p":2}\n') == [("A", 1.0), ("B", 2.0)]


def test_a_record_that_is_an_array_has_a_row_for_each_element() -> None:
    assert rows(TICKS, b'[{"t":"A"},{"t":"B"}]') == [("A", None), ("B", None)]


def test_json_over_several_lines_is_one_row() -> None:
    assert rows(TICKS, b'{\n "t": "A",\n "p": 1\n}\n', b'{"t":"B"}') == [("A", 1.0), ("B", None)]


def test_records_that_make_sense_only_together_make_none() -> None:
    records = (b'{"t":"A"}', b'{"x":[{}', b"{}]}", b'{"t":"B"},{"t":"C"}', b'{"t":"}', b'{","t":"D"}')
    found = Decoder(TICKS).decode(from_list(records * MANY))
    assert found.frame.rows() == [("A", None)] * MANY
    assert len(found.errors) == 5 * MANY


def test_deeply_nested_records_are_rows_or_errors_wherever_they_stand() -> None:
    deep = [b'{"t":"A","x":' + b"[" * depth + b"]" * depth + b"}" for depth in (300, 900, 1020, 5000)]
    alone = [len(Decoder(TICKS).decode(from_list([record])).errors) for record in deep]
    found = Decoder(TICKS).decode(from_list([b'{"t":"B"}'] * MANY + deep))
    assert alone == [sum(error.record == MANY + index for error in found.errors) for index in range(len(deep))]
    assert alone[0] == 0


def test_invalid_utf8_is_replaced_and_half_surrogates_too() -> None:
    assert rows(TICKS, b'{"t":"a\xff"}', b'{"t":"b\\ud800"}', b'{"t":"\\ud83d\\ude00"}') == [
        ("a\ufffd", None),
        ("b\ufffd", None),
        ("\U0001f600", None),
    ]


ORDERS = b"""{"customerName": "John Doe", "address": {"city": "Anytown"}, "orders": [
  {"orderId": "23284", "itemName": "Widget", "itemPrice": "33.99"},
  {"orderId": "63122", "itemName": "Gadget", "itemPrice": "22.50"}]}"""


def test_nested_elements_and_whole_arrays() -> None:
    of = schema(("CITY", "VARCHAR(8)", "$.address.city"), ("O", "VARCHAR(60)", "$.orders[0:]"))
    assert rows(of, ORDERS) == [("Anytown", '[{"orderId":"23284","itemName":"Widget","itemPrice":"33.99"},'[:60])]


def test_an_array_is_flattened_and_other_elements_repeated() -> None:
    of = schema(
        ("N", "VARCHAR(8)", "$.customerName"),
        ("ID", "INTEGER", "$.orders[0:].orderId"),
        ("X", "REAL", "$.orders[0:].x"),
    )
    assert rows(of, ORDERS, b'{"customerName":"None","orders":[]}') == [
        ("John Doe", 23284, None),
        ("John Doe", 63122, None),
        ("None", None, None),
    ]


def test_a_record_row_path_to_an_array() -> None:
    columns = (
        ("ID", "INTEGER", "$.orderId"),
        ("P", "DOUBLE", "$.orders[0:].itemPrice"),
        ("N", "VARCHAR(8)", "$.customerName"),
    )
    expected = [(23284, 33.99, "John Doe"), (63122, 22.5, "John Doe")]
    assert rows(schema(*columns, form=JsonFormat("$.orders[0:]")), ORDERS) == expected
    assert rows(schema(columns[0], columns[2], form=JsonFormat("$.orders")), ORDERS) == [(a, c) for a, _, c in expected]


def test_one_element_of_an_array() -> None:
    assert rows(schema(("ID", "INTEGER", "$.orders[1].orderId"), ("Q", "INTEGER", "$.orders[5].orderId")), ORDERS) == [
        (63122, None)
    ]


def test_an_object_and_its_member_may_both_be_columns() -> None:
    of = schema(("A", "VARCHAR(30)", "$.address"), ("C", "VARCHAR(8)", "$.address.city"))
    assert rows(of, ORDERS) == [('{"city":"Anytown"}', "Anytown")]


CSV = schema(("A", "VARCHAR(8)"), ("B", "INTEGER"), form=CsvFormat())


def test_csv_by_position_with_short_and_long_rows() -> None:
    assert rows(CSV, b"x,1", b"y", b"z,3,more\n", b",4", b"\n", b"a,5\r\nb,6\n") == [
        ("x", 1),
        ("y", None),
        ("z", 3),
        (None, 4),
        ("a", 5),
        ("b", 6),
    ]


def test_csv_in_quotes() -> None:
    assert rows(CSV, b'"x", "1"', b'"a,b",2', b'"say ""hi""",3', b'"two\nlines",4\n"",5', b'"open,6') == [
        ("x", 1),
        ("a,b", 2),
        ('say "hi"', 3),
        ("two\nline", 4),
        ("", 5),
        ("open,6", None),
    ]


def test_csv_with_delimiters_of_any_length() -> None:
    of = schema(("A", "VARCHAR(8)"), ("B", "INTEGER"), form=CsvFormat("||", "::"))
    assert rows(of, b"x::1||y::2||", b'"::"::3') == [("x", 1), ("y", 2), ("::", 3)]


def test_csv_does_not_skip_a_header() -> None:
    found = Decoder(CSV).decode(from_list([b"name,number\nx,1"]))
    assert found.frame.rows() == [("x", 1)]
    assert [error.message for error in found.errors] == ["Column B: cannot convert 'number' to INTEGER"]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (schema(), "at least one column"),
        (schema(("A", "TEXT", "$.a")), "Column A: There is no type TEXT"),
        (schema(("A", "INTEGER", "$.a"), ("A", "INTEGER", "$.b")), "the name 'A'"),
        (schema(("A", "INTEGER", "$..a")), "is not a path"),
        (schema(("A", "INTEGER", "$.x[0:].a"), ("B", "INTEGER", "$.y[0:].b")), "only one"),
        (schema(("A", "INTEGER"), form=CsvFormat(",", ",")), "different texts"),
        (Schema(columns=CSV.columns, encoding="UTF-16"), "must be UTF-8"),
    ],
)
def test_a_schema_that_cannot_be_says_why(bad: Schema, words: str) -> None:
    with pytest.raises(InvalidSchema, match=".*" + words):
        Decoder(bad)
