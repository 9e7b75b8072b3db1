"""Tables come from CREATE TABLE statements or from JSON as `aws glue` has it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millstream.cli.ddl import parse_ddl
from millstream.cli.errors import CommandError
from millstream.cli.tabledefs import parse_tables


def columns(table: dict[str, Any]) -> dict[str, str]:
    return {column["Name"]: column["Type"] for column in table["TableInput"]["StorageDescriptor"]["Columns"]}


def test_a_statement_as_athena_has_it() -> None:
    (table,) = parse_ddl(
        """
        -- ticks of the demo
        CREATE EXTERNAL TABLE IF NOT EXISTS `demo`.`ticks` (
          `ticker_symbol` STRING COMMENT 'what, and (where)',
          price decimal(10, 2),
          change DOUBLE
            PRECISION,
          tags array< struct<a:int, b : map<string,double>> >,
          `date` date
        )
        COMMENT 'x'
        PARTITIONED BY (sector string, year int)
        ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES ('paths'='a,b')
        LOCATION 's3://lake/ticks/';
        """
    )
    assert table["DatabaseName"] == "demo"
    assert table["TableInput"]["Name"] == "ticks"
    assert columns(table) == {
        "ticker_symbol": "string",
        "price": "decimal(10,2)",
        "change": "double precision",
        "tags": "array<struct<a:int,b:map<string,double>>>",
        "date": "date",
    }
    assert table["TableInput"]["PartitionKeys"] == [
        {"Name": "sector", "Type": "string"},
        {"Name": "year", "Type": "int"},
    ]


def test_several_statements() -> None:
    tables = parse_ddl("create table a.b (c int); create table a.d (e string)")
    assert [columns(table) for table in tables] == [{"c": "int"}, {"e": "string"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no CREATE TABLE statement in it"),
        ("SELECT 1", "'SELECT 1' is no CREATE TABLE statement"),
        ("CREATE TABLE ticks (a int)", "name the database, too: CREATE TABLE database.ticks"),
        ("CREATE TABLE a.b", "has no columns"),
        ("CREATE TABLE a.b (c)", "'c' is no column: it must be a name and a type"),
        ("CREATE TABLE a.b (c int, d array<int", "ends within its columns"),
        ("CREATE TABLE a.b (c int COMMENT 'open)", "ends within its columns"),
        ("CREATE TABLE a.b ()", "'' is no column"),
    ],
)
def test_what_is_wrong_with_a_statement(text: str, message: str) -> None:
    with pytest.raises(CommandError) as raised:
        parse_ddl(text)
    assert message in str(raised.value)


TABLE = {"Name": "ticks", "StorageDescriptor": {"Columns": [{"Name": "price", "Type": "double"}]}}


@pytest.mark.parametrize(
    "document",
    [
        {"DatabaseName": "demo", "TableInput": TABLE},
        {"Table": {"DatabaseName": "demo", "CreateTime": 1.5, "CatalogId": "1", **TABLE}},
        [{"DatabaseName": "demo", **TABLE}],
    ],
)
def test_json(document: Any) -> None:
    assert parse_tables(json.dumps(document), "f.json") == [{"DatabaseName": "demo", "TableInput": TABLE}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"Name": "ticks"}', "f.json: a table must be like"),
        ("[1]", "f.json: a table must be like"),
        ('{"Name"', "f.json: this is no JSON"),
        (
            '{"DatabaseName": "d", "Name": "t", "StorageDescriptor": {"Columns": [{"Name": "a"}]}}',
            "f.json: a table must",
        ),
        (
            "CREATE TABLE d.t (a int, b money)",
            "f.json: t, column b: The type 'money' is invalid: 'money' is not a type",
        ),
        ("SELECT", "f.json: 'SELECT' is no CREATE TABLE statement"),
    ],
)
def test_what_is_wrong_with_a_file(text: str, message: str) -> None:
    with pytest.raises(CommandError) as raised:
        parse_tables(text, "f.json")
    assert str(raised.value).startswith(message)
