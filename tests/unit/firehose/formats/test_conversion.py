"""Record format conversion: what becomes of JSON, read back with pyarrow and DuckDB."""

from __future__ import annotations

import base64
import io
import json
import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.firehose.configuration import Conversion, Schema
from millstream.firehose.errorlines import ErrorLines
from millstream.firehose.formats import conversion as module
from millstream.firehose.formats import files
from millstream.firehose.formats.conversion import Converter, FailureLines
from millstream.firehose.ports import Column, DeliveryError

OPENX: dict[str, Any] = {"OpenXJsonSerDe": {}}
HIVE: dict[str, Any] = {"HiveJsonSerDe": {}}
PARQUET: dict[str, Any] = {"ParquetSerDe": {}}
ORC: dict[str, Any] = {"OrcSerDe": {}}


class Converted:
    """What `records` become: `rows`, `failures` (documents), the `file`."""

    def __init__(
        self, columns: str, *records: bytes | dict[str, Any], serde: Any = OPENX, output: Any = PARQUET
    ) -> None:
        self.converter = converter(columns, serde, output)
        self.lines = ErrorLines(Path(tempfile.gettempdir()))
        failures = FailureLines(SCHEMA, self.lines, arrival_ms=1000, ended_ms=2000, region="eu-west-1")
        sink = io.BytesIO()
        raw = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
        count = self.converter.convert([raw], sink, failures)
        self.file = sink.getvalue()
        reader = orc.ORCFile(io.BytesIO(self.file)) if "OrcSerDe" in output else None
        self.table = reader.read() if reader else parquet.read_table(io.BytesIO(self.file))
        self.rows: list[dict[str, Any]] = self.table.to_pylist()
        self.failures = [json.loads(line) for line in b"".join(self.lines.pieces()).splitlines()]
        assert count == len(self.rows)
        assert len(self.failures) == self.lines.record_count


SCHEMA = Schema(database="lake", table="ticks", catalog_id="111122223333")


def converter(columns: str, serde: Any = OPENX, output: Any = PARQUET) -> Converter:
    pairs = [pair.split(" ", 1) for pair in columns.split("; ")]
    configuration = Conversion(schema=SCHEMA, input={"Deserializer": serde}, output={"Serializer": output})
    return Converter(configuration, [Column(*pair) for pair in pairs])


def value(kind: str, given_value: Any, serde: Any = OPENX) -> Any:
    """What a value becomes in a column of a type; fails if the record does."""
    result = Converted(f"a {kind}", {"a": given_value}, serde=serde)
    assert result.failures == []
    return result.rows[0]["a"]


def fails(kind: str, given_value: Any, serde: Any = OPENX) -> bool:
    result = Converted(f"a {kind}", {"a": given_value}, serde=serde)
    return [each["lastErrorCode"] for each in result.failures] == ["DataFormatConversion.MalformedData"]


@pytest.mark.parametrize("output", [PARQUET, ORC])
def test_every_type_arrives(output: dict[str, Any]) -> None:
    columns = (
        "b boolean; t tinyint; s smallint; i int; l bigint; f float; d double; n decimal(10,2); x string; c char(2); "
        "v varchar(3); y binary; day date; at timestamp; list array<int>; m map<string,bigint>; "
        "st struct<p:int,q:array<struct<r:string>>>"
    )
    document = {
        "b": True, "t": -128, "s": 32767, "i": 1, "l": 2**63 - 1, "f": 0.5, "d": 1.25, "n": 12.345, "x": "é",
        "c": "abc", "v": "abcd", "y": "hi", "day": "2020-02-29", "at": "2020-02-29T10:11:12.345Z", "list": [1, None],
        "m": {"k": 5}, "st": {"p": 1, "q": [{"r": "z"}]},
    }  # fmt: skip
    result = Converted(columns, document, {}, output=output)
    assert result.failures == []
    assert result.rows[0] == document | {
        "n": Decimal("12.35"),
        "c": "ab",
        "v": "abc",
        "y": b"hi",
        "day": date(2020, 2, 29),
        "at": datetime(2020, 2, 29, 10, 11, 12, 345000),
        "m": [("k", 5)],
    }
    assert set(result.rows[1].values()) == {None}


