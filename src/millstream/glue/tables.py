"""Tables for record format conversion: Firehose's port `Tables` over the catalog."""

from __future__ import annotations

from typing import Any

import msgspec

from millstream.catalog import Catalog, CatalogError
from millstream.firehose.ports import Column, DeliveryError
from millstream.glue.model import TABLE_KIND, Table, document_name

LATEST = "LATEST"


class GlueTables:
    """Reads tables out of the catalog, at each call anew: a change of a table is picked up by the next object."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def columns(self, database: str, table: str, *, region: str, account: str, version: str = LATEST) -> list[Column]:
        """The columns of a table, partition columns excluded, in their order; names as the table has them.

        `version` is a VersionId, or LATEST. Raises DeliveryError: DataFormatConversion.EntityNotFound, .InvalidSchema,
        or .ServiceUnavailable if the catalog cannot be read.
        """
        found = self._find(database.lower(), table.lower(), region, account)
        if found is None:
            raise DeliveryError(
                "DataFormatConversion.EntityNotFound",
                f"The specified table could not be found: {database}.{table} in {region}. Create it, or correct "
                "DatabaseName, TableName and Region of the schema configuration.",
            )
        chosen = found.latest if version in (LATEST, "") else found.version(version)
        if chosen is None:
            raise DeliveryError(
                "DataFormatConversion.EntityNotFound", f"The table {database}.{table} has no version {version}."
            )
        return [_column(column) for column in (chosen.members.get("StorageDescriptor") or {}).get("Columns") or []]

    def _find(self, database: str, table: str, region: str, account: str) -> Table | None:
        try:
            document = self._catalog.get(TABLE_KIND, account, region, document_name(database, table))
        except CatalogError as error:
            raise DeliveryError("DataFormatConversion.ServiceUnavailable", str(error)) from error
        return None if document is None else msgspec.msgpack.decode(document.body, type=Table)


def _column(column: dict[str, Any]) -> Column:
    name, kind = column.get("Name", ""), column.get("Type") or ""
    if not kind:
        raise DeliveryError(
            "DataFormatConversion.InvalidSchema", f"The schema is invalid. The column {name!r} has no type."
        )
    return Column(name, kind)
