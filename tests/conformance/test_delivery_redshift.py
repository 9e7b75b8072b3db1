"""The walkthrough of delivery to a warehouse, through the public API of a live server, into PostgreSQL and DuckDB."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

import duckdb
import pytest

from support import traffic
from support.commandline import CommandLine
from support.livedelivery import LiveDelivery
from support.postgres import postgres
from support.server import Server
from support.waiting import wait_for

DATABASES = itertools.count(1)


class Warehouse(NamedTuple):
    """A warehouse of one test, and how to ask it while the server runs."""

    url: str
    sql: Callable[[str], list[tuple[Any, ...]]]


def _postgres() -> Warehouse:
    database = f"live{next(DATABASES)}"
    return Warehouse(postgres().jdbc_url(database), postgres().create_database(database))


def _duckdb(server: Server) -> Warehouse:
    name = f"live{next(DATABASES)}"

    def sql(statement: str) -> list[tuple[Any, ...]]:
        with wait_for(open_file, "the file to be free between COPYs", interval_s=0.005) as connection:
            return connection.execute(statement).fetchall()

    def open_file() -> duckdb.DuckDBPyConnection | None:
        try:
            return duckdb.connect(str(server.data_dir / f"{name}.duckdb"))
        except duckdb.IOException:
            return None

    return Warehouse(f"duckdb:{name}", sql)


@pytest.fixture(params=["postgres", "duckdb"])
def warehouse(request: pytest.FixtureRequest, delivery_server: Server) -> Warehouse:
    return _postgres() if request.param == "postgres" else _duckdb(delivery_server)


def to_table(delivery: LiveDelivery, warehouse: Warehouse, table: str, **members: Any) -> LiveDelivery:
    return delivery.to(
        "Redshift",
        **{
            "ClusterJDBCURL": warehouse.url,
            "CopyCommand": {"DataTableName": table, "CopyOptions": "json 'auto'"},
            "Username": "postgres",
            "Password": "correct horse",
            "RetryOptions": {"DurationInSeconds": 30},
            **members,
        },
    )


def test_the_walkthrough(delivery_server: Server, warehouse: Warehouse) -> None:
    warehouse.sql(traffic.CREATE_TABLE)
    delivery = LiveDelivery(delivery_server, name=f"rayredshiftstream-{next(DATABASES)}")
    to_table(delivery, warehouse, "TrafficViolation")
    records = list(traffic.records())
    delivery.put(*records[:100])
    delivery.flush_until(delivery.objects, "an object in the bucket")
    delivery.kill_worker()  # wherever it is with COPY
    delivery.put(*records[100:])
    delivery.flush()
    rows = warehouse.sql("SELECT * FROM TrafficViolation")
    first = next(traffic.rows())
    assert len(rows) == 150
    assert (date(2014, 9, 30), datetime(2014, 9, 30, 23, 51), *first[2:]) in rows
    counted = dict(warehouse.sql("SELECT gender, count(*) FROM TrafficViolation GROUP BY gender"))
    assert sum(counted.values()) == 150
    kept = b"".join(delivery.objects().values()).replace(b"}{", b"}\n{").splitlines()
    assert sorted(kept) == sorted(records)
    assert delivery.error_codes() == []


def test_a_table_that_is_made_late_is_loaded_within_the_retry_duration(
    delivery: LiveDelivery, warehouse: Warehouse
) -> None:
    to_table(delivery, warehouse, "Late")
    delivery.put(b'{"id": 1}', b'{"id": 2}\n')
    delivery.flush_until(lambda: "Redshift.TableNotFound" in delivery.error_codes(), "the missing table to be told")
    warehouse.sql("CREATE TABLE late (id integer)")
    delivery.flush()
    assert sorted(warehouse.sql("SELECT id FROM late")) == [(1,), (2,)]
    assert not delivery.objects("errors/")


def test_what_cannot_be_loaded_stays_in_the_bucket_with_a_manifest(
    delivery: LiveDelivery, warehouse: Warehouse
) -> None:
    warehouse.sql("CREATE TABLE strict (id integer NOT NULL)")
    to_table(delivery, warehouse, "strict", RetryOptions={"DurationInSeconds": 0})
    delivery.put(b'{"id": "no number"}\n')
    delivery.flush()
    delivery.put(b'{"id": 7}\n')
    delivery.flush()
    assert warehouse.sql("SELECT id FROM strict") == [(7,)]
    assert delivery.error_codes() == ["Redshift.DataLoadFailed"]
    ((_, manifest),) = delivery.objects("errors/manifests/").items()
    (entry,) = json.loads(manifest)["entries"]
    key = entry["url"].removeprefix(f"s3://{delivery.bucket}/")
    assert delivery.objects()[key] == b'{"id": "no number"}\n'
    counters = delivery.counters()
    assert counters["DeliveredRecords"] == 1


def test_the_copy_command_is_shown_as_the_console_does(command: CommandLine) -> None:
    command("deliver", "create", "rayredshiftstream", "--to", "duckdb:TrafficViolation")
    assert re.search(
        r"COPY TrafficViolation FROM 's3://[^']*<manifest>' "
        r"CREDENTIALS 'aws_iam_role=arn:aws:iam::<aws-account-id>:role/<role-name>' MANIFEST json 'auto'",
        command("deliver", "show", "rayredshiftstream").stdout,
    )
