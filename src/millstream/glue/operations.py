"""The operations of Glue that are served: a function each, named as in the API.

Names are lower-cased, as Glue does. CatalogId is the caller's account, if it is given. Options that make no difference
here (transactions, audit contexts, resource shares, attributes to get) are taken and ignored.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from millstream.glue.faults import (
    ConcurrentModificationException,
    EntityNotFoundException,
    InvalidInputException,
)
from millstream.glue.model import Database, Table, Version
from millstream.glue.service import GlueService
from millstream.wire.context import CallContext
from millstream.wire.operation import Operation

Params = Mapping[str, Any]
Item = TypeVar("Item")

PAGE_MAX = 100
_PATTERN_LETTERS = frozenset("[](){}+?^$\\")


def create_database(service: GlueService, context: CallContext, params: Params) -> None:
    """Make a database."""
    service.create_database(context, _lowered(params["DatabaseInput"]))


def get_database(service: GlueService, context: CallContext, params: Params) -> dict[str, Any]:
    """A database."""
    return {"Database": _database(context, service.database(context, params["Name"].lower()))}


def get_databases(service: GlueService, context: CallContext, params: Params) -> dict[str, Any]:
    """The databases, page by page."""
    page, token = _page(service.databases(context), params, lambda database: database.name)
    return {"DatabaseList": [_database(context, database) for database in page], "NextToken": token}


def update_database(service: GlueService, context: CallContext, params: Params) -> None:
    """Change what a database says of itself; its name stays."""
    name = params["Name"].lower()
    service.update_database(context, name, _unrenamed(_lowered(params["DatabaseInput"]), name))


def delete_database(service: GlueService, context: CallContext, params: Params) -> None:
    """Delete a database with its tables."""
    service.delete_database(context, params["Name"].lower())


def create_table(service: GlueService, context: CallContext, params: Params) -> None:
    """Make a table, at version 0."""
    service.create_table(context, params["DatabaseName"].lower(), _table_input(params))


def update_table(service: GlueService, context: CallContext, params: Params) -> None:
    """Give a table another version."""
    members, database = _table_input(params), params["DatabaseName"].lower()
    expected = params.get("VersionId")
    if expected is not None and expected != str(service.table(context, database, members["Name"]).latest.number):
        raise ConcurrentModificationException("Update table failed due to concurrent modifications.")
    service.update_table(context, database, members, archive=not params.get("SkipArchive", False))


def get_table(service: GlueService, context: CallContext, params: Params) -> dict[str, Any]:
    """The newest version of a table."""
    return {"Table": _table(context, _found(service, context, params, "Name"))}


def get_tables(service: GlueService, context: CallContext, params: Params) -> dict[str, Any]:
    """The tables of a database whose names follow Expression, page by page."""
    matches = _matcher(params.get("Expression", ""))
    tables = [table for table in service.tables(context, params["DatabaseName"].lower()) if matches(table.name)]
    page, token = _page(tables, params, lambda table: table.name)
    return {"TableList": [_table(context, table) for table in page], "NextToken": token}


def delete_table(service: GlueService, context: CallContext, params: Params) -> None:
    """Delete a table with all of its versions."""
    database = params["DatabaseName"].lower()
    service.database(context, database)
    service.delete_table(context, database, params["Name"].lower())


def batch_delete_table(service: GlueService, context: CallContext, params: Params) -> dict[str, Any]:
    """Delete several tables; those that are not there are named in the answer."""
    database = params["DatabaseName"].lower()
    service.database(context, database)
    errors = []
    for name in params["TablesToDelete"]:
        try:
            service.delete_table(context, database, name.lower())
        except EntityNotFoundException as fault:
            detail = {"ErrorCode": fault.code, "ErrorMessage": fault.message}
            errors.append({"TableName": name, "ErrorDetail": detail})
    return {"Errors": errors}


def get_table_version(service: GlueService, context: CallContext, params: Params) -> dict[str, Any]:
    """A version of a table, the newest if none is named."""
    table = _found(service, context, params, "TableName")
    named = params.get("VersionId")
    version = table.latest if named is None else table.version(named)
    if version is None:
        raise EntityNotFoundException(f"The version {named} of the table {table.name} was not found.")
    return {"TableVersion": _version(context, table, version)}


def get_table_versions(service: GlueService, context: CallContext, params: Params) -> dict[str, Any]:
    """The versions of a table that are kept, the newest first, page by page."""
    table = _found(service, context, params, "TableName")
    newest_first = table.versions[::-1]
    page, token = _page(newest_first, params, lambda version: f"{newest_first[0].number - version.number:09d}")
    return {"TableVersions": [_version(context, table, version) for version in page], "NextToken": token}


def get_partitions(service: GlueService, context: CallContext, params: Params) -> dict[str, Any]:
    """The partitions of a table: none, there are no partitions here."""
    _found(service, context, params, "TableName")
    return {"Partitions": []}


OPERATIONS: dict[str, Callable[[GlueService, CallContext, Any], dict[str, Any] | None]] = {
    "CreateDatabase": create_database,
    "GetDatabase": get_database,
    "GetDatabases": get_databases,
    "UpdateDatabase": update_database,
    "DeleteDatabase": delete_database,
    "CreateTable": create_table,
    "UpdateTable": update_table,
    "GetTable": get_table,
    "GetTables": get_tables,
    "DeleteTable": delete_table,
    "BatchDeleteTable": batch_delete_table,
    "GetTableVersion": get_table_version,
    "GetTableVersions": get_table_versions,
    "GetPartitions": get_partitions,
}
"""The API that is served."""


def operations_of(service: GlueService) -> dict[str, Operation]:
    """The API of `service`, bound to it."""
    return {name: Operation(name, partial(_call, function, service)) for name, function in OPERATIONS.items()}


def _call(
    function: Callable[[GlueService, CallContext, Any], dict[str, Any] | None],
    service: GlueService,
    context: CallContext,
    params: Params,
) -> dict[str, Any] | None:
    catalog_id = params.get("CatalogId", context.account)
    if catalog_id != context.account:
        raise EntityNotFoundException(f"Catalog {catalog_id} not found: the catalog of a caller is its account's.")
    return function(service, context, params)


def _found(service: GlueService, context: CallContext, params: Params, member: str) -> Table:
    return service.table(context, params["DatabaseName"].lower(), params[member].lower())


def _lowered(members: Params) -> dict[str, Any]:
    """Members with their Name in lower case. Raises InvalidInputException for a blank one."""
    name = members["Name"].lower()
    if not name.strip():
        raise InvalidInputException("Name must not be blank.")
    return {**members, "Name": name}


def _unrenamed(members: dict[str, Any], name: str) -> dict[str, Any]:
    if members["Name"] != name:
        raise InvalidInputException("A database cannot be renamed.")
    return members


def _table_input(params: Params) -> dict[str, Any]:
    """The members of a table, names of its columns in lower case. Raises InvalidInputException."""
    if "TableInput" not in params:
        raise InvalidInputException("TableInput is required: tables of open formats are not served.")
    members = _lowered(params["TableInput"])
    keys = [_lowered(column) for column in members.get("PartitionKeys", [])]
    descriptor = members.get("StorageDescriptor", {})
    columns = [_lowered(column) for column in descriptor.get("Columns", [])]
    names = [column["Name"] for column in (*columns, *keys)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInputException(f"The table {members['Name']} has the column {twice} twice.")
    if "PartitionKeys" in members:
        members["PartitionKeys"] = keys
    if "Columns" in descriptor:
        members["StorageDescriptor"] = {**descriptor, "Columns": columns}
    return members


def _database(context: CallContext, database: Database) -> dict[str, Any]:
    return {**database.members, "CreateTime": database.created_ms, "CatalogId": context.account}


def _table(context: CallContext, table: Table, version: Version | None = None) -> dict[str, Any]:
    shown = version or table.latest
    return {
        **shown.members,
        "DatabaseName": table.database,
        "CreateTime": table.created_ms,
        "UpdateTime": shown.updated_ms,
        "CreatedBy": f"arn:aws:iam::{context.account}:root",
        "IsRegisteredWithLakeFormation": False,
        "CatalogId": context.account,
        "VersionId": str(shown.number),
    }


def _version(context: CallContext, table: Table, version: Version) -> dict[str, Any]:
    return {"Table": _table(context, table, version), "VersionId": str(version.number)}


def _page(items: Sequence[Item], params: Params, key: Callable[[Item], str]) -> tuple[list[Item], str | None]:
    """The page that NextToken asks for, and the token of the next one; `items` are in the order of their keys.

    A token is the key of the last item before the page. Raises InvalidInputException.
    """
    after = _open_token(params["NextToken"]) if "NextToken" in params else ""
    left = [item for item in items if key(item) > after]
    size = params.get("MaxResults", PAGE_MAX)
    page = left[:size]
    token = base64.urlsafe_b64encode(key(page[-1]).encode()).decode() if len(left) > size else None
    return page, token


def _open_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidInputException("NextToken is invalid.") from None


def _matcher(expression: str) -> Callable[[str], bool]:
    """Whether names follow a pattern: literals, `*` or `.*` for any text, `|` between alternatives; "" for all.

    Glue takes any regular expression; one of a caller's own could take the server's time without end, so the rest of
    them is refused. Raises InvalidInputException.
    """
    if not expression:
        return lambda _name: True
    if not _PATTERN_LETTERS.isdisjoint(expression):
        raise InvalidInputException(
            "Expression may have literals, `*`, `.*` and `|`; other patterns are not supported."
        )
    alternatives = [pattern.lower().replace(".*", "*").split("*") for pattern in expression.split("|")]
    return lambda name: any(_follows(name, parts) for parts in alternatives)


def _follows(name: str, parts: list[str]) -> bool:
    """Whether a name is the parts with any text between them."""
    first, *middle = parts
    if not middle:
        return name == first
    last = middle.pop()
    if not name.startswith(first):
        return False
    position = len(first)
    for part in middle:
        position = name.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return name.endswith(last) and len(name) - len(last) >= position
