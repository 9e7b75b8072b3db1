"""What rows are written as."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import polars as pl

from millstream.analytics.records.encode import encode, encode_csv, encode_json

MOMENT = datetime.datetime(2016, 7, 19, 17, 5, 0, 250_000)


def test_json_rows_have_the_columns_names_and_types() -> None:
    frame = pl.DataFrame(
        {
            "TICKER": ["AMZN", None],
            'quoted "name"': [1, None],
            "PRICE": pl.Series([1.5, None], dtype=pl.Float32),
            "RATIO": [float("nan"), 1e21],
            "AMOUNT": pl.Series([Decimal("1.20"), None], dtype=pl.Decimal(10, 2)),
            "HOT": [True, None],
            "AT": pl.Series([MOMENT, None], dtype=pl.Datetime("ms")),
            "DAY": [MOMENT.date(), None],
            "CLOCK": [MOMENT.time(), None],
            "RAW": [b"\x00\xff", None],
        }
    )
    first, second = encode_json(frame)
    assert first == (
        b'{"TICKER":"AMZN","quoted \\"name\\"":1,"PRICE":1.5,"RATIO":null,"AMOUNT":1.20,"HOT":true,'
        b'"AT":"2016-07-19 17:05:00.250","DAY":"2016-07-19","CLOCK":"17:05:00.250","RAW":"AP8="}'
    )
    assert json.loads(second) == {name: 1e21 if name == "RATIO" else None for name in frame.columns}


def test_json_text_is_escaped_and_stays_unicode() -> None:
    (record,) = encode_json(pl.DataFrame({"A": ['é "x"\n\x01']}))
    assert record == '{"A":"é \\"x\\"\\n\\u0001"}'.encode()


def test_csv_rows_end_lines_and_quote_what_needs_it() -> None:
    frame = pl.DataFrame(
        {
            "A": ["plain", "a,b", 'say "hi"', "", None],
            "B": [1.0, 2.5, None, 3.0, 4.0],
            "AT": pl.Series([MOMENT] * 5, dtype=pl.Datetime("ms")),
        }
    )
    assert [record.decode().replace(",2016-07-19 17:05:00.250", "") for record in encode_csv(frame)] == [
        "plain,1.0\n",
        '"a,b",2.5\n',
        '"say ""hi""",\n',
        '"",3.0\n',
        ",4.0\n",
    ]


def test_no_rows_are_no_records() -> None:
    assert (
        encode(pl.DataFrame(schema={"A": pl.Int64}), "JSON")
        == encode(pl.DataFrame(schema={"A": pl.Int64}), "CSV")
        == []
    )
