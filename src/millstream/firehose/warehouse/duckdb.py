"""DuckDB as a warehouse: a file, by default in the data directory, that needs no server.

A DuckDB file is open either in one process for writing or in many for reading. So it is opened for each COPY, and
closed after it: between COPYs anyone may read it (`duckdb -readonly FILE`). While a reader has it open, COPYs wait: a
few seconds here, then as the destination's retries do. Within the worker, COPYs into one file take turns.

Rows are coerced by the table's column types and Redshift's rules, and reach DuckDB as Arrow batches. DuckDB keeps no
length of varchar columns: none is checked. Rows, and the record in millstream_loads that the object is loaded, are one
transaction: a COPY that is repeated after a crash loads nothing.
"""

from __future__ import annotations

import random
import threading
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa

from millstream.base.clock import Clock
from millstream.firehose.ports import DeliveryError
from millstream.firehose.retries import attempts
from millstream.firehose.warehouse.columns import TargetColumn
from millstream.firehose.warehouse.command import Copy, read_jsonpaths
from millstream.firehose.warehouse.jsonpaths import Path
from millstream.firehose.warehouse.port import Load, LoadResult
from millstream.firehose.warehouse.rows import Rejects, RowReader
from millstream.firehose.warehouse.targets import (
    CATALOG_COLUMNS,
    CREATE_LOADS_TABLE,
    LOADS_TABLE,
    choose,
    column_list,
    from_catalog,
)
from millstream.objects.port import ObjectStores
from millstream.objects.threads import in_thread

READER_PATIENCE_S = 5.0
_FIRST_PAUSE_S = 0.05
_BATCHES_AT_ONCE = 8  # of about a MiB: fewer statements
_CONFIGURATION: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "memory_limit": "512MB"}
_LOCK_SIGNS = ("Could not set lock", "Conflicting lock")

_COLUMNS = f"""
    SELECT {CATALOG_COLUMNS} FROM information_schema.columns
    WHERE lower(table_name) = lower($table) AND table_schema = coalesce($schema, current_schema())
      AND table_catalog = current_database()
    ORDER BY ordinal_position
"""  # noqa: S608  (constant names)

_turns: dict[str, threading.Lock] = {}


class _Held(Exception):
    """Another process has the file open."""


class DuckDbWarehouse:
    """Copies into a table of a DuckDB file, which is made if it is missing."""

    def __init__(
        self,
        path: str,
        command: Copy,
        stores: ObjectStores,
        clock: Clock,
        generator: random.Random,
    ) -> None:
        self._path = path
        self._command = command
        self._stores = stores
        self._clock = clock
        self._generator = generator
        self._turn = _turns.setdefault(path, threading.Lock())

    async def copy(self, load: Load) -> LoadResult:
        """Load an object; see Warehouse."""
        jsonpaths = await read_jsonpaths(self._command.options, self._stores)
        reason = ""
        async for _ in attempts(self._clock, self._generator, READER_PATIENCE_S, _FIRST_PAUSE_S):
            try:
                return await in_thread(lambda stop: self._copy(load.until(stop), jsonpaths))
            except _Held as error:
                reason = str(error)
        raise DeliveryError(
            "Redshift.ConnectionFailed",
            f"The warehouse {self._path} is open in another process: close it there, or open it only briefly. {reason}",
        )

    def _copy(self, load: Load, jsonpaths: list[Path] | None) -> LoadResult:
        with self._turn:
            try:
                with duckdb.connect(self._path, config=_CONFIGURATION) as connection:
                    connection.begin()
                    return self._load(connection, load, jsonpaths)
            except duckdb.Error as error:
                if any(sign in str(error) for sign in _LOCK_SIGNS):
                    raise _Held(str(error)) from error
                raise _failure(error) from error

    def _load(self, connection: duckdb.DuckDBPyConnection, load: Load, jsonpaths: list[Path] | None) -> LoadResult:
        """Load in a transaction. Closing the connection without a commit takes all back."""
        columns = self._columns(connection)
        connection.execute(CREATE_LOADS_TABLE)
        found = f"SELECT 1 FROM {LOADS_TABLE} WHERE object_url = ?"  # noqa: S608  (constant name)
        if connection.execute(found, [load.url]).fetchone():
            return LoadResult(0, repeated=True)
        rejects = Rejects(self._command.options.maxerror)
        rows = 0
        batches = RowReader(columns, self._command.options, jsonpaths).batches(load.pieces(), rejects)
        while some := list(islice(batches, _BATCHES_AT_ONCE)):
            rows += self._insert(connection, pa.Table.from_batches(some), columns)
        connection.execute(
            f"INSERT INTO {LOADS_TABLE} VALUES (?, ?, now()::timestamp)",  # noqa: S608  (constant name)
            [load.url, self._command.table.quoted()],
        )
        connection.commit()
        return LoadResult(rows, rejects.count, tuple(rejects.errors))

    def _insert(self, connection: duckdb.DuckDBPyConnection, rows: pa.Table, columns: list[TargetColumn]) -> int:
        connection.register("millstream_rows", rows)
        names = column_list(columns)
        table = self._command.table.quoted()
        connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM millstream_rows")  # noqa: S608
        connection.unregister("millstream_rows")
        return int(rows.num_rows)

    def _columns(self, connection: duckdb.DuckDBPyConnection) -> list[TargetColumn]:
        table = self._command.table
        parameters: dict[str, Any] = {"table": table.table, "schema": table.schema}
        rows = connection.execute(_COLUMNS, parameters).fetchall()
        return choose(from_catalog(rows), self._command.columns, table.quoted())


def _failure(error: duckdb.Error) -> DeliveryError:
    if isinstance(error, duckdb.ConstraintException | duckdb.ConversionException | duckdb.DataError):
        return DeliveryError("Redshift.DataLoadFailed", str(error))
    if isinstance(error, duckdb.IOException):
        return DeliveryError("Redshift.ConnectionFailed", str(error))
    return DeliveryError("Redshift.InternalError", str(error))
