"""Decoding: the same rows however records are batched, whichever way they are decoded, and whatever they are."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.analytics.records.decode import Decoder
from millstream.analytics.records.encode import encode
from millstream.analytics.records.rows import Rows
from millstream.analytics.records.schema import CsvFormat, JsonFormat, RecordColumn, Schema
from millstream.analytics.records.texts import from_list

TYPES = [
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "DECIMAL(6,2)",
    "REAL",
    "DOUBLE",
    "CHAR(2)",
    "VARCHAR(5)",
    "BINARY(3)",
    "VARBINARY(3)",
    "DATE",
    "TIME",
    "TIMESTAMP",
]


def schema(form: JsonFormat | CsvFormat, nested: bool = False) -> Schema:
    json_form = isinstance(form, JsonFormat)
    return Schema(
        columns=tuple(
            RecordColumn(
                name=f"C{index}",
                sql_type=kind,
                mapping=(f"$.o.c{index}" if nested and index % 2 else f"$.c{index}") if json_form else None,
            )
            for index, kind in enumerate(TYPES)
        ),
        format=form,
    )


class At(Decoder):
    """A decoder that decodes all at once, or one by one, whatever their size."""

    def __init__(self, schema: Schema, *, one_by_one: bool) -> None:
        super().__init__(schema)
        self.one_by_one = one_by_one
        self._few_bytes = -1
        if one_by_one:
            self._frames = None


ODD_TEXTS = (
    *[
        "true",
        "TRUE",
        "false",
        "1",
        "0",
        "-0",
        "12.0",
        "12.5",
        "1e3",
        "1e400",
        "0.005",
        "1.005",
        "99999.995",
        "-1",
        "127",
        "128",
        "2147483648",
        "9223372036854775807",
        "nan",
        "inf",
        "1_0",
        "0x1",
        "X'00ff'",
        "x'0'",
        "AAEC",
        "AAE=",
        "2024-02-29",
        "2023-02-29",
        "0000-01-01",
        "9999-12-31",
        "23:59:60",
        "12:00:00",
        "12:00:00.5",
        "2024-02-29T12:00:00",
        "2024-02-29T12:00:00Z",
        "2024-02-29T12:00:00.123456789Z",
        "2024-02-29T12:00:00+05:30",
        "2024-02-29T12:00:00.1-0100",
        "2024-02-29T12:00:00.123456+00:00",
        "1709208000000",
        "null",
        "{}",
        "[1]",
        ".5",
        "5.",
        "+7",
        "1e-7",
    ],
    *[
        "",
        " ",
        " 5 ",
        "2024-02-29 12:00:00.123",
        "2024-02-29 12:00",
        "\0",
        "\u0661",
        "a\nb",
        'a"b',
        "\ud800",
        "\ud83d\ude00",
    ],
    *["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "é" * 5, "x" * 20, "\\u0041", "\ud83d", "a,b", "'"],
)
ODD_NUMBERS = (
    *(2**53, 2**53 + 1, 2**63, -(2**63), 2**64, 2**127, 2**128, 10**40, 0.5, 1.005, 2.0, 1e16, 3.4028235e38, 3.5e38),
    *(1e39, -0.0, 5e-324, 1.7976931348623157e308, 127, 128, -129, 32768, 2**31, 123456789.125, 0.1, 1e21, 1e-7),
)
WRECKS = (
    "",
    " ",
    "\n",
    "null",
    "5",
    "[]",
    '"x"',
    "{",
    "}",
    "{}",
    "[{}]",
    "{},{}",
    '{"x":[{}',
    "{}]}",
    '{"c9":"}',
    '{","c9":1}',
)
SCARS = (
    "",
    "x",
    "{",
    "}",
    '"',
    "\\",
    ",",
    "\ufeff",
    "\x01",
    "\\u12",
    "\\ud800",
    "\\ud83d\\ude00",
    "0",
    "-",
    "e5",
    ".",
    " ",
)


class Maker:
    """Makes records, most of them good."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.odd_in = self.random.choice((3, 30, 300))

    def plain(self, kind: str) -> Any:
        random = self.random
        moment = datetime(1, 1, 1) + timedelta(microseconds=random.randrange(315_000_000_000_000_000))
        return {
            "BOOLEAN": random.random() < 0.5,
            "DECIMAL(6,2)": random.randrange(-(10**6), 10**6) / 100,
            "REAL": random.choice((round(random.uniform(-9, 9), 2), random.uniform(-1e38, 1e38))),
            "DOUBLE": random.uniform(-1, 1) * 10.0 ** random.randrange(-300, 300),
            "CHAR(2)": "ab",
            "VARCHAR(5)": random.choice(("AMZN", "é", "longer than five", "", 'quo"te', "\U0001f600", "tab\t")),
            "DATE": str(moment.date()),
            "TIME": str(moment.time()),
            "TIMESTAMP": moment.isoformat(
                random.choice(" T"), random.choice(("seconds", "milliseconds", "microseconds"))
            ),
            "BIGINT": random.randrange(-(2**63), 2**63) >> random.randrange(64),
        }.get(kind, None if "BINARY" in kind else random.randrange(-128, 128))

    def value(self, kind: str) -> Any:
        random = self.random
        if random.randrange(12) == 0:
            return None
        return self.odd() if random.randrange(self.odd_in * 5) == 0 else self.plain(kind)

    def odd(self) -> Any:
        random = self.random
        which = random.randrange(12)
        if which < 5:
            return random.choice(ODD_TEXTS)
        if which < 9:
            return random.choice(ODD_NUMBERS)
        if which == 9:
            return "".join(
                chr(random.choice((random.randrange(128), random.randrange(0xD800))))
                for _ in range(random.randrange(6))
            )
        return random.choice((True, False, {}, [], {"a": 1}, [1, {"b": None}], {"c3": 5}))

    def object(self, depth: int = 1) -> dict[str, Any]:
        found = {f"c{index}": self.value(kind) for index, kind in enumerate(TYPES) if self.random.randrange(8)}
        if depth and self.random.random() < 0.7:
            found["o"] = self.object(0) if self.random.randrange(self.odd_in) else self.odd()
        return found

    def json_text(self) -> str:
        indent = self.random.choice((None, None, None, 1))
        return json.dumps(self.object(), ensure_ascii=self.random.random() < 0.5, indent=indent)

    def json_record(self) -> bytes:
        random = self.random
        text = self.json_text()
        if random.randrange(self.odd_in) == 0:
            text = (self.wreck, self.several, self.scar, self.doubled)[random.randrange(4)](text)
        return (random.choice(("", "", "", " ")) + text + random.choice(("", "", "\n"))).encode(errors="surrogatepass")

    def wreck(self, text: str) -> str:
        return self.random.choice(WRECKS)

    def several(self, text: str) -> str:
        return text + self.random.choice(("\n", "", " ", ",", "\r\n")) + self.json_text()

    def scar(self, text: str) -> str:
        at = self.random.randrange(len(text))
        return text[:at] + self.random.choice(SCARS) + text[at + self.random.randrange(3) :]

    def doubled(self, text: str) -> str:
        return '{"c4": 1, "c4": 2, "c9":"a","c9":null,' + text[1:]

    def csv_record(self, form: CsvFormat) -> bytes:
        rows = [self.csv_row(form) for _ in range(self.random.choice((1, 1, 1, 2, 3)))]
        end = self.random.choice((form.row_delimiter, form.row_delimiter, "\n", "\r\n"))
        return (end.join(rows) + self.random.choice(("", end))).encode(errors="surrogatepass")

    def csv_row(self, form: CsvFormat) -> str:
        random = self.random
        fields = ["" if (value := self.value(kind)) is None else str(value) for kind in TYPES]
        fields = fields[: random.choice((0, 5, 15, 15, 15, 15))]
        if random.randrange(3) == 0:
            fields = [random.choice(('"', '"', ' "', "")) + one.replace('"', '""') + '"' for one in fields]
        elif random.randrange(3) == 0:
            fields = [f'"{one}"' for one in fields]
        return form.column_delimiter.join(fields)