@pytest.mark.parametrize(
    ("kind", "given_value", "expected"),
    [
        ("int", "5", 5),
        ("int", "0x1F", 31),
        ("int", 5.0, 5),
        ("double", 5, 5.0),
        ("double", "1.5e3", 1500.0),
        ("double", 2**60 + 1, float(2**60)),
        ("float", 16777217, 16777216.0),
        ("float", 1e300, float("inf")),
        ("decimal(5,1)", "2.25", Decimal("2.3")),
        ("decimal(5,1)", 7, Decimal("7.0")),
        ("boolean", "TRUE", True),
        ("string", 5, "5"),
        ("string", 1.5, "1.5"),
        ("string", True, "true"),
        ("string", {"x": [1, 2.5]}, '{"x":[1,2.5]}'),
        ("array<int>", 7, [7]),
        ("array<string>", {"x": 1}, ['{"x":1}']),
        ("struct<x:int>", {"X": 1, "other": 2}, {"x": 1}),
        ("struct<x:int>", None, None),
        ("map<string,int>", {"A": 1}, [("a", 1)]),
        ("map<int,string>", {"7": "x"}, [(7, "x")]),
        ("timestamp", 1518033528123, datetime(2018, 2, 7, 19, 58, 48, 123000)),
    ],
)
def test_openx_coerces(kind: str, given_value: Any, expected: Any) -> None:
    assert value(kind, given_value) == expected


@pytest.mark.parametrize(
    ("kind", "given_value"),
    [
        ("int", 5.5),
        ("int", "five"),
        ("int", True),
        ("int", 2**31),
        ("tinyint", 128),
        ("bigint", 10**30),
        ("double", "x"),
        ("double", False),
        ("boolean", 1),
        ("boolean", "yes"),
        ("decimal(5,2)", 1000),
        ("decimal(5,2)", "x"),
        ("date", "2020-02-30"),
        ("date", 5),
        ("timestamp", "noon"),
        ("array<int>", ["x"]),
        ("struct<x:int>", [1]),
        ("struct<x:int>", {"x": "y"}),
        ("map<string,int>", 5),
    ],
)
def test_what_does_not_match_the_schema_fails(kind: str, given_value: Any) -> None:
    assert fails(kind, given_value)


def test_hive_keeps_keys_of_maps_and_takes_no_single_value_for_an_array() -> None:
    assert value("map<string,int>", {"A": 1}, HIVE) == [("A", 1)]
    assert fails("array<int>", 7, HIVE)


def test_hive_reads_timestamps_by_its_formats() -> None:
    serde = {"HiveJsonSerDe": {"TimestampFormats": ["yyyy/MM/dd HH:mm:ss", "millis"]}}
    assert value("timestamp", "2020/02/29 10:11:12", serde) == datetime(2020, 2, 29, 10, 11, 12)
    assert value("timestamp", 1518033528123, serde) == datetime(2018, 2, 7, 19, 58, 48, 123000)


def test_keys_are_lowercased_by_default_and_the_last_of_the_same_holds() -> None:
    result = Converted("userid int", b'{"userId":1}', b'{"USERID":2}', b'{"userid":3,"UserId":4}')
    assert [row["userid"] for row in result.rows] == [1, 2, 4]


def test_keys_that_are_data_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_RECORDS", 10)
    records = [{f"key{number}": number, "a": number, "s": {f"sub{number}": 1, "X": number}} for number in range(500)]
    result = Converted("a int; s struct<x:int>", *records)
    assert result.rows == [{"a": number, "s": {"x": number}} for number in range(500)]


