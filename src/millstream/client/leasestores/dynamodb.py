"""Leases in a DynamoDB table, laid out as the Kinesis Client Library's: one item a shard.

    leaseKey S (key)   leaseOwner S   leaseCounter N   checkpoint S   checkpointSubSequenceNumber N
    parentShardId SS   ownerSwitchesSinceCheckpoint N   startTimestampMs N (ours: the time that AT_TIMESTAMP means)

Other attributes are left as they are. The table is made, billed by request, if there is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, TypeVar

from millstream.client.checkpoints import Checkpoint, parse_checkpoint
from millstream.client.errors import CallError, ConfigurationError, understanding
from millstream.client.leases import Lease
from millstream.client.transport import Connection

_T = TypeVar("_T")

_CALLS_MAX = 16  # under way at the same time
_POLL_S = 0.5

_FIELDS = {
    "#checkpoint": "checkpoint",
    "#sub": "checkpointSubSequenceNumber",
    "#counter": "leaseCounter",
    "#switches": "ownerSwitchesSinceCheckpoint",
    "#start": "startTimestampMs",
}
_SET = "SET #checkpoint = :checkpoint, #sub = :sub, #counter = :counter, #switches = :switches, #start = :start"


class DynamoDBLeases:
    """The leases of one group, in the table of that name; see `LeaseStore`. It closes the connection."""

    def __init__(self, connection: Connection, table: str) -> None:
        self._connection = connection
        self._table = table
        self._calls = asyncio.Semaphore(_CALLS_MAX)
        self._is_ready = False

    async def load(self) -> list[Lease]:
        """All leases."""
        await self._ensure_table()
        items: list[dict[str, Any]] = []
        start: Any = None
        while True:
            page = await self._call("Scan", ConsistentRead=True, ExclusiveStartKey=start)
            with understanding("Scan"):
                items += page["Items"]
            start = page.get("LastEvaluatedKey")
            if not start:
                return [lease for item in items if (lease := self._lease(item)) is not None]

    async def create(self, leases: Sequence[Lease]) -> None:
        """Add what is not there."""
        await self._all(
            self._conditionally("PutItem", Item=_item(lease), ConditionExpression="attribute_not_exists(leaseKey)")
            for lease in leases
        )

    async def replace(self, leases: Sequence[Lease]) -> list[bool]:
        """Compare and set."""
        return await self._all(self._replace(lease) for lease in leases)

    async def delete(self, leases: Sequence[Lease]) -> None:
        """Compare and delete."""
        await self._all(
            self._conditionally(
                "DeleteItem",
                Key={"leaseKey": {"S": lease.shard_id}},
                ConditionExpression="leaseCounter = :expected",
                ExpressionAttributeValues={":expected": {"N": str(lease.counter)}},
            )
            for lease in leases
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def _replace(self, lease: Lease) -> bool:
        values = {f":{name}": value for name, value in _values(lease).items()}
        owner = "REMOVE leaseOwner" if lease.owner is None else ", leaseOwner = :owner"
        return await self._conditionally(
            "UpdateItem",
            Key={"leaseKey": {"S": lease.shard_id}},
            UpdateExpression=f"{_SET} {owner}",
            ConditionExpression="leaseCounter = :expected",
            ExpressionAttributeNames=_FIELDS,
            ExpressionAttributeValues={**values, ":expected": {"N": str(lease.counter - 1)}},
        )

    async def _conditionally(self, operation: str, **params: Any) -> bool:
        """Whether the condition held."""
        try:
            async with self._calls:
                await self._call(operation, **params)
        except CallError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            return False
        return True

    async def _all(self, calls: Iterable[Awaitable[_T]]) -> list[_T]:
        """The results of all; the first error once none is under way any more."""
        results = await asyncio.gather(*calls, return_exceptions=True)
        done: list[_T] = []
        for result in results:
            if isinstance(result, BaseException):
                raise result
            done.append(result)
        return done

    async def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        return await self._connection.call(operation, TableName=self._table, **params)

    async def _ensure_table(self) -> None:
        while not self._is_ready:
            try:
                table = (await self._call("DescribeTable"))["Table"]
            except CallError as error:
                if error.code != "ResourceNotFoundException":
                    raise
                await self._create_table()
                continue
            self._check(table)
            self._is_ready = table["TableStatus"] in ("ACTIVE", "UPDATING")
            if not self._is_ready:
                await asyncio.sleep(_POLL_S)

    async def _create_table(self) -> None:
        try:
            await self._call(
                "CreateTable",
                AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
        except CallError as error:
            if error.code != "ResourceInUseException":  # another worker was quicker
                raise

    def _check(self, table: dict[str, Any]) -> None:
        keys = [key["AttributeName"] for key in table["KeySchema"]]
        if keys != ["leaseKey"]:
            raise ConfigurationError(
                f"the DynamoDB table {self._table} is no lease table (its key is {', '.join(keys)}): "
                "give the group another name"
            )

    def _lease(self, item: dict[str, Any]) -> Lease | None:
        """The lease in an item; None for what else the KCL keeps in its tables."""
        if "checkpoint" not in item or "leaseCounter" not in item:
            return None
        try:
            return _parse(item)
        except (KeyError, ValueError) as error:
            raise ConfigurationError(
                f"the DynamoDB table {self._table} has an item that is no lease: {item['leaseKey']} ({error})"
            ) from error


def _item(lease: Lease) -> dict[str, Any]:
    values = _values(lease)
    item: dict[str, Any] = {_FIELDS[f"#{name}"]: value for name, value in values.items() if name != "owner"}
    item["leaseKey"] = {"S": lease.shard_id}
    if lease.owner is not None:
        item["leaseOwner"] = values["owner"]
    if lease.parents:
        item["parentShardId"] = {"SS": list(lease.parents)}
    return item


def _values(lease: Lease) -> dict[str, dict[str, str]]:
    checkpoint = lease.checkpoint
    values = {
        "checkpoint": {"S": checkpoint.value},
        "sub": {"N": str(checkpoint.sub_sequence_number)},
        "counter": {"N": str(lease.counter)},
        "switches": {"N": str(lease.owner_switches)},
        "start": {"N": str(checkpoint.timestamp_ms)},
    }
    return values if lease.owner is None else {**values, "owner": {"S": lease.owner}}


def _parse(item: dict[str, Any]) -> Lease:
    checkpoint = parse_checkpoint(item["checkpoint"]["S"].replace("AT_TIMESTAMP", "AT_TIMESTAMP:0"))
    return Lease(
        item["leaseKey"]["S"],
        Checkpoint(checkpoint.value, _number(item, "checkpointSubSequenceNumber"), _number(item, "startTimestampMs")),
        item["leaseOwner"]["S"] if "leaseOwner" in item else None,
        _number(item, "leaseCounter"),
        tuple(item.get("parentShardId", {}).get("SS", ())),
        _number(item, "ownerSwitchesSinceCheckpoint"),
    )


def _number(item: dict[str, Any], name: str) -> int:
    return int(item.get(name, {}).get("N", "0"))
