"""Iceberg tables of plain files, and of files in an object store, read back."""

from __future__ import annotations

import asyncio
import base64
import io
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from pyiceberg.io import OutputStream
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from millstream.firehose.configuration import Iceberg
from millstream.firehose.destinations.iceberg import IcebergDestination
from millstream.firehose.ports import Column, DeliveryError, Lane, Report, Surroundings, Tables
from millstream.firehose.tables.catalog import SqliteCatalog
from millstream.firehose.tables.storage import StoreIO
from millstream.firehose.tables.upkeep import KEEP_PROPERTY
from millstream.objects.local import LocalStores
from millstream.objects.port import StoreError
from support.destinations import GivenParcel, SwiftClock, Told, configured, error_lines, surroundings
from support.memory_objects import MemoryStores

TABLE = {"DestinationDatabaseName": "lake", "DestinationTableName": "ticks"}
COLUMNS = [
    Column("ticker", "string"),
    Column("price", "decimal(10,2)"),
    Column("at", "timestamp"),
    Column("tags", "array<struct<k:string,v:int>>"),
]


class Definitions:
    """Table definitions: that of lake.ticks."""

    def columns(self, database: str, table: str, **_: str) -> list[Column]:
        if (database, table) != ("lake", "ticks"):
            raise DeliveryError("DataFormatConversion.EntityNotFound", "no such definition")
        return COLUMNS


class Lake(NamedTuple):
    """What a destination works in."""

    path: Path
    around: Surroundings
    told: Told

    def destination(self, **members: Any) -> IcebergDestination:
        """A destination, by default to lake.ticks."""
        configuration = configured("Iceberg", **{"DestinationTableConfigurationList": [TABLE]} | members)
        assert isinstance(configuration, Iceberg)
        return IcebergDestination(configuration, self.around)

    async def deliver(self, *records: bytes, parcel_id: str = "", partition: Any = (), **members: Any) -> Report:
        """Deliver a parcel of those records."""
        parcel = GivenParcel(records, parcel_id=parcel_id or str(uuid.uuid4()))
        parcel.lane = Lane("", partition)
        return await self.destination(**members).deliver(parcel)

    def table(self) -> Table:
        """The table lake.ticks as others see it: in the catalog file, over plain files."""
        return SqliteCatalog(str(self.path / "iceberg.db"), lambda _: PyArrowFileIO()).load_table("lake.ticks")

    def rows(self) -> list[dict[str, Any]]:
        """The table's rows."""
        return cast(list[dict[str, Any]], self.table().scan().to_arrow().sort_by("ticker").to_pylist())


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    clock, told = SwiftClock.install(monkeypatch), Told()
    with ThreadPoolExecutor(2) as threads:
        around = surroundings(clock, told, threads)._replace(
            stores=LocalStores(tmp_path / "objects"),
            tables=cast(Tables, Definitions()),
            warehouse_path=str(tmp_path / "warehouse.duckdb"),
        )
        yield Lake(tmp_path, around, told)


async def test_records_are_rows_of_a_table_that_is_made_from_its_definition(lake: Lake) -> None:
    tick = b'{"ticker": "ENRG", "price": 12.34, "at": "2026-11-23 10:00:00", "tags": [{"k": "a", "v": 1}], "more": 1}'

    report = await lake.deliver(tick, b'{"ticker": "AAA"}')
    await lake.deliver(b'{"ticker": "ZZZ"}')

    assert (report.delivered_records, report.errors) == (2, [])
    assert [row["ticker"] for row in lake.rows()] == ["AAA", "ENRG", "ZZZ"]
    assert str(lake.rows()[1]["price"]) == "12.34"
    assert lake.rows()[1]["tags"] == [{"k": "a", "v": 1}]
    assert lake.table().location() == f"file://{lake.path}/objects/failures/iceberg/lake/ticks"
    assert len(lake.table().metadata.snapshots) == 2


async def test_a_parcel_that_is_delivered_again_is_appended_once(lake: Lake) -> None:
    records = b'{"ticker": "ENRG"}', b"oh"

    reports = [await lake.deliver(*records, parcel_id="p-1") for _ in range(3)]

    assert len(lake.rows()) == 1
    assert [report.delivered_records for report in reports] == [1, 1, 1]
    assert len({b"".join(report.errors[0].pieces()) for report in reports}) == 1