def test_keys_are_as_they_are_if_case_matters() -> None:
    serde = {"OpenXJsonSerDe": {"CaseInsensitive": False}}
    result = Converted("userid int", b'{"userId":1}', b'{"userid":3}', serde=serde)
    assert [row["userid"] for row in result.rows] == [None, 3]


def test_dots_become_underscores_if_asked_for() -> None:
    serde = {"OpenXJsonSerDe": {"ConvertDotsInJsonKeysToUnderscores": True}}
    assert Converted("a_b int", b'{"a.b":1}', serde=serde).rows == [{"a_b": 1}]
    assert Converted("a_b int", b'{"a.b":1}').rows == [{"a_b": None}]


def test_columns_are_read_from_the_keys_they_are_mapped_to() -> None:
    serde = {"OpenXJsonSerDe": {"ColumnToJsonKeyMappings": {"ts": "Timestamp"}}}
    assert Converted("ts bigint", b'{"timestamp":1,"ts":2}', b'{"TIMESTAMP":3}', serde=serde).rows == [
        {"ts": 1},
        {"ts": 3},
    ]


def test_a_record_may_have_several_objects() -> None:
    result = Converted("a int", b'{"a":1}{"a":2}', b'{"a":3}\n\n{"a":4}\n', b' {"a":5} ')
    assert [row["a"] for row in result.rows] == [1, 2, 3, 4, 5]


def test_a_record_with_one_bad_object_fails_whole() -> None:
    result = Converted("a int", b'{"a":1}{"a":"x"}', b'{"a":2}')
    assert result.rows == [{"a": 2}]
    assert base64.b64decode(result.failures[0]["rawData"]) == b'{"a":1}{"a":"x"}'


@pytest.mark.parametrize(
    "record",
    [b"", b"\n", b"[1]", b'[{"a":1},{"a":2}]', b"5", b'{"a":1', b'{"a":1}}', b'{"a":1} x', b"{'a':1}", b'{"a":1,}',
     b"\xff\xfe", b'{"a":"\xff"}', b'{"a":NaN}', b'{"a":1}\x00', b"\x1f\x8b\x08", b'{"a":' + b"[" * 100_000,
     b'"' + b'\\"' * 200_000, b"9" * 10_000, b'{"a":1e999}'],
)  # fmt: skip
def test_what_is_not_json_objects_fails_and_nothing_else_does(record: bytes) -> None:
    result = Converted("a int", b'{"a":1}', record, b'{"a":2}')
    assert [row["a"] for row in result.rows] == [1, 2]
    assert [base64.b64decode(each["rawData"]) for each in result.failures] == [record]
    assert result.failures[0]["lastErrorCode"] == "DataFormatConversion.ParseError"


def test_a_failure_has_the_documented_members() -> None:
    (failure,) = Converted("a int", b'{"a":"five"}').failures
    assert failure == {
        "attemptsMade": 1,
        "arrivalTimestamp": 1000,
        "lastErrorCode": "DataFormatConversion.MalformedData",
        "lastErrorMessage": "Data does not match the schema. a: 'five' is not a int32.",
        "attemptEndingTimestamp": 2000,
        "rawData": base64.b64encode(b'{"a":"five"}').decode(),
        "sequenceNumber": None,
        "subSequenceNumber": None,
        "dataCatalogTable": {
            "catalogId": "111122223333",
            "databaseName": "lake",
            "tableName": "ticks",
            "region": "eu-west-1",
            "versionId": "LATEST",
            "catalogArn": None,
        },
    }


def test_a_failure_says_where_the_json_breaks_off() -> None:
    (failure,) = Converted("a int", b'{"a":!}').failures
    assert failure["lastErrorMessage"] == "Encountered malformed JSON: invalid character (byte 5)."


def test_failures_are_in_the_order_of_their_records() -> None:
    bad = [b"x", b'{"a":"y"}', b"z", b'{"a":[]}']
    result = Converted("a int", bad[0], b'{"a":1}', *bad[1:], b'{"a":2}')
    assert [base64.b64decode(each["rawData"]) for each in result.failures] == bad
    assert len(result.rows) == 2


