"""The store of databases and tables: what operations work with."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from millstream.base.clock import Clock
from millstream.catalog import Catalog, Document
from millstream.glue.faults import AlreadyExistsException, EntityNotFoundException
from millstream.glue.model import DATABASE_KIND, TABLE_KIND, Database, Table, Version, document_name
from millstream.wire.context import CallContext

VERSIONS_MAX = 100
"""Versions kept of a table; older ones are forgotten, so that its document stays small."""

Kept = TypeVar("Kept", Database, Table)


class GlueService:
    """Glue without its API, which `operations_of` gives. Names are in lower case here; everything is in the catalog."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self.clock = clock
        self._catalog = catalog

    def databases(self, context: CallContext) -> list[Database]:
        """The account's databases, by name."""
        documents = self._catalog.list(DATABASE_KIND, context.account, context.region)
        return [msgspec.msgpack.decode(document.body, type=Database) for document in documents]

    def database(self, context: CallContext, name: str) -> Database:
        """A database. Raises EntityNotFoundException."""
        return self._find(context, DATABASE_KIND, name, Database)[1]

    def create_database(self, context: CallContext, members: dict[str, Any]) -> None:
        """Make a database. Raises AlreadyExistsException."""
        name = members["Name"]
        if self._catalog.get(DATABASE_KIND, context.account, context.region, name) is not None:
            raise AlreadyExistsException("Database already exists.")
        database = Database(name=name, created_ms=self.clock.now_ms(), members=members)
        self._put(context, DATABASE_KIND, name, database, 0)

    def update_database(self, context: CallContext, name: str, members: dict[str, Any]) -> None:
        """Give a database other members. Raises EntityNotFoundException."""
        document, database = self._find(context, DATABASE_KIND, name, Database)
        self._put(context, DATABASE_KIND, name, msgspec.structs.replace(database, members=members), document.version)

    def delete_database(self, context: CallContext, name: str) -> None:
        """Delete a database and its tables; the database last, so that a crash leaves no table without one."""
        document, _ = self._find(context, DATABASE_KIND, name, Database)
        for table in self.tables(context, name):
            self.delete_table(context, name, table.name)
        self._catalog.delete(DATABASE_KIND, context.account, context.region, name, document.version)

    def tables(self, context: CallContext, database: str) -> list[Table]:
        """The tables of a database, by name. Raises EntityNotFoundException."""
        self.database(context, database)
        start = document_name(database, "")
        return [
            msgspec.msgpack.decode(document.body, type=Table)
            for document in self._catalog.list(TABLE_KIND, context.account, context.region)
            if document.name.startswith(start)
        ]

    def table(self, context: CallContext, database: str, name: str) -> Table:
        """A table. Raises EntityNotFoundException."""
        self.database(context, database)
        return self._find(context, TABLE_KIND, document_name(database, name), Table)[1]

    def create_table(self, context: CallContext, database: str, members: dict[str, Any]) -> None:
        """Make a table. Raises EntityNotFoundException, AlreadyExistsException."""
        self.database(context, database)
        name = document_name(database, members["Name"])
        if self._catalog.get(TABLE_KIND, context.account, context.region, name) is not None:
            raise AlreadyExistsException("Table already exists.")
        now_ms = self.clock.now_ms()
        versions = [Version(number=0, updated_ms=now_ms, members=members)]
        table = Table(database=database, name=members["Name"], created_ms=now_ms, versions=versions)
        self._put(context, TABLE_KIND, name, table, 0)

    def update_table(self, context: CallContext, database: str, members: dict[str, Any], *, archive: bool) -> None:
        """Give a table another version; with `archive` the older ones are kept. Raises EntityNotFoundException."""
        self.database(context, database)
        name = document_name(database, members["Name"])
        document, table = self._find(context, TABLE_KIND, name, Table)
        kept = table.versions if archive else table.versions[:-1]
        version = Version(number=table.latest.number + 1, updated_ms=self.clock.now_ms(), members=members)
        changed = msgspec.structs.replace(table, versions=[*kept, version][-VERSIONS_MAX:])
        self._put(context, TABLE_KIND, name, changed, document.version)

    def delete_table(self, context: CallContext, database: str, name: str) -> None:
        """Delete a table with all of its versions. Raises EntityNotFoundException."""
        document, _ = self._find(context, TABLE_KIND, document_name(database, name), Table)
        self._catalog.delete(TABLE_KIND, context.account, context.region, document.name, document.version)

    def _find(self, context: CallContext, kind: str, name: str, type_: type[Kept]) -> tuple[Document, Kept]:
        document = self._catalog.get(kind, context.account, context.region, name)
        if document is None:
            what = f"Database {name} not found." if kind == DATABASE_KIND else "Entity Not Found"
            raise EntityNotFoundException(what)
        return document, msgspec.msgpack.decode(document.body, type=type_)

    def _put(self, context: CallContext, kind: str, name: str, value: Database | Table, version: int) -> None:
        self._catalog.put(kind, context.account, context.region, name, msgspec.msgpack.encode(value), version)
