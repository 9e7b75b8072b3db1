"""Glue's operations over a catalog in memory; calls go through the wire's shapes."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from millstream.base.clock import ManualClock
from millstream.catalog import SqliteCatalog
from millstream.glue import GlueService, operations_of
from millstream.glue.service import VERSIONS_MAX
from millstream.wire import CallContext, Codec, Fault, Operation, Service

ACCOUNT = "123456789012"


@cache
def wire() -> Service:
    """The wire of the operations, bound to nothing."""
    names = operations_of(GlueService(SqliteCatalog(":memory:"), ManualClock()))
    return Service("glue", {name: Operation(name, print) for name in names})


class Glue:
    """A server's table definitions."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.catalog = SqliteCatalog(":memory:")
        self._operations = operations_of(GlueService(self.catalog, self.clock))

    def __call__(self, operation: str, account: str = ACCOUNT, **params: Any) -> Any:
        """Makes a call as a JSON client does."""
        context = CallContext(operation, account, "us-east-1", "request-id", Codec.JSON)
        found = wire().find(operation)
        request = wire().decode(found, Codec.JSON, json.dumps(params).encode())
        result = self._operations[operation].handler(context, request)
        assert result is None or isinstance(result, dict)
        return json.loads(wire().encode(found, Codec.JSON, result))

    def refusal(self, operation: str, **params: Any) -> tuple[str, str]:
        """The fault that a call must be answered with."""
        with pytest.raises(Fault) as caught:
            self(operation, **params)
        assert caught.value.message_key == "Message" or caught.value.code == "ValidationException"
        return caught.value.code, caught.value.message

    def create_table(self, name: str = "ticks", columns: str = "price double", **members: Any) -> None:
        """Makes a table in the database `lake`."""
        self("CreateTable", DatabaseName="lake", TableInput=table_input(name, columns, **members))


def table_input(name: str, columns: str = "price double", **members: Any) -> dict[str, Any]:
    pairs = [column.split(" ") for column in columns.split(", ")]
    described = [{"Name": column, "Type": kind} for column, kind in pairs]
    return {"Name": name, "StorageDescriptor": {"Columns": described}, **members}


@pytest.fixture
def glue() -> Glue:
    made = Glue()
    made("CreateDatabase", DatabaseInput={"Name": "lake"})
    return made


def test_a_table_is_as_it_was_made_with_names_in_lower_case(glue: Glue) -> None:
    glue("CreateTable", DatabaseName="LAKE", TableInput=table_input(
        "Ticks", "Price double, at timestamp", PartitionKeys=[{"Name": "Day", "Type": "date"}],
        TableType="EXTERNAL_TABLE", Parameters={"classification": "parquet"}))  # fmt: skip
    table = glue("GetTable", DatabaseName="Lake", Name="TICKS")["Table"]
    assert table == {
        "Name": "ticks",
        "DatabaseName": "lake",
        "StorageDescriptor": {"Columns": [{"Name": "price", "Type": "double"}, {"Name": "at", "Type": "timestamp"}]},
        "PartitionKeys": [{"Name": "day", "Type": "date"}],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet"},
        "CreateTime": glue.clock.now_ms() / 1000,
        "UpdateTime": glue.clock.now_ms() / 1000,
        "CreatedBy": f"arn:aws:iam::{ACCOUNT}:root",
        "IsRegisteredWithLakeFormation": False,
        "CatalogId": ACCOUNT,
        "VersionId": "0",
    }


def test_an_update_makes_a_version_and_the_older_ones_stay(glue: Glue) -> None:
    glue.create_table()
    glue("UpdateTable", DatabaseName="lake", TableInput=table_input("ticks", "price decimal(9,2)"))
    latest = glue("GetTable", DatabaseName="lake", Name="ticks")["Table"]
    assert (latest["VersionId"], latest["StorageDescriptor"]["Columns"][0]["Type"]) == ("1", "decimal(9,2)")
    versions = glue("GetTableVersions", DatabaseName="lake", TableName="ticks")["TableVersions"]
    assert [version["VersionId"] for version in versions] == ["1", "0"]
    first = glue("GetTableVersion", DatabaseName="lake", TableName="ticks", VersionId="0")["TableVersion"]
    assert first["Table"]["StorageDescriptor"]["Columns"][0]["Type"] == "double"


