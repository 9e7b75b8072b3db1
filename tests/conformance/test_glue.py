"""Glue's operations by boto3: what scripts do that prepare record format conversion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from support.server import Server

COLUMNS = [{"Name": "Ticker", "Type": "string"}, {"Name": "price", "Type": "decimal(9,2)", "Comment": "in dollars"}]


@pytest.fixture
def glue(server: Server, account: str) -> Any:
    """A client in the test's own account."""
    return boto3.Session().client(
        "glue",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )


def test_a_table_comes_and_goes(glue: Any, account: str) -> None:
    glue.create_database(DatabaseInput={"Name": "Lake", "Description": "the lake"})
    glue.create_table(
        DatabaseName="lake",
        TableInput={
            "Name": "Ticks",
            "StorageDescriptor": {
                "Columns": COLUMNS,
                "Location": "s3://lake/ticks/",
                "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
            },
            "PartitionKeys": [{"Name": "day", "Type": "date"}],
            "TableType": "EXTERNAL_TABLE",
        },
    )
    table = glue.get_table(DatabaseName="lake", Name="ticks")["Table"]
    assert [column["Name"] for column in table["StorageDescriptor"]["Columns"]] == ["ticker", "price"]
    assert table["StorageDescriptor"]["Columns"][1]["Comment"] == "in dollars"
    assert (table["VersionId"], table["CatalogId"]) == ("0", account)
    assert table["CreateTime"].tzinfo is not None
    assert glue.get_partitions(DatabaseName="lake", TableName="ticks")["Partitions"] == []

    glue.update_table(DatabaseName="lake", TableInput={"Name": "ticks", "StorageDescriptor": {"Columns": COLUMNS[:1]}})
    versions = glue.get_table_versions(DatabaseName="lake", TableName="ticks")["TableVersions"]
    assert [version["VersionId"] for version in versions] == ["1", "0"]

    glue.delete_table(DatabaseName="lake", Name="ticks")
    with pytest.raises(glue.exceptions.EntityNotFoundException, match="Entity Not Found"):
        glue.get_table(DatabaseName="lake", Name="ticks")
    glue.delete_database(Name="lake")
    with pytest.raises(glue.exceptions.EntityNotFoundException, match=r"Database lake not found\."):
        glue.get_database(Name="lake")


def test_lists_go_page_by_page(glue: Any) -> None:
    glue.create_database(DatabaseInput={"Name": "lake"})
    for number in range(5):
        glue.create_table(DatabaseName="lake", TableInput={"Name": f"t{number}"})
    pages = list(glue.get_paginator("get_tables").paginate(DatabaseName="lake", PaginationConfig={"PageSize": 2}))
    assert [[table["Name"] for table in page["TableList"]] for page in pages] == [["t0", "t1"], ["t2", "t3"], ["t4"]]
    databases = glue.get_paginator("get_databases").paginate().build_full_result()["DatabaseList"]
    assert [database["Name"] for database in databases] == ["lake"]


def test_what_exists_is_not_made_again(glue: Any) -> None:
    glue.create_database(DatabaseInput={"Name": "lake"})
    with pytest.raises(glue.exceptions.AlreadyExistsException):
        glue.create_database(DatabaseInput={"Name": "lake"})


def test_an_operation_that_is_not_served_says_so(glue: Any) -> None:
    with pytest.raises(ClientError, match="GetCrawlers is not supported yet by Millstream") as caught:
        glue.get_crawlers()
    assert caught.value.response["Error"]["Code"] == "UnsupportedOperationException"