async def test_records_that_do_not_fit_are_error_output(lake: Lake) -> None:
    report = await lake.deliver(b'{"ticker": "ENRG"}', b'{"ticker": "A", "price": "dear"}', b"[]")

    assert [row["ticker"] for row in lake.rows()] == ["ENRG"]
    assert report.delivered_bytes == len(b'{"ticker": "ENRG"}')
    assert report.errors[0].kind == "iceberg-failed"
    assert [(line["errorCode"], base64.b64decode(line["rawData"])) for line in error_lines(report)] == [
        ("Iceberg.MalformedData", b'{"ticker": "A", "price": "dear"}'),
        ("Iceberg.ParseError", b"[]"),
    ]


async def test_required_columns_need_a_value(lake: Lake) -> None:
    schema = pa.schema([pa.field("ticker", pa.string(), nullable=False), ("price", pa.int64())])
    catalog = SqliteCatalog(str(lake.path / "iceberg.db"), lambda _: PyArrowFileIO())
    catalog.make_table(("lake", "ticks"), schema, f"file://{lake.path}/elsewhere")

    report = await lake.deliver(b'{"ticker": "ENRG", "price": 1}', b'{"price": 2}', b'{"price": "x"}')

    assert [row["price"] for row in lake.rows()] == [1]
    assert [base64.b64decode(line["rawData"]) for line in error_lines(report)] == [b'{"price": "x"}', b'{"price": 2}']


async def test_partition_keys_name_the_table(lake: Lake) -> None:
    keys = (("query:destinationDatabaseName", "lake"), ("query:destinationTableName", "ticks"))

    await lake.deliver(b'{"ticker": "ENRG"}', partition=keys, DestinationTableConfigurationList=[])

    assert len(lake.rows()) == 1


@pytest.mark.parametrize(
    ("partition", "members", "code"),
    [
        ((), {"DestinationTableConfigurationList": []}, "Iceberg.NoSuchTable"),
        ((("lambda:destinationTableName", "other"),), {}, "Iceberg.NoSuchTable"),
        ((("lambda:operation", "delete"),), {}, "Iceberg.UpdatesNotSupported"),
    ],
)
async def test_what_cannot_be_delivered_is_error_output(lake: Lake, partition: Any, members: Any, code: str) -> None:
    report = await lake.deliver(b'{"ticker": "ENRG"}', partition=partition, **members)

    assert lake.told.codes == [code]
    assert [line["errorCode"] for line in error_lines(report)] == [code]


def test_updates_are_refused(lake: Lake) -> None:
    with pytest.raises(DeliveryError, match="UniqueKeys"):
        lake.destination(DestinationTableConfigurationList=[TABLE | {"UniqueKeys": ["ticker"]}])


WAREHOUSE: dict[str, Any] = {"CatalogConfiguration": {"WarehouseLocation": "s3://tables/all/"}}


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("puts_before", range(9))
async def test_a_store_that_fails_or_lies_has_every_row_once(lake: Lake, puts_before: int, applied: bool) -> None:
    fault = StoreError("InternalError", "We are sorry.")
    fault.applied = applied  # type: ignore[attr-defined]
    stores = MemoryStores()
    stores.faults = [*[None] * puts_before, fault]
    remote = lake._replace(around=lake.around._replace(stores=stores))

    for number in range(2):
        records = b'{"ticker": "A%d"}' % number, b"\xff"
        report = await remote.deliver(*records, RetryOptions={"DurationInSeconds": 60}, **WAREHOUSE)
        assert report.delivered_records == 1

    assert lake.told.codes == ["S3.InternalError"]
    io_ = StoreIO(stores, asyncio.get_running_loop())
    table = SqliteCatalog(str(lake.path / "iceberg.db"), lambda _: io_).load_table
    rows = await asyncio.to_thread(lambda: table("lake.ticks").scan().to_arrow())
    assert sorted(rows.column("ticker").to_pylist()) == ["A0", "A1"]


async def test_an_upload_that_failed_is_not_made_again_by_the_garbage_collector() -> None:
    stores = MemoryStores()
    stores.faults = [StoreError("InternalError", "We are sorry.")]
    loop = asyncio.get_running_loop()

    def upload() -> OutputStream:
        stream = StoreIO(stores, loop).new_output("s3://tables/file").create(overwrite=True)
        stream.write(b"x")
        with pytest.raises(StoreError):
            stream.close()
        return stream

    failed = await asyncio.to_thread(upload)
    given_up = StoreIO(stores, loop).new_output("s3://tables/file").create(overwrite=True)
    del failed, given_up  # in the loop's own thread, which must not wait for the loop
    assert len(stores.puts) == 1