@pytest.mark.parametrize("output", [PARQUET, ORC])
def test_if_every_record_fails_the_file_has_no_rows(output: dict[str, Any]) -> None:
    result = Converted("a int", b"x", output=output)
    assert result.rows == []
    assert result.table.schema.names == ["a"]


def test_an_impossible_number_costs_no_memory() -> None:
    assert fails("bigint", "9" * 30)
    result = Converted(
        "a bigint; d decimal(5,2); t timestamp", b'{"a":1e999999999}', b'{"d":1e999999999}', b'{"t":1e99999999}'
    )
    assert len(result.failures) == 3


def test_schemas_that_cannot_be_understood_are_refused() -> None:
    for columns, serde in [
        ("a uniontype<int>", OPENX),
        ("a timestamp", {"HiveJsonSerDe": {"TimestampFormats": ["Q"]}}),
    ]:
        with pytest.raises(DeliveryError) as caught:
            converter(columns, serde)
        assert caught.value.code == "DataFormatConversion.InvalidSchema"
    with pytest.raises(DeliveryError, match="no columns"):
        Converter(Conversion(), [])


def test_parquet_options() -> None:
    for compression, expected in [("GZIP", "GZIP"), ("UNCOMPRESSED", "UNCOMPRESSED"), (None, "SNAPPY")]:
        options = {"EnableDictionaryCompression": False, "WriterVersion": "V2"}
        options |= {"Compression": compression} if compression else {}
        result = Converted("a string", {"a": "x"}, {"a": "x"}, output={"ParquetSerDe": options})
        chunk = parquet.ParquetFile(io.BytesIO(result.file)).metadata.row_group(0).column(0)
        assert chunk.compression == expected
        assert not chunk.has_dictionary_page


def test_orc_options() -> None:
    options = {"Compression": "ZLIB", "FormatVersion": "V0_11", "RowIndexStride": 1000, "BloomFilterColumns": ["b"]}
    result = Converted("m map<string,int>; b string", {"b": "x"}, output={"OrcSerDe": options})
    file = orc.ORCFile(io.BytesIO(result.file))
    assert (file.compression, file.file_version, file.row_index_stride) == ("ZLIB", "0.11", 1000)


def test_extensions() -> None:
    assert (converter("a int").extension, converter("a int", output=ORC).extension) == (".parquet", ".orc")


@pytest.mark.parametrize("output", [PARQUET, ORC])
def test_the_same_records_give_the_same_bytes_however_they_are_cut(output: dict[str, Any]) -> None:
    records = [b'{"a":%d,"b":"%d"}' % (number, number % 7) for number in range(10_000)]
    made = []
    for size in (1, 999, 10_000):
        sink = io.BytesIO()
        cut = (records[start : start + size] for start in range(0, len(records), size))
        converter("a int; b string", output=output).convert(cut, sink, _Kept())
        made.append(sink.getvalue())
    assert made[0] == made[1] == made[2]


def test_rows_go_out_while_records_come_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GROUP_BYTES", 100_000)
    monkeypatch.setattr(module, "BATCH_RECORDS", 1000)
    sink = io.BytesIO()
    sizes = []

    def lists() -> Iterator[list[bytes]]:
        for start in range(0, 50_000, 1000):
            sizes.append(sink.tell())
            yield [b'{"a":%d}' % (number * 7919) for number in range(start, start + 1000)]

    made = converter("a bigint", output={"ParquetSerDe": {"Compression": "UNCOMPRESSED"}})
    assert made.convert(lists(), sink, _Kept()) == 50_000
    assert sizes[25] > 100_000
    file = parquet.ParquetFile(io.BytesIO(sink.getvalue()))
    assert file.metadata.num_row_groups >= 3
    assert file.read()["a"].to_pylist() == [number * 7919 for number in range(50_000)]


