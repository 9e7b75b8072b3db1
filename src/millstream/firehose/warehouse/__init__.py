"""Warehouses: objects in, rows of a table out, as Redshift's COPY does it.

`open_warehouse` makes the adapter that a ClusterJDBCURL means. Amazon Redshift runs COPY itself; for PostgreSQL and
DuckDB this room does: it reads JSON or delimited text, coerces values to the types in the warehouse's catalog by
Redshift's rules, counts bad rows (MAXERROR), and loads all in one transaction. The rows come from the parcel, whose
bytes are those of the object in the intermediate bucket before compression, in pieces, so memory is bounded.

What checks a configuration, or shows it, is light to import: `parse_copy_options`, `parse_cluster_url`,
`console_text`. The adapters load pyarrow and a driver, and are imported by `open_warehouse` only.
"""

# ruff: noqa: PLC0415 - each adapter loads a driver, which the others do not need

from __future__ import annotations

import os
from functools import partial

from millstream.firehose.configuration import Redshift
from millstream.firehose.ports import DeliveryError, Surroundings
from millstream.firehose.warehouse.clusterurl import ClusterUrlError, DuckDbFile, Server, parse_cluster_url
from millstream.firehose.warehouse.command import read_command
from millstream.firehose.warehouse.copyoptions import CopyOptions, CopyOptionsError, parse_copy_options
from millstream.firehose.warehouse.copytext import console_text
from millstream.firehose.warehouse.port import Load, LoadFailed, LoadResult, RowError, Warehouse

__all__ = [
    "ClusterUrlError",
    "CopyOptions",
    "CopyOptionsError",
    "Load",
    "LoadFailed",
    "LoadResult",
    "RowError",
    "Warehouse",
    "console_text",
    "open_warehouse",
    "parse_cluster_url",
    "parse_copy_options",
]

_LOCK_S_MIN = 5.0
_LOCK_S_MAX = 60.0


def open_warehouse(configuration: Redshift, surroundings: Surroundings) -> Warehouse:
    """The warehouse that a destination means; nothing is connected yet.

    Raises DeliveryError (Redshift.ConnectionFailed, Redshift.SyntaxError, Redshift.IncorrectCopyOptions).
    """
    try:
        place = parse_cluster_url(configuration.cluster_url)
    except ClusterUrlError as error:
        raise DeliveryError("Redshift.ConnectionFailed", str(error)) from error
    if isinstance(place, DuckDbFile):
        return _duckdb(place, configuration, surroundings)
    return _server(place, configuration, surroundings)


def _duckdb(file: DuckDbFile, configuration: Redshift, around: Surroundings) -> Warehouse:
    from millstream.firehose.warehouse.duckdb import DuckDbWarehouse

    path = file.path or around.warehouse_path
    if file.name:
        path = os.path.join(os.path.dirname(around.warehouse_path), f"{file.name}.duckdb")
    command = read_command(configuration.copy)
    return DuckDbWarehouse(path, command, around.stores, around.clock, around.generator)


def _server(server: Server, configuration: Redshift, around: Surroundings) -> Warehouse:
    from millstream.firehose.warehouse.connections import connect

    opener = partial(connect, server, configuration.user, configuration.password)
    if server.kind == "redshift":
        from millstream.firehose.warehouse.redshift import RedshiftWarehouse

        return RedshiftWarehouse(opener, configuration.copy, configuration.role_arn, around.stores)
    from millstream.firehose.warehouse.postgres import PostgresWarehouse

    lock_s_max = max(_LOCK_S_MIN, min(_LOCK_S_MAX, configuration.retry.duration_s / 2))
    return PostgresWarehouse(opener, read_command(configuration.copy), around.stores, lock_s_max=lock_s_max)