CSV_FORMATS = [CsvFormat(), CsvFormat("\r\n", ","), CsvFormat("\n", "; "), CsvFormat("|", "\t")]


def shown(rows: Rows) -> tuple[list[tuple[Any, ...]], list[int], list[Any]]:
    assert rows.frame.height == len(rows.record_index)
    return [tuple(map(repr, row)) for row in rows.frame.rows()], rows.record_index.tolist(), rows.errors


def both_ways(form: Schema, records: list[bytes]) -> None:
    at_once, singly = At(form, one_by_one=False), At(form, one_by_one=True)
    expected = singly.decode(from_list(records))
    assert shown(at_once.decode(from_list(records))) == shown(expected)
    assert expected.frame.schema == at_once.decode(from_list([])).frame.schema
    for index in range(0, len(records), 7):  # no neighbour changes what becomes of a record
        one = at_once.decode(from_list(records[index : index + 1]))
        alone = expected.frame.filter(pl.Series(expected.record_index == index, dtype=pl.Boolean))
        assert [tuple(map(repr, row)) for row in one.frame.rows()] == [tuple(map(repr, row)) for row in alone.rows()]


SEEDS = st.integers(0, 2**48)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 30), st.booleans())
def test_json_is_decoded_alike_at_once_and_one_by_one(seed: int, count: int, nested: bool) -> None:
    maker = Maker(seed)
    both_ways(schema(JsonFormat(), nested), [maker.json_record() for _ in range(count)])


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 30), st.sampled_from(CSV_FORMATS))
def test_csv_is_decoded_alike_at_once_and_one_by_one(seed: int, count: int, form: CsvFormat) -> None:
    maker = Maker(seed)
    both_ways(schema(form), [maker.csv_record(form) for _ in range(count)])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.binary(max_size=40), max_size=5), st.sampled_from([JsonFormat(), JsonFormat("$.a[0:]"), CsvFormat()])
)
def test_any_bytes_give_rows_or_errors(records: list[bytes], form: JsonFormat | CsvFormat) -> None:
    both_ways(schema(form), records)