def test_duckdb_reads_the_files(tmp_path: Any) -> None:
    result = Converted("ticker string; price decimal(6,2); at timestamp; tags array<string>",
                       {"ticker": "AAPL", "price": 84.5, "at": "2020-01-02 03:04:05.5", "tags": ["x"]})  # fmt: skip
    (tmp_path / "x.parquet").write_bytes(result.file)
    rows = duckdb.connect().execute(f"select * from '{tmp_path}/x.parquet'").fetchall()
    assert rows == [("AAPL", Decimal("84.50"), datetime(2020, 1, 2, 3, 4, 5, 500000), ["x"])]


# Whatever the data, records together become what each becomes alone.

TYPES = ["int", "bigint", "double", "float", "boolean", "string", "decimal(8,3)", "timestamp", "date", "varchar(3)",
         "binary", "array<int>", "array<string>", "map<string,int>", "struct<x:int,y:string>",
         "array<struct<x:double>>"]  # fmt: skip
digits = st.text("0123456789", min_size=1, max_size=2)
stamps = st.builds(
    "{}-{}-{}{}{}:{}{}{}{}".format,
    st.sampled_from(["2020", "1969", "0001", "0000", "9999", "99"]),
    digits, digits, st.sampled_from([" ", "T", "", "x"]), digits, digits,
    st.sampled_from(["", ":5", ":59", ":60"]), st.sampled_from(["", ".1", ".123456", ".123456789"]),
    st.sampled_from(["", "Z", "+01", "+0100", "-01:00", "+24:00", "z"]),
)  # fmt: skip
iso = st.datetimes().map(str) | st.datetimes().map(lambda at: f"{at:%Y-%m-%dT%H:%M}") | st.dates().map(str)
leaves = (
    st.none() | st.booleans() | st.integers() | st.integers(-200, 200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5) | stamps | iso
    | st.sampled_from(["5", "-1.5", "1e3", "0x10", "true", "NaN", "inf", "1_000", " 1"])
)  # fmt: skip
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyXY"), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip
documents = st.dictionaries(st.sampled_from(["a", "A", "b", "other", "Other"]), values, max_size=4)
plain = st.fixed_dictionaries({"a": leaves, "b": leaves})
raw = st.lists((documents | plain).map(lambda each: json.dumps(each).encode()), min_size=1, max_size=2).map(b"".join)
records_of_any_kind = st.lists(raw | st.binary(max_size=4), max_size=8)


class _Kept:
    """Keeps the records that fail."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    def add(self, record: bytes, code: str, message: str) -> None:
        self.records.append(record)


def check_batches(columns: str, batches: list[list[bytes]], serde: dict[str, Any]) -> None:
    """Converts the batches by one converter, and each record by one of its own, and compares rows and failures."""
    failures, single_failures = _Kept(), _Kept()
    together = converter(columns, serde)
    tables = [together.table(batch, failures) for batch in batches]
    records = [record for batch in batches for record in batch]
    singly = [converter(columns, serde).table([record], single_failures) for record in records]
    if singly:
        assert pa.concat_tables(tables).to_pylist() == pa.concat_tables(singly).to_pylist()
    assert failures.records == single_failures.records


@settings(max_examples=75, deadline=None)
@given(
    kinds=st.tuples(st.sampled_from(TYPES), st.sampled_from(TYPES)),
    batches=st.lists(records_of_any_kind, max_size=3),
    serde=st.sampled_from([OPENX, HIVE]),
)
def test_records_together_become_what_each_becomes_alone(
    kinds: tuple[str, str], batches: list[list[bytes]], serde: dict[str, Any]
) -> None:
    check_batches(f"a {kinds[0]}; b {kinds[1]}", batches, serde)


@settings(max_examples=75, deadline=None)
@given(texts=st.lists(stamps | iso, min_size=1, max_size=4))
def test_timestamps_together_become_what_each_becomes_alone(texts: list[str]) -> None:
    records = [json.dumps({"a": text}).encode() for text in texts]
    check_batches("a timestamp; b date", [records, records], OPENX)
