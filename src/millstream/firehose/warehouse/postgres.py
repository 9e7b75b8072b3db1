"""PostgreSQL as a warehouse: COPY FROM STDIN, doing what Redshift's COPY from S3 would.

The rows are coerced here, by the table's column types and Redshift's rules (so varchar(n) holds n bytes), and given to
PostgreSQL as CSV. Rows, and the record in millstream_loads that the object is loaded, are one transaction: a COPY that
is repeated after a crash, even while the first one still goes on, loads nothing.

A COPY that finds the table locked waits for a while and fails (Redshift.TableLocked, a code of ours), so that someone
is told and the retry duration counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv as arrow_csv

from millstream.firehose.warehouse.columns import TargetColumn
from millstream.firehose.warehouse.command import Copy, read_jsonpaths
from millstream.firehose.warehouse.connections import COPY_S_MAX, Connect, bounded
from millstream.firehose.warehouse.failures import from_server
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

_COLUMNS = f"""
    SELECT {CATALOG_COLUMNS} FROM information_schema.columns
    WHERE table_name = %(table)s AND is_identity = 'NO' AND is_generated = 'NEVER'
      AND table_schema = coalesce(%(schema)s, (
        SELECT nspname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relname = %(table)s AND pg_table_is_visible(pg_class.oid)))
    ORDER BY ordinal_position
"""  # noqa: S608  (constant names)
_RECORD = f"""
    INSERT INTO {LOADS_TABLE} VALUES (%s, %s, now() AT TIME ZONE 'UTC') ON CONFLICT DO NOTHING
"""  # noqa: S608  (constant names)
_LOCK_TIMEOUT = "SELECT set_config('lock_timeout', %s, true)"  # for the transaction
_CSV = arrow_csv.WriteOptions(include_header=False)


class PostgresWarehouse:
    """Copies into a table of a PostgreSQL database.

    `connect` opens a connection, and is called in a thread. A COPY waits for locks for at most `lock_s_max`, and takes
    at most `copy_s_max`.
    """

    def __init__(
        self,
        connect: Connect,
        command: Copy,
        stores: ObjectStores,
        *,
        lock_s_max: float,
        copy_s_max: float = COPY_S_MAX,
    ) -> None:
        self._connect = connect
        self._command = command
        self._stores = stores
        self._lock_timeout = f"{round(lock_s_max * 1000)}ms"
        self._copy_s_max = copy_s_max

    async def copy(self, load: Load) -> LoadResult:
        """Load an object; see Warehouse."""
        jsonpaths = await read_jsonpaths(self._command.options, self._stores)
        return await in_thread(lambda stop: self._copy(load.until(stop), jsonpaths))

    def _copy(self, load: Load, jsonpaths: list[Path] | None) -> LoadResult:
        try:
            with self._connect() as connection, bounded(connection, self._copy_s_max):
                self._make_loads_table(connection)
                with connection.transaction(), connection.cursor() as cursor:
                    cursor.execute(_LOCK_TIMEOUT, [self._lock_timeout])
                    return self._load(cursor, load, jsonpaths)
        except psycopg.Error as error:
            raise from_server(error) from error

    def _load(self, cursor: psycopg.Cursor[Any], load: Load, jsonpaths: list[Path] | None) -> LoadResult:
        columns = self._columns(cursor)
        if not cursor.execute(_RECORD, (load.url, self._command.table.quoted())).rowcount:
            return LoadResult(0, repeated=True)
        reader = RowReader(columns, self._command.options, jsonpaths)
        rejects = Rejects(self._command.options.maxerror)
        statement = f"COPY {self._command.table.quoted()} ({column_list(columns)}) FROM STDIN (FORMAT csv)"
        with cursor.copy(statement.encode()) as copy:
            for data in _csv(reader.batches(load.pieces(), rejects)):
                copy.write(data)
        return LoadResult(cursor.rowcount, rejects.count, tuple(rejects.errors))

    def _columns(self, cursor: psycopg.Cursor[Any]) -> list[TargetColumn]:
        table = self._command.table
        rows = cursor.execute(_COLUMNS, {"table": table.table, "schema": table.schema}).fetchall()
        return choose(from_catalog(rows), self._command.columns, table.quoted())

    def _make_loads_table(self, connection: psycopg.Connection[Any]) -> None:
        """Make the table of loads if there is none: a transaction of its own, that others need not wait for."""
        with connection.transaction():
            if connection.execute("SELECT to_regclass(%s)", (LOADS_TABLE,)).fetchone() == (None,):
                connection.execute(_LOCK_TIMEOUT, [self._lock_timeout])
                connection.execute("SELECT pg_advisory_xact_lock(5136146221)")  # IF NOT EXISTS alone may collide
                connection.execute(CREATE_LOADS_TABLE)


def _csv(batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """Batches as CSV in which NULL is an empty field, and an empty string a quoted one."""
    for batch in batches:
        sink = pa.BufferOutputStream()
        arrow_csv.write_csv(batch, sink, _CSV)
        yield sink.getvalue().to_pybytes()