def test_versions_are_not_kept_if_archiving_is_skipped_nor_without_end(glue: Glue) -> None:
    glue.create_table()
    glue("UpdateTable", DatabaseName="lake", TableInput=table_input("ticks"), SkipArchive=True)
    versions = glue("GetTableVersions", DatabaseName="lake", TableName="ticks")["TableVersions"]
    assert [version["VersionId"] for version in versions] == ["1"]
    for _ in range(VERSIONS_MAX + 5):
        glue("UpdateTable", DatabaseName="lake", TableInput=table_input("ticks"))
    seen, token = [], None
    while True:
        more: dict[str, Any] = {"NextToken": token} if token else {}
        reply = glue("GetTableVersions", DatabaseName="lake", TableName="ticks", MaxResults=30, **more)
        seen += [int(version["VersionId"]) for version in reply["TableVersions"]]
        token = reply.get("NextToken")
        if token is None:
            break
    assert seen == list(range(VERSIONS_MAX + 6, 6, -1))


def test_an_update_of_another_version_than_the_newest_is_refused(glue: Glue) -> None:
    glue.create_table()
    code, _ = glue.refusal("UpdateTable", DatabaseName="lake", TableInput=table_input("ticks"), VersionId="7")
    assert code == "ConcurrentModificationException"


def test_databases(glue: Glue) -> None:
    glue("CreateDatabase", DatabaseInput={"Name": "Archive", "Description": "old"})
    assert [each["Name"] for each in glue("GetDatabases")["DatabaseList"]] == ["archive", "lake"]
    glue("UpdateDatabase", Name="archive", DatabaseInput={"Name": "archive", "Description": "older"})
    assert glue("GetDatabase", Name="ARCHIVE")["Database"]["Description"] == "older"
    assert glue.refusal("UpdateDatabase", Name="archive", DatabaseInput={"Name": "new"})[0] == "InvalidInputException"
    assert glue.refusal("CreateDatabase", DatabaseInput={"Name": "LAKE"}) == (
        "AlreadyExistsException",
        "Database already exists.",
    )


def test_a_deleted_database_takes_its_tables_along_and_no_others(glue: Glue) -> None:
    glue("CreateDatabase", DatabaseInput={"Name": "lake2"})
    glue.create_table()
    glue("CreateTable", DatabaseName="lake2", TableInput=table_input("ticks"))
    glue("DeleteDatabase", Name="lake")
    assert glue.refusal("GetTables", DatabaseName="lake") == ("EntityNotFoundException", "Database lake not found.")
    glue("CreateDatabase", DatabaseInput={"Name": "lake"})
    assert glue("GetTables", DatabaseName="lake")["TableList"] == []
    assert len(glue("GetTables", DatabaseName="lake2")["TableList"]) == 1


def test_tables_are_listed_page_by_page(glue: Glue) -> None:
    for number in range(7):
        glue.create_table(f"t{number}")
    names, token, pages = [], None, 0
    while pages == 0 or token:
        more: dict[str, Any] = {"NextToken": token} if token else {}
        reply = glue("GetTables", DatabaseName="lake", MaxResults=3, **more)
        names += [table["Name"] for table in reply["TableList"]]
        token, pages = reply.get("NextToken"), pages + 1
    assert (names, pages) == ([f"t{number}" for number in range(7)], 3)
    code, _ = glue.refusal("GetTables", DatabaseName="lake", NextToken="{")
    assert code == "InvalidInputException"


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("ticks", ["ticks"]),
        ("TICK*", ["ticks", "ticks_old"]),
        (".*old", ["orders_old", "ticks_old"]),
        ("o*s*d|ticks", ["orders_old", "ticks"]),
        ("*", ["orders_old", "ticks", "ticks_old"]),
        ("tick", []),
        ("ticks*ticks", []),
    ],
)
def test_tables_are_listed_by_a_pattern(glue: Glue, expression: str, names: list[str]) -> None:
    for name in ("ticks", "ticks_old", "orders_old"):
        glue.create_table(name)
    tables = glue("GetTables", DatabaseName="lake", Expression=expression)["TableList"]
    assert [table["Name"] for table in tables] == names


