"""Amazon Redshift as a warehouse: its own COPY from S3, sent over PostgreSQL's protocol.

As Firehose does, each COPY reads a manifest that names the object, so that not one object more or less is loaded (a
plain S3 path would be a prefix). The user may have no right to make tables, so loads are looked up in Redshift's own
log of them, stl_load_commits, which it keeps for some days: a COPY that is repeated after a crash finds that it was
committed. Where that log cannot be read (Redshift Serverless, missing rights), such a COPY may load an object twice.
"""

from __future__ import annotations

import posixpath
from typing import Any

import psycopg

from millstream.firehose.configuration import CopyCommand
from millstream.firehose.ports import DeliveryError
from millstream.firehose.warehouse.connections import COPY_S_MAX, Connect, bounded
from millstream.firehose.warehouse.copytext import copy_text, literal
from millstream.firehose.warehouse.failures import from_server
from millstream.firehose.warehouse.manifest import manifest_body
from millstream.firehose.warehouse.port import Load, LoadResult
from millstream.objects.port import ObjectStores, StoreError
from millstream.objects.threads import in_thread

_LOADED = """
    SELECT 1 FROM stl_load_commits JOIN stl_query USING (query)
    WHERE trim(filename) = {url} AND aborted = 0 LIMIT 1
"""


class RedshiftWarehouse:
    """Copies into a table of a Redshift cluster. `connect` opens a connection, and is called in a thread."""

    def __init__(
        self,
        connect: Connect,
        command: CopyCommand,
        role_arn: str,
        stores: ObjectStores,
    ) -> None:
        self._connect = connect
        self._command = command
        self._credentials = f"aws_iam_role={role_arn}"
        self._stores = stores

    async def copy(self, load: Load) -> LoadResult:
        """Load an object; see Warehouse. Rows that MAXERROR let pass are in Redshift's stl_load_errors."""
        folder, name = posixpath.split(load.key)
        key = posixpath.join("manifests", folder, name)
        try:
            await self._stores.bucket(load.bucket).put(key, lambda: [manifest_body(load.url)])
        except StoreError as error:
            raise DeliveryError(f"S3.{error.code}", f"The manifest {key} could not be written: {error}") from error
        manifest = f"s3://{load.bucket}/{key}"
        return await in_thread(lambda _stop: self._copy(load, manifest))

    def _copy(self, load: Load, manifest: str) -> LoadResult:
        try:
            with self._connect() as connection, bounded(connection, COPY_S_MAX):
                connection.autocommit = True
                if _was_loaded(connection, load.url):
                    return LoadResult(0, repeated=True)
                connection.execute(copy_text(self._command, manifest, self._credentials).encode())
                row = connection.execute(b"SELECT pg_last_copy_count()").fetchone()
                return LoadResult(int(row[0]) if row else 0)
        except psycopg.Error as error:
            raise from_server(error) from error


def _was_loaded(connection: psycopg.Connection[Any], url: str) -> bool:
    """Whether Redshift's log of loads has the object. False if the log cannot be read."""
    try:
        return connection.execute(_LOADED.format(url=literal(url)).encode()).fetchone() is not None
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return False
