"""Reference tables, and records that hold records."""

from __future__ import annotations

import hashlib
import json
from array import array

import pytest

from millstream.analytics.records import tables
from millstream.analytics.records.schema import CsvFormat, JsonFormat, RecordColumn, Schema
from millstream.analytics.records.tables import read_table
from millstream.analytics.records.unpacking import unpack_blocks
from millstream.log import FollowedBlock
from millstream.log.packed import Packed
from millstream.wire.aggregation import MAGIC

COLUMNS = (
    RecordColumn(name="TICKER", sql_type="VARCHAR(4)", mapping="$.t"),
    RecordColumn(name="COMPANY", sql_type="VARCHAR(20)", mapping="$.c"),
)
ROWS = [("AMZN", "Amazon"), ("ASD", "Some, Inc."), ("MMB", None)]
LINES = [json.dumps({"t": ticker, "c": company}) for ticker, company in ROWS]


@pytest.fixture(params=[1, 7, 1 << 20], autouse=True)
def small_pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_PIECE_BYTES", request.param)


def chunks(content: str, size: int = 5) -> list[bytes]:
    encoded = content.encode()
    return [encoded[at : at + size] for at in range(0, len(encoded), size)]


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(LINES),
        "\n\r\n\n" + "\n\n".join(LINES) + "\n",
        "\ufeff" + "\r\n".join(LINES),
        "[" + ",".join(LINES) + "]",
        "[\n" + ",\n".join(LINES) + "\n]\n",
        "".join(LINES),
        "\n".join(json.dumps(json.loads(line), indent=2) for line in LINES),
    ],
)
def test_json_objects_in_any_layout(content: str) -> None:
    found = read_table(chunks(content), Schema(columns=COLUMNS))
    assert found.frame.rows() == ROWS
    assert not found.errors


def test_json_arrays_within_lines() -> None:
    content = json.dumps({"items": [json.loads(line) for line in LINES]})
    assert read_table(chunks(content), Schema(columns=COLUMNS, format=JsonFormat("$.items[0:]"))).frame.rows() == ROWS


@pytest.mark.parametrize("end", ["\n", "\r\n", "||"])
def test_delimited_rows_with_delimiters_in_quotes(end: str) -> None:
    content = f'AMZN,Amazon{end}ASD,"Some, Inc."{end}MMB{end}"X","two{end}lines"{end}'
    form = CsvFormat(end, ",")
    columns = tuple(RecordColumn(name=column.name, sql_type=column.sql_type) for column in COLUMNS)
    assert read_table(chunks(content), Schema(columns=columns, format=form)).frame.rows() == [
        *ROWS,
        ("X", f"two{end}lines"),
    ]


def test_errors_are_counted_and_the_first_kept() -> None:
    content = "a,1\n" + "b,x\n" * 150 + "c,2\n"
    columns = RecordColumn(name="A", sql_type="CHAR"), RecordColumn(name="B", sql_type="INTEGER")
    found = read_table(chunks(content, 64), Schema(columns=columns, format=CsvFormat()))
    assert found.frame.rows() == [("a", 1), ("c", 2)]
    assert found.error_count == 150
    assert [error.record for error in found.errors] == list(range(1, 101))


def test_an_empty_object_is_an_empty_table() -> None:
    found = read_table([], Schema(columns=COLUMNS))
    assert found.frame.columns == ["TICKER", "COMPANY"]
    assert found.frame.height == found.error_count == 0


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def aggregated(*records: tuple[bytes, bytes]) -> bytes:
    message = b"".join(field(1, key) for key, _ in records)
    for index, (_, data) in enumerate(records):
        message += field(3, bytes([1 << 3, index]) + field(3, data))
    return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


def block(*records: bytes) -> FollowedBlock:
    sizes = array("I", map(len, records))
    data = Packed(b"before" + b"".join(records), 6, sizes)
    keys = Packed(b"k" * len(records), 0, array("I", [1] * len(records)))
    return FollowedBlock(0, 1, 0, 0, 0, keys, data)


def test_records_are_taken_as_they_are() -> None:
    found = unpack_blocks([block(b"one", b""), block(), block(b"two")])
    assert [found.records.record(index) for index in range(3)] == [b"one", b"", b"two"]
    assert found.source is found.sub is None
    assert len(unpack_blocks([]).records) == 0


def test_aggregated_records_are_taken_apart() -> None:
    found = unpack_blocks(
        [block(b"one"), block(aggregated((b"p", b"two"), (b"q", b"three")), MAGIC + b"no" * 20, b"four")]
    )
    assert [found.records.record(index) for index in range(5)] == [
        b"one",
        b"two",
        b"three",
        MAGIC + b"no" * 20,
        b"four",
    ]
    assert found.source is not None
    assert found.sub is not None
    assert found.source.tolist() == [0, 1, 1, 2, 3]
    assert found.sub.tolist() == [0, 0, 1, 0, 0]
    assert found.keys == {1: b"p", 2: b"q"}
