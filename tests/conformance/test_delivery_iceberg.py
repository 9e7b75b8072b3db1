"""Delivery streams into Iceberg tables, through the public API of a live server; read by pyiceberg and DuckDB."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from typing import Any

import boto3
import duckdb
import pytest
from pyiceberg.table import StaticTable

from support.configurations import extraction, processing
from support.kinesis import new_name
from support.livedelivery import LiveDelivery
from support.server import Server


@pytest.fixture
def database(delivery_server: Server) -> str:
    """A database of the test's own with the definitions of two tables, ticks and orders."""
    glue: Any = boto3.client(
        "glue",
        endpoint_url=delivery_server.url,
        region_name="us-east-1",
        aws_access_key_id="000000000000",
        aws_secret_access_key="secret",
    )
    name = new_name("lake").replace("-", "_")
    glue.create_database(DatabaseInput={"Name": name})
    for table, columns in (
        ("ticks", [("symbol", "string"), ("price", "decimal(10,2)"), ("at", "timestamp")]),
        ("orders", [("id", "bigint")]),
    ):
        described = {"Columns": [{"Name": column, "Type": kind} for column, kind in columns]}
        glue.create_table(DatabaseName=name, TableInput={"Name": table, "StorageDescriptor": described})
    return name


def to_tables(delivery: LiveDelivery, *tables: tuple[str, str], **members: Any) -> LiveDelivery:
    return delivery.to(
        "Iceberg",
        CatalogConfiguration={"WarehouseLocation": f"s3://{delivery.bucket}/warehouse"},
        DestinationTableConfigurationList=[
            {"DestinationDatabaseName": database, "DestinationTableName": table} for database, table in tables
        ],
        **members,
    )


def load(server: Server, database: str, table: str) -> StaticTable:
    """The table as any reader finds it that knows Iceberg's JDBC catalogs."""
    query = "SELECT metadata_location FROM iceberg_tables WHERE table_namespace = ? AND table_name = ?"
    with closing(sqlite3.connect(server.data_dir / "iceberg.db")) as connection:
        ((location,),) = connection.execute(query, (database, table)).fetchall()
    return StaticTable.from_metadata(location)


def test_rows_are_there_once_for_every_reader(delivery: LiveDelivery, delivery_server: Server, database: str) -> None:
    to_tables(delivery, (database, "ticks"))
    for number in range(3):
        delivery.put(*(b'{"symbol": "AMZN", "price": %d.5, "at": "2026-11-23 10:00:00"}' % n for n in range(100)))
        if number == 1:
            delivery.flush_until(lambda: delivery.objects("warehouse/"), "data files")
            delivery.kill_worker()
        delivery.flush()
    table = load(delivery_server, database, "ticks")
    rows = table.scan().to_arrow().to_pylist()
    assert len(rows) == 300
    assert sum(row["price"] for row in rows) == 3 * sum(n + 0.5 for n in range(100))
    assert [snapshot.summary.operation.value for snapshot in table.snapshots() if snapshot.summary] == ["append"] * 3
    metadata = table.metadata_location.removeprefix("file://")
    connection = duckdb.connect()
    files = [task.file.file_path.removeprefix("file://") for task in table.scan().plan_files()]
    assert connection.execute("SELECT count(*), max(price) FROM read_parquet(?)", [files]).fetchall() == [(300, 99.5)]
    assert metadata.startswith(str(delivery_server.data_dir / "objects" / delivery.bucket))


def test_records_go_to_the_table_that_they_name(delivery: LiveDelivery, delivery_server: Server, database: str) -> None:
    query = f'{{destinationDatabaseName: "{database}", destinationTableName: .to, operation: "insert"}}'
    to_tables(
        delivery,
        RetryOptions={"DurationInSeconds": 0},
        ProcessingConfiguration=processing(extraction(query)),
    )
    lost = b'{"to": "nowhere", "id": 3}'
    delivery.put(b'{"to": "orders", "id": 1}', b'{"to": "ticks", "symbol": "A"}', lost, b'{"to": "orders", "id": 2}')
    delivery.flush()
    orders = load(delivery_server, database, "orders").scan().to_arrow()
    assert sorted(orders.column("id").to_pylist()) == [1, 2]
    assert load(delivery_server, database, "ticks").scan().to_arrow().num_rows == 1
    (line,) = delivery.lines("iceberg-failed")
    assert (base64.b64decode(line["rawData"]), line["errorCode"]) == (lost, "Iceberg.NoSuchTable")


def test_a_table_that_is_defined_late_is_filled_within_the_retry_duration(
    delivery: LiveDelivery, delivery_server: Server, database: str
) -> None:
    to_tables(delivery, (database, "late"), RetryOptions={"DurationInSeconds": 60})
    delivery.put(b'{"n": 1}', b"no json")
    delivery.flush_until(lambda: "Iceberg.NoSuchTable" in delivery.error_codes(), "the missing table to be told")
    glue: Any = boto3.client(
        "glue",
        endpoint_url=delivery_server.url,
        region_name="us-east-1",
        aws_access_key_id="000000000000",
        aws_secret_access_key="secret",
    )
    described = {"Columns": [{"Name": "n", "Type": "int"}]}
    glue.create_table(DatabaseName=database, TableInput={"Name": "late", "StorageDescriptor": described})
    delivery.flush()
    assert load(delivery_server, database, "late").scan().to_arrow().to_pylist() == [{"n": 1}]
    assert [base64.b64decode(line["rawData"]) for line in delivery.lines("iceberg-failed")] == [b"no json"]