async def test_damaged_metadata_is_told_of_and_loses_nothing(lake: Lake) -> None:
    await lake.deliver(b'{"ticker": "ENRG"}')
    for path in lake.path.rglob("*.avro"):
        path.write_bytes(path.read_bytes()[:50])

    report = await lake.deliver(b'{"ticker": "LOST"}')

    assert lake.told.codes == ["Iceberg.CommitFailed"]
    assert [base64.b64decode(line["rawData"]) for line in error_lines(report)] == [b'{"ticker": "LOST"}']


async def test_tables_in_an_object_store(lake: Lake) -> None:
    stores = MemoryStores()
    remote = lake._replace(around=lake.around._replace(stores=stores))

    for _ in range(2):
        await remote.deliver(b'{"ticker": "ENRG"}', **WAREHOUSE)

    assert lake.told.errors == []
    objects = stores.objects["tables"]
    files = [content for key, content in objects.items() if key.startswith("all/lake/ticks/data/")]
    assert [parquet.read_table(io.BytesIO(file)).column("ticker").to_pylist() for file in files] == [["ENRG"]] * 2
    assert [key for key in objects if key.startswith("all/lake/ticks/metadata/00002-")]


async def test_old_snapshots_go_with_their_files_and_rows_stay(lake: Lake) -> None:
    await lake.deliver(b'{"ticker": "A"}')
    with lake.table().transaction() as change:
        change.set_properties({KEEP_PROPERTY: "3", "commit.manifest.min-count-to-merge": "4"})
    lake.table().append(lake.table().scan().to_arrow())  # by somebody else
    lake.table().manage_snapshots().create_tag(lake.table().metadata.snapshots[0].snapshot_id, "first").commit()

    for number in range(8):
        await lake.deliver(b'{"ticker": "B"}', parcel_id=f"p-{number}")
    await lake.deliver(b'{"ticker": "B"}', parcel_id="p-7")

    table = lake.table()
    assert lake.told.errors == []
    assert len(lake.rows()) == 10
    assert len(table.metadata.snapshots) < 8
    assert table.scan(snapshot_id=table.metadata.refs["first"].snapshot_id).to_arrow().num_rows == 1
    lists = {each.manifest_list for each in table.metadata.snapshots}
    manifests = {manifest.manifest_path for each in table.metadata.snapshots for manifest in each.manifests(table.io)}
    directory = Path(table.location().removeprefix("file://")) / "metadata"
    assert {f"file://{path}" for path in directory.glob("snap-*")} == lists
    left = {f"file://{path}" for path in directory.glob("*-m0.avro")} - manifests
    assert len(left) <= 3  # what pyiceberg writes and merges in one commit is in no snapshot


async def test_snapshots_that_cannot_be_dropped_are_told_of(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("millstream.firehose.destinations.iceberg.expire_snapshots", fail)

    report = await lake.deliver(b'{"ticker": "ENRG"}')

    assert report.delivered_records == len(lake.rows()) == 1
    assert lake.told.codes == ["Iceberg.SnapshotsNotExpired"]


async def test_a_damaged_catalog_is_told_of_and_loses_nothing(lake: Lake) -> None:
    (lake.path / "iceberg.db").write_bytes(b"this is no SQLite file" * 100)

    report = await lake.deliver(b'{"ticker": "ENRG"}')

    assert lake.told.codes == ["Iceberg.CommitFailed"]
    assert [base64.b64decode(line["rawData"]) for line in error_lines(report)] == [b'{"ticker": "ENRG"}']


async def test_partitioned_tables_are_written_by_partition(lake: Lake) -> None:
    await lake.deliver(b'{"ticker": "ENRG"}')
    with lake.table().update_spec() as update:
        update.add_identity("ticker")

    await lake.deliver(b'{"ticker": "AAA"}', b'{"ticker": "BBB"}')

    assert lake.told.errors == []
    assert [row["ticker"] for row in lake.rows()] == ["AAA", "BBB", "ENRG"]
    files = lake.table().inspect.files().column("file_path").to_pylist()
    assert len([path for path in files if "ticker=AAA/" in path]) == 1
