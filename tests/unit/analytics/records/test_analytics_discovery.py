"""Which schemas are discovered: the developer guide's examples and the shapes that people send."""

from __future__ import annotations

import json

import pytest

from millstream.analytics.records.decode import Decoder
from millstream.analytics.records.discovery import Discovered, UnableToDetect, discover
from millstream.analytics.records.naming import column_names
from millstream.analytics.records.schema import CsvFormat, JsonFormat
from millstream.analytics.records.texts import from_list


def columns(found: Discovered) -> list[tuple[str, str, str | None]]:
    return [(column.name, column.sql_type, column.mapping) for column in found.schema.columns]


def ticks() -> list[bytes]:
    rows = ("QXZ", "HEALTHCARE", -0.05, 84.51), ("AMZN", "TECHNOLOGY", 1.2, 700), ("MSFT", "ENERGY", 3, 9.99)
    return [
        json.dumps(dict(zip(("TICKER_SYMBOL", "SECTOR", "CHANGE", "PRICE"), row, strict=True))).encode() for row in rows
    ]


def test_the_demo_stream() -> None:
    found = discover(ticks())
    assert found.schema.format == JsonFormat("$")
    assert columns(found) == [
        ("TICKER_SYMBOL", "VARCHAR(4)", "$.TICKER_SYMBOL"),
        ("SECTOR", "VARCHAR(16)", "$.SECTOR"),
        ("CHANGE", "REAL", "$.CHANGE"),
        ("PRICE", "REAL", "$.PRICE"),
    ]
    assert found.parsed[1] == ["AMZN", "TECHNOLOGY", "1.2", "700"]
    assert found.raw == [record.decode() for record in ticks()]


def test_a_delimited_object_with_a_header() -> None:
    content = (
        b"year,month,state,producer_type,energy_source,units,consumption\r\n"
        b"2001,1,AK,TotalElectricPowerIndustry,Coal,ShortTons,47615\r\n"
        b"2001,1,AK,ElectricGeneratorsElectricUtilities,Coal,ShortTons,16535\r\n"
        b"2001,1,AL,TotalElectricPowerIndustry,Coal,ShortTons,3020601"
    )
    found = discover([content])
    assert found.schema.format == CsvFormat("\r\n", ",")
    assert columns(found) == [
        ("COL_year", "INTEGER", None),
        ("COL_month", "INTEGER", None),
        ("state", "VARCHAR(4)", None),
        ("producer_type", "VARCHAR(64)", None),
        ("energy_source", "VARCHAR(4)", None),
        ("units", "VARCHAR(16)", None),
        ("consumption", "INTEGER", None),
    ]
    assert found.parsed[0] == [None, None, "state", "producer_type", "energy_source", "units", None]
    assert found.parsed[1] == ["2001", "1", "AK", "TotalElectricPowerIndustry", "Coal", "ShortTons", "47615"]
    assert found.raw == [content.decode()]


def test_a_header_over_text_only() -> None:
    found = discover([b"Ticker, Company\nAMZN,Amazon\nASD, SomeCompanyA\n"])
    assert columns(found) == [("Ticker", "VARCHAR(4)", None), ("Company", "VARCHAR(16)", None)]


@pytest.mark.parametrize("delimiter", [",", "|", "\t", ";"])
def test_delimited_records_of_a_stream(delimiter: str) -> None:
    rows = [
        ("a b", "1", "2.5", "2018-05-09 12:50:41.3", "true"),
        ('"x"', "9000000000", "1.123456789", "2018-05-09 12:50:41", "false"),
    ]
    found = discover([delimiter.join(row).encode() for row in rows])
    assert found.schema.format == CsvFormat("\n", delimiter)
    assert [(name, kind) for name, kind, _ in columns(found)] == [
        ("COL_0", "VARCHAR(4)"),
        ("COL_1", "BIGINT"),
        ("COL_2", "DOUBLE"),
        ("COL_3", "TIMESTAMP"),
        ("COL_4", "BOOLEAN"),
    ]


def test_one_level_is_flattened_and_one_array() -> None:
    record = {
        "id": 3_000_000_000,
        "at": "2018-05-09T12:50:41.337510",
        "place": {"city": "Anytown", "geo": {"lat": 1}},
        "orders": [{"id": 1, "price": 1.5}, {"id": 2}],
        "tags": ["a"],
        "a.b": None,
    }
    found = discover([json.dumps(record).encode()])
    assert columns(found) == [
        ("id", "BIGINT", "$.id"),
        ("COL_at", "VARCHAR(32)", "$.at"),
        ("city", "VARCHAR(8)", "$.place.city"),
        ("geo", "VARCHAR(16)", "$.place.geo"),
        ("id_1", "INTEGER", "$.orders[0:].id"),
        ("price", "REAL", "$.orders[0:].price"),
        ("tags", "VARCHAR(8)", "$.tags"),
        ("COL_ab", "VARCHAR(64)", "$['a.b']"),
    ]
    assert [row[4:6] for row in found.parsed] == [["1", "1.5"], ["2", None]]


def test_records_that_are_arrays() -> None:
    found = discover([b'[{"a":1},{"a":2}]', b'[{"a":3}]'])
    assert found.schema.format == JsonFormat("$[0:]")
    assert found.parsed == [["1"], ["2"], ["3"]]


def test_a_sample_that_breaks_off() -> None:
    assert columns(discover([b'{"a":1}\n{"a":2}\n{"a":'])) == [("a", "INTEGER", "$.a")]


LOG = [
    b'83.149.9.216 - - [17/May/2015:10:05:03 +0000] "GET /images/a,b.png HTTP/1.1" 200 203023 "-" "Mozilla/5.0 (X11)"',
    b'83.149.9.217 - - [17/May/2015:10:05:04 +0000] "GET / HTTP/1.1" 200 17 "-" "curl"',
    b"Jun 14 15:16:01 combo sshd(pam_unix)[19939]: authentication failure; logname= uid=0 euid=0",
]


def test_logs_are_one_column() -> None:
    found = discover(LOG)
    assert columns(found) == [("COL_0", "VARCHAR(1024)", None)]
    assert Decoder(found.schema).decode(from_list(LOG)).frame.rows() == [(line.decode(),) for line in LOG]


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([], "no records"),
        ([b"", b"\n"], "no records"),
        ([b"\xff\xfe\x00"], "not UTF-8"),
        ([b"\x00\x01"], "not UTF-8 text"),
    ],
)
def test_what_has_no_schema(records: list[bytes], reason: str) -> None:
    with pytest.raises(UnableToDetect, match=reason):
        discover(records)


def test_names() -> None:
    given = ["USER", "USER@DOMAIN", "@@", "1st", "fine_1", "_id", "x" * 101, "Fine_1", "timestamp", "ROWTIME"]
    assert column_names(given) == [
        "COL_USER",
        "COL_USERDOMAIN",
        "COL_2",
        "COL_1st",
        "fine_1",
        "COL__id",
        "COL_" + "x" * 96,
        "Fine_1_1",
        "COL_timestamp",
        "COL_ROWTIME",
    ]
