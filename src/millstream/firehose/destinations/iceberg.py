"""Delivery to Iceberg tables: a parcel is one append, one snapshot.

Exactly once: a snapshot has the parcel's id as a property, and a parcel whose id is in the table is not appended again.
A parcel is converted to Arrow whole, so about as much memory is used as the buffer's size, for one parcel at a time.

Where a record goes: to the table that its partition keys name (destinationDatabaseName, destinationTableName, from a
MetadataExtraction processor or a function), else to the only one that is configured. A table that does not exist is
made if there is a table definition of its name. Records are inserted; updates and deletes are not served.

WarehouseLocation is where tables are made, s3://bucket/prefix. With the local object store that is its directory, and
metadata names plain files, which any tool on the machine can read. The catalog is `iceberg.db` in the data directory.
"""

from __future__ import annotations

import asyncio
import os
import threading

import pyarrow as pa
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from millstream.firehose.configuration import Conversion, Iceberg
from millstream.firehose.destinations.ledger import Failure, Ledger
from millstream.firehose.formats.conversion import Converter
from millstream.firehose.ports import DeliveryError, Parcel, Report, Surroundings
from millstream.firehose.retries import attempts
from millstream.firehose.tables.catalog import SqliteCatalog
from millstream.firehose.tables.schemas import arrow_schema, columns_of
from millstream.firehose.tables.storage import StoreIO
from millstream.firehose.tables.upkeep import expire_snapshots
from millstream.objects.local import LocalStores
from millstream.objects.port import StoreError
from millstream.objects.threads import Stopped, in_thread, until

ERROR_KIND = "iceberg-failed"
PARCEL_PROPERTY = "millstream.parcel-id"
STREAM_PROPERTY = "millstream.delivery-stream"

_CONVERSION = Conversion(input={"Deserializer": {"OpenXJsonSerDe": {}}}, output={"Serializer": {"ParquetSerDe": {}}})