def test_patterns_that_are_not_served_are_refused(glue: Glue) -> None:
    assert glue.refusal("GetTables", DatabaseName="lake", Expression="(a+)+")[0] == "InvalidInputException"


def test_deleting_tables(glue: Glue) -> None:
    for name in ("a", "b", "c"):
        glue.create_table(name)
    glue("DeleteTable", DatabaseName="lake", Name="A")
    reply = glue("BatchDeleteTable", DatabaseName="lake", TablesToDelete=["b", "x"])
    detail = {"ErrorCode": "EntityNotFoundException", "ErrorMessage": "Entity Not Found"}
    assert reply["Errors"] == [{"TableName": "x", "ErrorDetail": detail}]
    assert [table["Name"] for table in glue("GetTables", DatabaseName="lake")["TableList"]] == ["c"]


def test_there_are_no_partitions(glue: Glue) -> None:
    glue.create_table()
    assert glue("GetPartitions", DatabaseName="lake", TableName="ticks") == {"Partitions": []}


@pytest.mark.parametrize(
    ("operation", "params", "fault"),
    [
        ("GetTable", {"DatabaseName": "no", "Name": "x"}, ("EntityNotFoundException", "Database no not found.")),
        ("GetTable", {"DatabaseName": "lake", "Name": "x"}, ("EntityNotFoundException", "Entity Not Found")),
        ("DeleteTable", {"DatabaseName": "lake", "Name": "x"}, ("EntityNotFoundException", "Entity Not Found")),
        ("GetPartitions", {"DatabaseName": "lake", "TableName": "x"}, ("EntityNotFoundException", "Entity Not Found")),
        ("UpdateTable", {"DatabaseName": "lake", "TableInput": {"Name": "x"}},
         ("EntityNotFoundException", "Entity Not Found")),
        ("DeleteDatabase", {"Name": "no"}, ("EntityNotFoundException", "Database no not found.")),
        ("CreateTable", {"DatabaseName": "no", "TableInput": {"Name": "x"}},
         ("EntityNotFoundException", "Database no not found.")),
        ("CreateTable", {"DatabaseName": "lake", "TableInput": {"Name": " "}},
         ("InvalidInputException", "Name must not be blank.")),
        ("CreateTable", {"DatabaseName": "lake"},
         ("InvalidInputException", "TableInput is required: tables of open formats are not served.")),
        ("CreateTable", {"DatabaseName": "lake", "TableInput": table_input("x", "a int, A string")},
         ("InvalidInputException", "The table x has the column a twice.")),
        ("GetDatabases", {"CatalogId": "1"},
         ("EntityNotFoundException", "Catalog 1 not found: the catalog of a caller is its account's.")),
    ],
)  # fmt: skip
def test_faults(glue: Glue, operation: str, params: dict[str, Any], fault: tuple[str, str]) -> None:
    assert glue.refusal(operation, **params) == fault


def test_a_second_table_of_one_name_is_refused(glue: Glue) -> None:
    glue.create_table()
    fault = glue.refusal("CreateTable", DatabaseName="lake", TableInput=table_input("TICKS"))
    assert fault == ("AlreadyExistsException", "Table already exists.")


def test_a_name_of_impossible_characters_is_refused_by_the_model(glue: Glue) -> None:
    assert glue.refusal("CreateDatabase", DatabaseInput={"Name": "a\x1fb"})[0] == "ValidationException"
    glue("CreateDatabase", DatabaseInput={"Name": "größe 🌾"})
    assert glue("GetDatabase", Name="GRÖßE 🌾")["Database"]["Name"] == "größe 🌾"


def test_accounts_do_not_see_each_other(glue: Glue) -> None:
    assert glue("GetDatabases", account="210987654321") == {"DatabaseList": []}
