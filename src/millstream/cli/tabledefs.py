"""Table definitions: loading and listing them through the subset of Glue's API that is served."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from millstream.cli.client import GLUE, CallError, Client, connect
from millstream.cli.ddl import parse_ddl
from millstream.cli.errors import CommandError
from millstream.firehose.formats.hive import TypeInvalid, parse_type

_TABLE_INPUT = ("Name", "Description", "Parameters", "PartitionKeys", "StorageDescriptor", "TableType")

Members = dict[str, Any]


def run_load(endpoint: str | None, environment: Mapping[str, str], file: Path) -> None:
    """Make the tables that the file defines and name them. Raises CommandError."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
    where = "standard input" if str(file) == "-" else str(file)
    asyncio.run(_load(endpoint, environment, parse_tables(text, where)))


def parse_tables(text: str, where: str) -> list[Members]:
    """The tables (DatabaseName, TableInput) that a text defines: DDL, or JSON. Raises CommandError."""
    try:
        tables = parse_ddl(text) if text.lstrip()[:1] not in ("{", "[") else _parse_json(text)
        for table in tables:
            _check_types(table["TableInput"])
    except CommandError as error:
        raise CommandError(f"{where}: {error}") from error
    return tables


def _parse_json(text: str) -> list[Members]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise CommandError(f"this is no JSON: {error}") from error
    return [_table_of(each) for each in (document if isinstance(document, list) else [document])]


def _check_types(table: Members) -> None:
    """Raises CommandError for a column that no file could have: better told now than by the error log."""
    for column in table["StorageDescriptor"]["Columns"]:
        try:
            parse_type(str(column["Type"]))
        except TypeInvalid as error:
            raise CommandError(f"{table['Name']}, column {column['Name']}: {error}") from error


def _table_of(document: Any) -> Members:
    """From what CreateTable takes, what GetTable answers, or the table alone with its DatabaseName."""
    try:
        table = document.get("TableInput") or document.get("Table") or document
        database = document.get("DatabaseName") or table["DatabaseName"]
        table["Name"], [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]]
    except (AttributeError, KeyError, TypeError):
        raise CommandError(
            'a table must be like {"DatabaseName": "demo", "TableInput": {"Name": "ticks", '
            '"StorageDescriptor": {"Columns": [{"Name": "price", "Type": "double"}]}}}'
        ) from None
    return {"DatabaseName": database, "TableInput": {name: table[name] for name in _TABLE_INPUT if name in table}}


async def _load(endpoint: str | None, environment: Mapping[str, str], tables: list[Members]) -> None:
    async with connect(endpoint, environment, GLUE) as client:
        for table in tables:
            await _ensure_database(client, table["DatabaseName"])
            done = "made"
            try:
                await client.call("CreateTable", **table)
            except CallError as error:
                if error.code != "AlreadyExistsException":
                    raise
                await client.call("UpdateTable", **table)
                done = "changed"
            print(f"{table['DatabaseName']}.{table['TableInput']['Name']} is {done}")


async def _ensure_database(client: Client, name: str) -> None:
    try:
        await client.call("CreateDatabase", DatabaseInput={"Name": name})
    except CallError as error:
        if error.code != "AlreadyExistsException":
            raise


def run_tables(endpoint: str | None, environment: Mapping[str, str]) -> None:
    """Print the tables. Raises CommandError."""
    tables = asyncio.run(_tables(endpoint, environment))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)  # programs have room
    if not tables:
        console.print("No tables. Make one: millstream tables load FILE, with CREATE TABLE demo.ticks (price double);")
        return
    shown = Table(Column("TABLE", overflow="fold"), box=None, header_style="dim", pad_edge=False)
    for heading in ("COLUMNS", "PARTITIONED BY"):
        shown.add_column(heading, overflow="fold")
    for table in tables:
        columns = table.get("StorageDescriptor", {}).get("Columns", [])
        cells = f"{table['DatabaseName']}.{table['Name']}", _listed(columns), _listed(table.get("PartitionKeys", []))
        shown.add_row(*(escape(cell) for cell in cells))
    console.print(shown)


def _listed(columns: list[Members]) -> str:
    return ", ".join(f"{column['Name']} {column.get('Type', '')}".rstrip() for column in columns)


async def _tables(endpoint: str | None, environment: Mapping[str, str]) -> list[Members]:
    async with connect(endpoint, environment, GLUE) as client:
        databases = await _pages(client, "GetDatabases", "DatabaseList")
        return [
            table
            for database in databases
            for table in await _pages(client, "GetTables", "TableList", DatabaseName=database["Name"])
        ]


async def _pages(client: Client, operation: str, key: str, **params: Any) -> list[Members]:
    """All members of list `key`; Glue wants the other parameters with the token again."""
    members: list[Members] = []
    token = None
    while True:
        output = await client.call_patiently(operation, **params, NextToken=token)
        members += output[key]
        token = output.get("NextToken")
        if not token:
            return members
