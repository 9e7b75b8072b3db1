"""A COPY command, read once and ready to run: what the adapters are made from."""

from __future__ import annotations

from typing import NamedTuple

from millstream.firehose.configuration import CopyCommand
from millstream.firehose.ports import DeliveryError
from millstream.firehose.warehouse.copyoptions import CopyOptions, CopyOptionsError, parse_copy_options
from millstream.firehose.warehouse.jsonpaths import Path, parse_jsonpaths
from millstream.firehose.warehouse.names import TableName, parse_columns, parse_table
from millstream.objects.port import ObjectStores, StoreError


class Copy(NamedTuple):
    """What a COPY loads, and how."""

    table: TableName
    columns: list[str]
    options: CopyOptions


def read_command(command: CopyCommand) -> Copy:
    """Read a CopyCommand. Raises DeliveryError (Redshift.SyntaxError, Redshift.IncorrectCopyOptions)."""
    try:
        options = parse_copy_options(command.options)
    except CopyOptionsError as error:
        raise DeliveryError("Redshift.IncorrectCopyOptions", str(error)) from error
    return Copy(parse_table(command.table), parse_columns(command.columns), options)


async def read_jsonpaths(options: CopyOptions, stores: ObjectStores) -> list[Path] | None:
    """The paths of the jsonpaths file; None if the options name none. Raises DeliveryError."""
    if options.json is None or not options.json.startswith("s3://"):
        return None
    bucket, _, key = options.json.removeprefix("s3://").partition("/")
    try:
        data = await stores.bucket(bucket).get(key)
    except StoreError as error:
        raise DeliveryError(
            "Redshift.IncorrectJsonPathsFile", f"The jsonpaths file {options.json} cannot be read: {error}"
        ) from error
    return parse_jsonpaths(data)
