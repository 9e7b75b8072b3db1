"""Delivery to real warehouses: PostgreSQL and DuckDB do what Redshift's COPY would.

The walkthrough of Maryland traffic violations: its table, records of its shape, json 'auto'.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import msgspec
import psycopg
import pytest

from millstream.base.clock import Clock, SystemClock
from millstream.firehose.configuration import Redshift, RetryOptions
from millstream.firehose.destinations.redshift import RedshiftDestination
from millstream.firehose.ports import DeliveryError, Report, Surroundings
from millstream.firehose.warehouse import Load, LoadFailed, open_warehouse
from millstream.firehose.warehouse.command import read_command
from millstream.firehose.warehouse.postgres import PostgresWarehouse
from millstream.objects.local import LocalStores
from support import traffic
from support.destinations import GivenParcel, SwiftClock, Told, configured, surroundings
from support.postgres import postgres

PARCELS = itertools.count(1)


class Warehouse(NamedTuple):
    """A warehouse of one test, and how to ask it."""

    kind: str
    url: str
    sql: Callable[[str], list[tuple[Any, ...]]]


class Lake(NamedTuple):
    """What a destination works in."""

    around: Surroundings
    told: Told
    warehouse: Warehouse

    def configuration(self, table: str, options: str, columns: str = "", **s3: Any) -> Redshift:
        """A destination's configuration; one COPY is tried."""
        made = configured(
            "Redshift",
            ClusterJDBCURL=self.warehouse.url,
            CopyCommand={"DataTableName": table, "CopyOptions": options, "DataTableColumns": columns},
            Username="postgres",
            secrets={"Password": "correct horse"},
            S3DestinationDescription={"BucketARN": "arn:aws:s3:::lake"} | s3,
        )
        assert isinstance(made, Redshift)
        return made

    async def deliver(self, configuration: Redshift, *records: bytes, parcel_id: str = "") -> Report:
        """Deliver a parcel of those records."""
        destination = RedshiftDestination(configuration, self.around)
        parcel = GivenParcel(records, parcel_id=parcel_id or str(uuid.UUID(int=next(PARCELS))))
        parcel.key = destination.plan(parcel)
        return await destination.deliver(parcel)

    def connect(self) -> psycopg.Connection[Any]:
        """A connection to the warehouse, which is PostgreSQL."""
        return postgres().connect(self.warehouse.url.rpartition("/")[2])

    async def keys(self) -> list[str]:
        """The keys in the intermediate bucket."""
        return [found.key async for found in self.around.stores.bucket("lake").list()]


def _postgres() -> Warehouse:
    database = f"t{next(PARCELS)}"
    return Warehouse("postgres", postgres().jdbc_url(database), postgres().create_database(database))


def _duckdb(path: Path) -> Warehouse:
    def sql(statement: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(path)) as connection:
            return connection.execute(statement).fetchall()

    return Warehouse("duckdb", "duckdb:", sql)


@contextmanager
def lake_at(warehouse: Warehouse, path: Path, clock: Clock) -> Iterator[Lake]:
    told = Told()
    with ThreadPoolExecutor(2) as threads:
        around = surroundings(clock, told, threads)._replace(
            stores=LocalStores(path / "objects"), warehouse_path=str(path / "warehouse.duckdb")
        )
        yield Lake(around, told, warehouse)