VALUES = {
    "BOOLEAN": st.booleans(),
    "TINYINT": st.integers(-128, 127),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "DECIMAL(6,2)": st.decimals(-9999, 9999, places=2),
    "REAL": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False),
    "VARCHAR(5)": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    "VARBINARY(3)": st.binary(max_size=3),
    "DATE": st.dates(),
    "TIME": st.times().map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)),
    "TIMESTAMP": st.datetimes().map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)),
}


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(["JSON", "CSV"]), st.booleans())
def test_rows_survive_encoding_and_decoding(data: st.DataObject, form: str, one_by_one: bool) -> None:
    rows = data.draw(st.lists(st.tuples(*(st.one_of(st.none(), values) for values in VALUES.values())), max_size=6))
    columns = tuple(RecordColumn(name=f"C {kind}", sql_type=kind, mapping=f"$['C {kind}']") for kind in VALUES)
    decoder = At(Schema(columns=columns, format=JsonFormat() if form == "JSON" else CsvFormat()), one_by_one=one_by_one)
    dtypes = decoder.decode(from_list([])).frame.schema
    frame = pl.DataFrame(rows, schema=dtypes, orient="row")
    decoded = decoder.decode(from_list(encode(frame, form)))
    assert not decoded.errors
    assert [tuple(map(repr, row)) for row in decoded.frame.rows()] == [tuple(map(repr, row)) for row in frame.rows()]