class IcebergDestination:
    """Appends parcels to tables. Raises DeliveryError for tables with UniqueKeys, which mean updates."""

    parcels_max = 1

    def __init__(self, configuration: Iceberg, surroundings: Surroundings) -> None:
        if any(table.unique_keys for table in configuration.tables) and not configuration.append_only:
            raise DeliveryError(
                "Iceberg.UpdatesNotSupported",
                "Updates and deletes are not served, so UniqueKeys are of no use: leave them out, or set AppendOnly.",
            )
        self._configuration = configuration
        self._around = surroundings
        self._directory = os.path.abspath(os.path.dirname(surroundings.warehouse_path))

    def plan(self, parcel: Parcel) -> str:  # noqa: ARG002 - pyiceberg names the files
        """Tables have no keys."""
        return ""

    async def deliver(self, parcel: Parcel) -> Report:
        """Append the parcel, trying again for as long as is configured; then it is error output."""
        around = self._around
        loop = asyncio.get_running_loop()
        failure = Failure("", "", 0, 0)
        async for attempt in attempts(around.clock, around.generator, self._configuration.retry.duration_s):
            try:
                return await in_thread(lambda stop: self._append(parcel, loop, stop))
            except (DeliveryError, StoreError) as error:
                code = error.code if isinstance(error, DeliveryError) else f"S3.{error.code}"
                failure = Failure(code, str(error), attempt, around.clock.now_ms())
            except Exception as error:  # noqa: BLE001 - pyiceberg raises all kinds: files may be damaged, or others'
                told = f"{type(error).__name__}: {error}"
                failure = Failure("Iceberg.CommitFailed", told, attempt, around.clock.now_ms())
            around.errors.report(failure.code, failure.message)
        return await in_thread(lambda stop: self._given_up(parcel, failure, stop))

    async def close(self) -> None:
        """Nothing is held."""

    def _append(self, parcel: Parcel, loop: asyncio.AbstractEventLoop, stop: threading.Event) -> Report:
        """Blocking. Append what can be; the rest is in the report, each time the same."""
        table = self._table(self._name(parcel), loop)
        ledger = Ledger(ERROR_KIND, parcel.first_arrival_ms, self._around.scratch)
        failures = _Failures(ledger, self._around.clock.now_ms())
        converter = Converter(_CONVERSION, columns_of(table.schema()))
        schema = table.schema().as_arrow()
        parts = []
        for records in parcel.record_lists():
            if stop.is_set():
                raise Stopped
            parts.append(_rows(converter, records, schema, failures))
        ledger.delivered(parcel.record_count - failures.record_count, parcel.size_bytes - failures.size_bytes)
        rows = pa.concat_tables(parts) if parts else schema.empty_table()
        if rows.num_rows and not _has(table, parcel.parcel_id):
            names = {PARCEL_PROPERTY: parcel.parcel_id, STREAM_PROPERTY: self._around.stream_arn}
            table.append(rows, snapshot_properties=names)
            self._look_after(table)
        return ledger.report()

    def _look_after(self, table: Table) -> None:
        """Blocking. Drop this delivery stream's old snapshots: the last ones tell which parcels are in the table."""
        try:
            expire_snapshots(table, STREAM_PROPERTY, self._around.stream_arn)
        except Exception as error:  # noqa: BLE001 - as above; the parcel is delivered, and the next one tries again
            told = f"Old snapshots could not be dropped: {type(error).__name__}: {error}"
            self._around.errors.report("Iceberg.SnapshotsNotExpired", told)

    def _given_up(self, parcel: Parcel, failure: Failure, stop: threading.Event) -> Report:
        """Blocking. All of the parcel as error output."""
        ledger = Ledger(ERROR_KIND, parcel.first_arrival_ms, self._around.scratch)
        for records in until(stop, parcel.record_lists()):
            for record in records:
                ledger.failed(record, failure)
        return ledger.report()

    def _name(self, parcel: Parcel) -> tuple[str, str]:
        """The database and the table that a parcel goes to."""
        keys = {name.partition(":")[2]: value for name, value in parcel.lane.partition}
        if (operation := keys.get("operation", "insert").lower()) != "insert":
            raise DeliveryError("Iceberg.UpdatesNotSupported", f"The operation {operation} is not served: use insert.")
        tables = self._configuration.tables
        only = tables[0] if len(tables) == 1 else None
        database = keys.get("destinationDatabaseName") or (only.database if only else "")
        table = keys.get("destinationTableName") or (only.table if only else "")
        if not (database and table):
            raise DeliveryError(
                "Iceberg.NoSuchTable",
                "Nothing says which table the records go to: configure one, or extract destinationDatabaseName and "
                "destinationTableName.",
            )
        return database, table

    def _table(self, name: tuple[str, str], loop: asyncio.AbstractEventLoop) -> Table:
        catalog = SqliteCatalog(
            os.path.join(self._directory, "iceberg.db"), lambda location: self._open_io(location, loop)
        )
        try:
            return catalog.load_table(name)
        except NoSuchTableError:
            return catalog.make_table(name, self._defined(name), f"{self._warehouse()}/{name[0]}/{name[1]}")

    def _defined(self, name: tuple[str, str]) -> pa.Schema:
        """The schema of a table that is to be made. Raises DeliveryError if there is no definition of it either."""
        around = self._around
        try:
            columns = around.tables.columns(*name, region=around.region, account=around.account)
        except DeliveryError as error:
            raise DeliveryError(
                "Iceberg.NoSuchTable",
                f"There is no Iceberg table {'.'.join(name)} and no table definition to make it from. {error}",
            ) from error
        return arrow_schema(columns)

    def _warehouse(self) -> str:
        """Where tables are made."""
        bucket = self._configuration.s3.bucket
        location = str(self._configuration.catalog.get("WarehouseLocation") or f"s3://{bucket}/iceberg").rstrip("/")
        stores = self._around.stores
        if location.startswith("s3://") and isinstance(stores, LocalStores):
            return f"file://{stores.directory.absolute()}/{location.removeprefix('s3://')}"
        return location

    def _open_io(self, location: str, loop: asyncio.AbstractEventLoop) -> FileIO:
        return PyArrowFileIO() if location.startswith("file:") else StoreIO(self._around.stores, loop)


class _Failures:
    """Records that are no rows of the table, written down as error output of this destination."""

    def __init__(self, ledger: Ledger, now_ms: int) -> None:
        self._ledger = ledger
        self._now_ms = now_ms
        self.record_count = 0
        self.size_bytes = 0

    def add(self, record: bytes, code: str, message: str) -> None:
        """Takes a record that failed, and why."""
        code = f"Iceberg.{code.rpartition('.')[2]}"
        self._ledger.failed(record, Failure(code, message, 1, self._now_ms))
        self.record_count += 1
        self.size_bytes += len(record)


class _Untold:
    """Takes records that are told of elsewhere."""

    def add(self, record: bytes, code: str, message: str) -> None:
        pass


def _rows(converter: Converter, records: list[bytes], schema: pa.Schema, failures: _Failures) -> pa.Table:
    """The records as rows of the table; those that lack a required value are failures, one by one."""
    rows = converter.table(records, failures)
    required = [index for index, field in enumerate(schema) if not field.nullable]
    if not any(rows.column(index).null_count for index in required):
        return pa.table([column.cast(field.type) for column, field in zip(rows.columns, schema, strict=True)], schema)
    if len(records) > 1:
        told = {id(record) for record in records if not converter.table([record], _Untold()).num_rows}
        good = [record for record in records if id(record) not in told]
        return pa.concat_tables([_rows(converter, [record], schema, failures) for record in good])
    failures.add(records[0], "MalformedData", "Data does not match the schema. A required column has no value.")
    return schema.empty_table()


def _has(table: Table, parcel_id: str) -> bool:
    """Whether a snapshot of the table has the parcel."""
    return any(
        snapshot.summary is not None and snapshot.summary.additional_properties.get(PARCEL_PROPERTY) == parcel_id
        for snapshot in table.metadata.snapshots
    )
