"""Hive's types: text to trees, and to Arrow's types."""

from __future__ import annotations

import pyarrow as pa
import pytest

from millstream.firehose.formats.hive import TypeInvalid, arrow_type, parse_type


@pytest.mark.parametrize(
    ("text", "arrow"),
    [
        ("tinyint", pa.int8()),
        ("SMALLINT", pa.int16()),
        ("int", pa.int32()),
        ("integer", pa.int32()),
        ("bigint", pa.int64()),
        ("boolean", pa.bool_()),
        ("float", pa.float32()),
        ("double", pa.float64()),
        ("double  precision", pa.float64()),
        ("decimal", pa.decimal128(10, 0)),
        ("decimal(12)", pa.decimal128(12, 0)),
        ("decimal( 12 , 3 )", pa.decimal128(12, 3)),
        ("string", pa.string()),
        ("char(3)", pa.string()),
        ("varchar(65535)", pa.string()),
        ("binary", pa.binary()),
        ("date", pa.date32()),
        ("timestamp", pa.timestamp("us")),
        ("array<array<int>>", pa.list_(pa.list_(pa.int32()))),
        ("map<string,array<double>>", pa.map_(pa.string(), pa.list_(pa.float64()))),
        (
            "struct<id:bigint, At-Time: timestamp,tags:map<string,string>,inner:struct<a:decimal(5,2)>>",
            pa.struct(
                [
                    ("id", pa.int64()),
                    ("At-Time", pa.timestamp("us")),
                    ("tags", pa.map_(pa.string(), pa.string())),
                    ("inner", pa.struct([("a", pa.decimal128(5, 2))])),
                ]
            ),
        ),
    ],
)
def test_every_type_has_its_arrow_type(text: str, arrow: object) -> None:
    assert arrow_type(parse_type(text)) == arrow


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ends too early"),
        ("text", "'text' is not a type"),
        ("uniontype<int,string>", "'uniontype' is not a type"),
        ("array<int", "ends too early"),
        ("array<int,string>", "1 parts are needed where 2 stand"),
        ("map<string>", "2 parts are needed where 1 stand"),
        ("map<array<int>,int>", "key must be of a primitive type"),
        ("struct<a>", "':' is needed where '>' stands"),
        ("struct<a:int,A:int>", "two fields of one name"),
        ("int int", "'int int' is not a type"),
        ("int>", "more after its end"),
        ("decimal(39)", "precision from 1 to 38"),
        ("decimal(3,4)", "scale not above it"),
        ("decimal(1,1,1)", "precision"),
        ("varchar", "ends too early"),
        ("varchar(0)", "length must be"),
        ("char(x)", "'x' is not a number"),
        ("array<" * 40 + "int" + ">" * 40, "nested more than 32 deep"),
    ],
)
def test_what_is_no_type_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(TypeInvalid, match=reason.replace("(", r"\(")):
        parse_type(text)
