"""`millstream deliver create` and `delete`: making delivery streams, and ending them without losing what waits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from millstream.cli.client import FIREHOSE, GLUE, KINESIS, CallError, Client, connect
from millstream.cli.deliver_create import Wanted, request_of, split_table
from millstream.cli.deliver_watch import describe, size_text
from millstream.cli.errors import CommandError
from millstream.wire.request import account_of

CREATE_POLLS_MAX = 100
POLL_S = 0.25  # describing takes five calls a second


def run_create(endpoint: str | None, environment: Mapping[str, str], wanted: Wanted, source: str | None) -> None:
    """Make the delivery stream and say how to go on. `source`: the data stream's name. Raises CommandError."""
    asyncio.run(_create(endpoint, environment, wanted, source))


async def _create(endpoint: str | None, environment: Mapping[str, str], wanted: Wanted, source: str | None) -> None:
    async with connect(endpoint, environment, FIREHOSE) as client:
        wanted = wanted._replace(account=account_of(client.target.access_key_id))
        if source is not None:
            wanted = wanted._replace(source_arn=await _stream_arn(client, source))
        request = request_of(wanted)
        if wanted.columns is not None:
            await _require_table(client, wanted.columns[1])
        try:
            await client.call("CreateDeliveryStream", **request)
        except CallError as error:
            if error.code == "ResourceInUseException":
                raise CommandError(
                    f"there is a delivery stream {wanted.name} already: `millstream deliver show {wanted.name}`"
                ) from error
            raise
        await _wait_active(client, wanted.name)
        target = (await describe(client, wanted.name))["Target"]
    print(f"{wanted.name} delivers to {target}" + (f" what is put into {source} from now on" if source else ""))
    if (warehouse := request.get("RedshiftDestinationConfiguration")) is not None:
        print(_table_hint(warehouse))
    if source is None:
        print(f"Put records into it: millstream deliver put {wanted.name} '{{\"hello\": 1}}'")
    print(f"Deliver what is buffered at once: millstream deliver flush {wanted.name}")


def _table_hint(warehouse: dict[str, Any]) -> str:
    table, url = warehouse["CopyCommand"]["DataTableName"], warehouse["ClusterJDBCURL"]
    where = f" in {url.removeprefix('duckdb:') or 'warehouse'}.duckdb, in the server's data directory"
    where = where if url.startswith("duckdb:") and "/" not in url else ""
    return f"The table {table} must be there{where}: make it now, if it is not (COPY is tried for an hour)"


async def _stream_arn(client: Client, stream: str) -> str:
    try:
        output = await client.of(KINESIS).call_patiently("DescribeStreamSummary", StreamName=stream)
    except CallError as error:
        if error.code == "ResourceNotFoundException":
            raise CommandError(f"there is no data stream {stream}: `millstream streams` shows what there is") from error
        raise
    arn: str = output["StreamDescriptionSummary"]["StreamARN"]
    return arn


async def _require_table(client: Client, table: str) -> None:
    database, name = split_table(table)
    try:
        await client.of(GLUE).call_patiently("GetTable", DatabaseName=database, Name=name)
    except CallError as error:
        if error.code == "EntityNotFoundException":
            raise CommandError(
                f"there is no table {table}: make one with `millstream tables load FILE` "
                "(its CREATE TABLE statement, or JSON), or see `millstream tables list`"
            ) from error
        raise


async def _wait_active(client: Client, name: str) -> None:
    for _ in range(CREATE_POLLS_MAX):
        output = await client.call_patiently("DescribeDeliveryStream", DeliveryStreamName=name)
        description: dict[str, Any] = output["DeliveryStreamDescription"]
        status = description["DeliveryStreamStatus"]
        if status == "ACTIVE":
            return
        if status != "CREATING":
            why = description.get("FailureDescription", {}).get("Details", "")
            raise CommandError(f"{name} is {status}: {why}")
        await asyncio.sleep(POLL_S)
    raise CommandError(f"{name} is still CREATING: see `millstream deliver show {name}`")


def run_delete(endpoint: str | None, environment: Mapping[str, str], name: str, *, force: bool) -> None:
    """Delete a delivery stream; without `force` only if nothing waits. Raises CommandError."""
    asyncio.run(_delete(endpoint, environment, name, force=force))


async def _delete(endpoint: str | None, environment: Mapping[str, str], name: str, *, force: bool) -> None:
    async with connect(endpoint, environment, FIREHOSE) as client:
        delivery = await describe(client, name)
        waiting = delivery.get("WaitingBytes", 0)
        if waiting and not force and delivery["DeliveryStreamType"] == "DirectPut":
            raise CommandError(
                f"{size_text(waiting)} of {name} are not delivered: `millstream deliver flush {name}` first, "
                "or lose them with --force"
            )
        await client.call("DeleteDeliveryStream", DeliveryStreamName=name)
    print(f"{name} is being deleted; what it has delivered stays in {delivery['Target']}")
