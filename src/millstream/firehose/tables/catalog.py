"""A catalog of Iceberg tables in a SQLite file.

The file's tables are those of Iceberg's JDBC catalog (schema V1), so that others can open it: pyiceberg's SqlCatalog
("sqlite:///…/iceberg.db", name "millstream"), Spark's and Trino's JDBC catalogs. A commit is one conditional update: of
two at a time one fails, and is made again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pyarrow as pa
from pyiceberg.catalog import Catalog, MetastoreCatalog
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.io import FileIO
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.table.update import TableRequirement, TableUpdate
from pyiceberg.typedef import EMPTY_DICT, Identifier, Properties

from millstream.firehose.tables.upkeep import KEEP_PROPERTY

NAME = "millstream"
PROPERTIES = {
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
    "commit.manifest-merge.enabled": "true",
    KEEP_PROPERTY: "100",
}
"""Of tables made here: what every delivery adds to their metadata is merged and goes again."""

_BUSY_S = 30.0
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS iceberg_tables (
        catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL,
        metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5),
        PRIMARY KEY (catalog_name, table_namespace, table_name));
    CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
        catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL, property_key VARCHAR(255) NOT NULL,
        property_value VARCHAR(1000) NOT NULL, PRIMARY KEY (catalog_name, namespace, property_key));
"""
_FIND = """
    SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?
"""
_MOVE = """
    UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = metadata_location
    WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?
"""


class SqliteCatalog(NoopCatalog, MetastoreCatalog):
    """The tables of one SQLite file: loads, makes and commits them. Its files are reached by what `open_io` gives.

    What delivery does not need (renaming, dropping, views) is for other tools.
    """

    def __init__(self, path: str, open_io: Callable[[str], FileIO]) -> None:
        super().__init__(NAME)
        self._path = path
        self._open_io = open_io

    def load_table(self, identifier: str | Identifier) -> Table:
        """The table as it is now. Raises NoSuchTableError."""
        name = Catalog.identifier_to_tuple(identifier)
        with self._connection() as connection:
            row = connection.execute(_FIND, self._key(name)).fetchone()
        if row is None:
            raise NoSuchTableError(f"Table does not exist: {'.'.join(name)}")
        io = self._open_io(row[0])
        return Table(name, FromInputFile.table_metadata(io.new_input(row[0])), row[0], io, self)

    def make_table(self, name: Identifier, schema: pa.Schema, location: str) -> Table:
        """Make a table at that location; if it has been made meanwhile, that one."""
        staged = self._create_staged_table(name, schema, location, properties=PROPERTIES)
        self._write_metadata(staged.metadata, staged.io, staged.metadata_location)
        key = self._key(name)
        with self._connection() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO iceberg_namespace_properties VALUES (?, ?, 'exists', 'true')", key[:2]
            )
            connection.execute(
                "INSERT OR IGNORE INTO iceberg_tables VALUES (?, ?, ?, ?, NULL, 'TABLE')",
                (*key, staged.metadata_location),
            )
        return self.load_table(name)

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        """Commit changes of a table. Raises CommitFailedException if it has been changed meanwhile."""
        current = self.load_table(table.name())
        staged = self._update_and_stage_table(current, table.name(), requirements, updates)
        self._write_metadata(staged.metadata, staged.io, staged.metadata_location)
        with self._connection() as connection:
            key = self._key(table.name())
            moved = connection.execute(_MOVE, (staged.metadata_location, *key, current.metadata_location)).rowcount
        if not moved:
            raise CommitFailedException(f"Table has been changed meanwhile: {'.'.join(table.name())}")
        self._delete_old_metadata(staged.io, current.metadata, staged.metadata)
        response = {"metadata": staged.metadata, "metadata-location": staged.metadata_location}
        return CommitTableResponse.model_validate(response)

    def _load_file_io(self, properties: Properties = EMPTY_DICT, location: str | None = None) -> FileIO:  # noqa: ARG002
        return self._open_io(location or "")

    @staticmethod
    def _key(name: Identifier) -> tuple[str, str, str]:
        return NAME, ".".join(name[:-1]), name[-1]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection with a transaction, which is committed at the end."""
        with closing(sqlite3.connect(self._path, timeout=_BUSY_S)) as connection:
            connection.executescript(_SCHEMA)
            with connection:
                yield connection