@pytest.fixture(params=["postgres", "duckdb"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    warehouse = _postgres() if request.param == "postgres" else _duckdb(tmp_path / "warehouse.duckdb")
    with lake_at(warehouse, tmp_path, SystemClock()) as it:
        yield it


async def test_the_walkthrough_of_traffic_violations(lake: Lake) -> None:
    lake.warehouse.sql(traffic.CREATE_TABLE)
    configuration = lake.configuration("TrafficViolation", "json 'auto'")
    records = list(traffic.records())

    reports = [await lake.deliver(configuration, *records[at : at + 50]) for at in range(0, 150, 50)]

    assert sum(report.delivered_records for report in reports) == 150
    assert lake.told.errors == []
    rows = lake.warehouse.sql("SELECT * FROM TrafficViolation ORDER BY timeofstop, location, description, charge")
    assert len(rows) == 150
    first = next(traffic.rows())
    assert (date(2014, 9, 30), datetime(2014, 9, 30, 23, 51), *first[2:]) in rows
    by_gender = lake.warehouse.sql("SELECT gender, count(*) FROM TrafficViolation GROUP BY gender")
    assert sum(count for _, count in by_gender) == 150


async def test_the_walkthrough_as_gzipped_csv_with_a_column_list(lake: Lake) -> None:
    lake.warehouse.sql(traffic.CREATE_TABLE)
    configuration = lake.configuration(
        "TrafficViolation",
        "csv gzip dateformat 'MM/DD/YYYY'",
        "timeofstop, dateofstop, location",
        CompressionFormat="GZIP",
    )

    await lake.deliver(configuration, *(f'{row[1]},{row[0]},"{row[5]}"\n'.encode() for row in traffic.rows()))

    assert lake.told.errors == []
    found = lake.warehouse.sql("SELECT dateofstop, timeofstop, location, agency FROM TrafficViolation")
    assert len(found) == 150
    assert (date(2014, 9, 30), datetime(2014, 9, 30, 23, 51), "PARK RD AT HUNGERFORD DR", None) in found


async def test_a_parcel_that_is_delivered_again_is_loaded_once(lake: Lake) -> None:
    lake.warehouse.sql("CREATE TABLE t (id integer)")
    configuration = lake.configuration("t", "json 'auto'")
    again = str(uuid.uuid4())

    for _ in range(3):
        await lake.deliver(configuration, b'{"id": 1}', parcel_id=again)

    assert lake.warehouse.sql("SELECT id FROM t") == [(1,)]


async def test_copies_at_the_same_time_do_not_get_in_each_others_way(lake: Lake) -> None:
    lake.warehouse.sql("CREATE TABLE t (id integer)")
    configuration = lake.configuration("t", "json 'auto'")

    await asyncio.gather(*(lake.deliver(configuration, b'{"id": %d}' % number) for number in range(8)))

    assert lake.told.errors == []
    assert lake.warehouse.sql("SELECT count(*), sum(id) FROM t") == [(8, 28)]


async def test_a_bad_row_fails_the_whole_copy_and_leaves_a_manifest(lake: Lake) -> None:
    lake.warehouse.sql("CREATE TABLE t (id integer)")

    report = await lake.deliver(lake.configuration("t", "json 'auto'"), b'{"id": 1}\n', b'{"id": "x"}\n')

    assert report.delivered_records == 0
    ((code, message),) = lake.told.errors
    assert code == "Redshift.DataLoadFailed"
    assert "row 2, column id: Invalid digit, Type: Integer (value 'x')" in message
    assert lake.warehouse.sql("SELECT count(*) FROM t") == [(0,)]
    assert len([key for key in await lake.keys() if key.startswith("errors/manifests/")]) == 1


async def test_what_failed_can_be_loaded_once_the_table_is_right(lake: Lake) -> None:
    configuration = lake.configuration("t", "json 'auto'")
    parcel_id = str(uuid.uuid4())
    await lake.deliver(configuration, b'{"id": 1}', parcel_id=parcel_id)
    assert lake.told.codes == ["Redshift.TableNotFound"]

    lake.warehouse.sql("CREATE TABLE t (id integer)")
    await lake.deliver(configuration, b'{"id": 1}', parcel_id=parcel_id)

    assert lake.warehouse.sql("SELECT id FROM t") == [(1,)]


async def test_bad_rows_below_maxerror_are_left_out(lake: Lake) -> None:
    lake.warehouse.sql("CREATE TABLE t (id integer NOT NULL)")

    report = await lake.deliver(
        lake.configuration("t", "json 'auto' maxerror 3"), b'{"id": 1}{"id": null}{"id": "x"}\n'
    )

    assert lake.told.codes == ["Redshift.DataLoadFailed"]
    assert report.delivered_records == 0  # one record, three rows
    assert lake.warehouse.sql("SELECT id FROM t") == [(1,)]


async def test_types_of_the_table_are_kept_to(lake: Lake) -> None:
    lake.warehouse.sql(
        "CREATE TABLE t (i smallint, n numeric(10,2), d double precision, b boolean, u uuid, j json, "
        "z timestamp with time zone, s varchar(10), f integer DEFAULT 7)"
    )
    row = {
        "i": "12", "n": 1.999, "d": 2, "b": "yes", "u": "0b7d1a52-2f5e-4c0e-9f1d-6a7c1f0e2d31", "j": {"a": [1]},
        "z": "2014-09-30T23:51:00Z", "s": 'a,"b"\n\\',
    }  # fmt: skip

    columns = "i, n, d, b, u, j, z, s"
    await lake.deliver(lake.configuration("t", "json 'auto'", columns), json.dumps(row).encode(), b"{}")

    assert lake.told.errors == []
    full, empty = lake.warehouse.sql(
        "SELECT i, n::varchar, d, b, u::varchar, j::varchar, z = '2014-09-30 23:51:00+00', s, f "
        "FROM t ORDER BY i NULLS LAST"
    )
    assert full == (12, "1.99", 2.0, True, row["u"], '{"a":[1]}', True, row["s"], 7)
    assert empty == (None,) * 8 + (7,)


async def test_values_that_only_the_warehouse_knows_to_be_wrong_fail_the_copy(lake: Lake) -> None:
    lake.warehouse.sql("CREATE TABLE t (u uuid)")

    await lake.deliver(lake.configuration("t", "json 'auto'"), b'{"u": "x"}')

    assert lake.told.codes == ["Redshift.DataLoadFailed"]


async def test_jsonpaths_come_from_the_object_store(lake: Lake) -> None:
    lake.warehouse.sql("CREATE TABLE t (id integer, name varchar(10))")
    configuration = lake.configuration("t", "json 's3://lake/paths.json'")
    await lake.deliver(configuration, b'{"who": {"id": 1}, "names": ["a"]}')
    assert lake.told.codes == ["Redshift.IncorrectJsonPathsFile"]

    await lake.around.stores.bucket("lake").put("paths.json", lambda: [b'{"jsonpaths": ["$.who.id", "$.names[0]"]}'])
    await lake.deliver(configuration, b'{"who": {"id": 1}, "names": ["a"]}')

    assert lake.warehouse.sql("SELECT * FROM t") == [(1, "a")]


@pytest.mark.parametrize(
    ("table", "columns", "code"),
    [
        ("missing", "", "Redshift.TableNotFound"),
        ("nowhere.t", "", "Redshift.TableNotFound"),
        ("t", "id, more", "Redshift.ColumnNotFound"),
        ("t; drop table t", "", "Redshift.SyntaxError"),
    ],
)
async def test_what_is_not_there_is_told_of(lake: Lake, table: str, columns: str, code: str) -> None:
    lake.warehouse.sql("CREATE TABLE t (id integer)")

    await lake.deliver(lake.configuration(table, "json 'auto'", columns), b'{"id": 1}')

    assert lake.told.codes == [code]


async def test_a_copy_holds_little_of_its_object(lake: Lake) -> None:
    lake.warehouse.sql("CREATE TABLE t (id integer, name varchar(2000))")
    piece = b"".join(b'{"id":%d,"name":"%s"}\n' % (number, b"x" * 1000) for number in range(1000))
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(5):
            taken += 1
            yield piece
        yield b'{"id": oh, "name": "no number"}\n'
        pytest.fail("the COPY went on after it had failed")

    warehouse = open_warehouse(lake.configuration("t", "json 'auto'"), lake.around)
    with pytest.raises(LoadFailed, match="row 5001"):
        await warehouse.copy(Load("lake", "large", pieces))
    assert taken == 5
    assert lake.warehouse.sql("SELECT count(*) FROM t") == [(0,)]


async def test_wrong_passwords_and_missing_databases_are_told_of(lake: Lake) -> None:
    if lake.warehouse.kind == "duckdb":
        return
    configuration = lake.configuration("t", "json 'auto'")
    nobody = configured(
        "Redshift",
        ClusterJDBCURL=postgres().jdbc_url("nowhere"),
        CopyCommand={"DataTableName": "t"},
        Username="postgres",
        secrets={"Password": "correct horse"},
    )
    assert isinstance(nobody, Redshift)

    await lake.deliver(nobody, b"{}")
    assert lake.told.codes == ["Redshift.DatabaseNotFound"]
    await lake.deliver(msgspec.structs.replace(configuration, password="wrong"), b"{}")
    assert lake.told.codes[1:] == ["Redshift.AuthenticationFailed"]


@pytest.mark.parametrize(
    "record",
    [
        b'{"id": 1, "name": "a\\u0000b"}',
        b'{"id": 1, "name": "\xff"}',
        b'{"id": 1, "name": "\\ud800"}',
        b"[1]",
        b"\x00\xff\xfe",
        b'{"id": 99999999999}',
        b'{"id": 1, "day": "292277026596-12-04"}',
        b"{" * 3000,
    ],
)
async def test_a_record_that_is_no_row_is_left_out_or_fails_the_copy_and_stays_in_the_bucket(
    lake: Lake, record: bytes
) -> None:
    lake.warehouse.sql("CREATE TABLE t (id integer, name varchar(10), day timestamp)")
    records = record + b"\n", b'{"id": 2}\n'

    report = await lake.deliver(lake.configuration("t", "json 'auto' MAXERROR 2"), *records)
    assert report.delivered_records == 1
    assert lake.warehouse.sql("SELECT id FROM t") == [(2,)]

    report = await lake.deliver(lake.configuration("t", "json 'auto'"), *records)
    assert report.delivered_records == 0
    assert lake.warehouse.sql("SELECT id FROM t") == [(2,)]
    assert lake.told.codes == ["Redshift.DataLoadFailed"] * 2
    assert [key for key in await lake.keys() if key.startswith("errors/manifests/")]


async def test_a_connection_that_breaks_off_in_a_copy_leaves_nothing_and_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SwiftClock.install(monkeypatch)
    with lake_at(_postgres(), tmp_path, clock) as lake:
        lake.warehouse.sql("CREATE TABLE t (id integer)")
        end = "BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END"
        lake.warehouse.sql(f"CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS '{end}'")
        lake.warehouse.sql("CREATE TRIGGER break BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION break()")

        def mend() -> None:
            lake.warehouse.sql("DROP TRIGGER IF EXISTS break ON t")

        clock.on_pause = mend
        configuration = msgspec.structs.replace(lake.configuration("t", "json 'auto'"), retry=RetryOptions(60))

        report = await lake.deliver(configuration, b'{"id": 1}')

        assert report.delivered_records == 1
        assert lake.told.codes == ["Redshift.ConnectionFailed"]
        assert lake.warehouse.sql("SELECT id FROM t") == [(1,)]


async def test_a_damaged_warehouse_file_is_told_of_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    file.write_bytes(b"this is no DuckDB file" * 1000)
    with lake_at(_duckdb(file), tmp_path, SystemClock()) as lake:
        await lake.deliver(lake.configuration("t", "json 'auto'"), b'{"id": 1}')

        assert lake.told.codes == ["Redshift.ConnectionFailed"]
        assert [key for key in await lake.keys() if key.startswith("errors/manifests/")]
    assert file.read_bytes() == b"this is no DuckDB file" * 1000


_READER = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True):
    print("open", flush=True)
    sys.stdin.read()
"""


def _end(reader: subprocess.Popen[bytes]) -> None:
    reader.communicate()


async def test_a_copy_waits_for_a_reader_of_the_duckdb_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "warehouse.duckdb"
    warehouse, clock = _duckdb(file), SwiftClock.install(monkeypatch)
    warehouse.sql("CREATE TABLE t (id integer)")
    reader = subprocess.Popen([sys.executable, "-c", _READER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert reader.stdout is not None
    assert reader.stdout.readline() == b"open\n"
    with lake_at(warehouse, tmp_path, clock) as lake:
        await lake.deliver(lake.configuration("t", "json 'auto'"), b'{"id": 1}')
        assert lake.told.codes == ["Redshift.ConnectionFailed"]
        assert "open in another process" in lake.told.errors[0][1]

        waited = len(clock.pauses_s)
        assert waited > 1
        clock.on_pause = lambda: _end(reader)  # while the COPY waits
        await lake.deliver(lake.configuration("t", "json 'auto'"), b'{"id": 2}')

    assert len(clock.pauses_s) > waited
    assert warehouse.sql("SELECT id FROM t") == [(2,)]


async def test_a_locked_table_is_told_of_and_loaded_within_the_retry_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SwiftClock.install(monkeypatch)
    monkeypatch.setattr("millstream.firehose.warehouse._LOCK_S_MIN", 0.2)
    with lake_at(_postgres(), tmp_path, clock) as lake, lake.connect() as locker:
        locker.execute("CREATE TABLE t (id integer)")
        locker.execute("BEGIN")
        locker.execute("LOCK TABLE t")
        configuration = lake.configuration("t", "json 'auto'")

        await lake.deliver(configuration, b'{"id": 1}')
        assert lake.told.codes == ["Redshift.TableLocked"]
        assert [key for key in await lake.keys() if key.startswith("errors/manifests/")]

        def unlock() -> None:
            locker.execute("COMMIT")

        clock.on_pause = unlock
        await lake.deliver(msgspec.structs.replace(configuration, retry=RetryOptions(1)), b'{"id": 2}')

        assert lake.told.codes == ["Redshift.TableLocked"] * 2
        assert lake.warehouse.sql("SELECT id FROM t") == [(2,)]


async def test_a_server_that_hangs_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with lake_at(_postgres(), tmp_path, SystemClock()) as lake:
        lake.warehouse.sql("CREATE TABLE t (id integer)")
        lake.warehouse.sql(
            "CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'"
        )
        lake.warehouse.sql("CREATE TRIGGER hang BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION hang()")
        command = read_command(lake.configuration("t", "json 'auto'").copy)
        warehouse = PostgresWarehouse(lake.connect, command, lake.around.stores, lock_s_max=1, copy_s_max=0.3)

        with pytest.raises(DeliveryError, match=r"not done within 0\.3 seconds") as failure:
            await warehouse.copy(Load("lake", "object", lambda: iter([b'{"id": 1}'])))

        assert failure.value.code == "Redshift.ConnectionFailed"
        assert lake.warehouse.sql("SELECT count(*) FROM t") == [(0,)]


async def test_a_copy_that_is_cancelled_reads_no_further_and_loads_nothing(lake: Lake) -> None:
    lake.warehouse.sql("CREATE TABLE t (id integer)")
    reading = asyncio.Event()
    loop = asyncio.get_running_loop()
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            loop.call_soon_threadsafe(reading.set)
            yield b'{"id": 1}\n'

    warehouse = open_warehouse(lake.configuration("t", "json 'auto'"), lake.around)
    copying = asyncio.create_task(warehouse.copy(Load("lake", "endless", pieces)))
    await reading.wait()
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying

    taken_when_cancelled = taken
    assert lake.warehouse.sql("SELECT count(*) FROM t") == [(0,)]
    assert taken == taken_when_cancelled
