"""Tables as record format conversion reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from millstream.base.clock import ManualClock
from millstream.catalog import SqliteCatalog
from millstream.firehose.ports import Column, DeliveryError, Tables
from millstream.glue import GlueService, GlueTables
from millstream.wire import CallContext, Codec

CONTEXT = CallContext("CreateTable", "123456789012", "eu-west-1", "request-id", Codec.JSON)
PLACE = {"region": "eu-west-1", "account": "123456789012"}


@pytest.fixture
def catalog() -> SqliteCatalog:
    return SqliteCatalog(":memory:")


@pytest.fixture
def service(catalog: SqliteCatalog) -> GlueService:
    made = GlueService(catalog, ManualClock())
    made.create_database(CONTEXT, {"Name": "lake"})
    made.create_table(CONTEXT, "lake", table("price double"))
    return made


def table(columns: str, **members: Any) -> dict[str, Any]:
    pairs = [column.split(" ") for column in columns.split(", ")]
    described = [{"Name": pair[0], **({"Type": pair[1]} if len(pair) > 1 else {})} for pair in pairs]
    return {"Name": "ticks", "StorageDescriptor": {"Columns": described}, **members}


def test_columns_are_those_of_the_newest_version_without_partition_keys(
    catalog: SqliteCatalog, service: GlueService
) -> None:
    tables: Tables = GlueTables(catalog)
    assert tables.columns("lake", "ticks", **PLACE) == [Column("price", "double")]
    changed = table("price float, at timestamp", PartitionKeys=[{"Name": "day", "Type": "date"}])
    service.update_table(CONTEXT, "lake", changed, archive=True)
    assert tables.columns("Lake", "TICKS", **PLACE) == [Column("price", "float"), Column("at", "timestamp")]


def test_a_version_may_be_named(catalog: SqliteCatalog, service: GlueService) -> None:
    service.update_table(CONTEXT, "lake", table("price float"), archive=True)
    tables = GlueTables(catalog)
    assert tables.columns("lake", "ticks", version="0", **PLACE) == [Column("price", "double")]
    with pytest.raises(DeliveryError, match=r"no version 9") as caught:
        tables.columns("lake", "ticks", version="9", **PLACE)
    assert caught.value.code == "DataFormatConversion.EntityNotFound"


def test_a_table_that_is_not_there_is_named(catalog: SqliteCatalog, service: GlueService) -> None:
    for place in ({**PLACE, "region": "us-east-1"}, {**PLACE, "account": "1"}):
        with pytest.raises(DeliveryError, match=r"could not be found: lake\.ticks in") as caught:
            GlueTables(catalog).columns("lake", "ticks", **place)
        assert caught.value.code == "DataFormatConversion.EntityNotFound"


def test_a_column_without_a_type_is_an_invalid_schema(catalog: SqliteCatalog, service: GlueService) -> None:
    service.update_table(CONTEXT, "lake", table("price"), archive=True)
    with pytest.raises(DeliveryError, match="column 'price' has no type") as caught:
        GlueTables(catalog).columns("lake", "ticks", **PLACE)
    assert caught.value.code == "DataFormatConversion.InvalidSchema"


def test_a_catalog_that_cannot_be_read_is_an_error_to_be_tried_again(catalog: SqliteCatalog) -> None:
    catalog.close()
    with pytest.raises(DeliveryError) as caught:
        GlueTables(catalog).columns("lake", "ticks", **PLACE)
    assert caught.value.code == "DataFormatConversion.ServiceUnavailable"


def test_another_process_sees_tables_that_are_made_meanwhile(tmp_path: Path) -> None:
    written = SqliteCatalog(tmp_path / "catalog.db")
    read = SqliteCatalog(tmp_path / "catalog.db", read_only=True)
    service = GlueService(written, ManualClock())
    service.create_database(CONTEXT, {"Name": "lake"})
    service.create_table(CONTEXT, "lake", table("price double"))
    assert GlueTables(read).columns("lake", "ticks", **PLACE) == [Column("price", "double")]
    read.close()
    written.close()
