"""Where leases are kept: Millstream's own operations, and DynamoDB (moto's)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from millstream.client import (
    CallError,
    ConfigurationError,
    Credentials,
    DynamoDBLeases,
    Lease,
    LeaseStore,
    MillstreamLeases,
)
from millstream.client.checkpoints import TRIM_HORIZON, Checkpoint, at_time
from millstream.client.leasestores import store_for
from millstream.client.target import DYNAMODB, KINESIS, MILLSTREAM, find_target
from millstream.client.transport import Connection
from support.kinesis import Kinesis, create_stream, new_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.server import Server

FIRST = Lease("shardId-000000000000", TRIM_HORIZON)
CHILD = Lease(
    "shardId-000000000002", at_time(1_700_000_000_123), parents=("shardId-000000000000", "shardId-000000000001")
)


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[str]:
    """The address of moto's server."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def at_dynamodb(url: str, table: str) -> DynamoDBLeases:
    return DynamoDBLeases(Connection(DYNAMODB, find_target(DYNAMODB, endpoint=url, region="us-east-1")), table)


def at_millstream(server: Server, account: str, stream: str, group: str = "g") -> MillstreamLeases:
    target = find_target(MILLSTREAM, endpoint=server.url, credentials=Credentials(account, "s"), region="us-east-1")
    return MillstreamLeases(Connection(MILLSTREAM, target), stream, group)


@pytest.fixture(params=["millstream", "dynamodb"])
async def store(request: pytest.FixtureRequest, server: Server, account: str) -> AsyncIterator[LeaseStore]:
    """An empty store of either kind."""
    made: LeaseStore
    if request.param == "dynamodb":
        made = at_dynamodb(request.getfixturevalue("dynamodb"), new_name("group"))
    else:
        stream = request.getfixturevalue("make_stream")(1)
        made = at_millstream(server, account, stream)
    yield made
    await made.close()


async def test_leases_are_compared_and_set(store: LeaseStore) -> None:
    assert await store.load() == []
    await store.create([FIRST, CHILD])
    await store.create([FIRST._replace(owner="late")])
    assert sorted(await store.load()) == [FIRST, CHILD]
    mine = FIRST._replace(owner="me", counter=1, owner_switches=1)
    theirs = FIRST._replace(owner="they", counter=1)
    assert await store.replace([mine]) == [True]
    assert await store.replace([theirs, CHILD._replace(owner="they", counter=1)]) == [False, True]
    done = mine._replace(checkpoint=Checkpoint("1234567890" * 5, 3), counter=2, owner_switches=0)
    assert await store.replace([done, Lease("shardId-000000000009", TRIM_HORIZON, counter=1)]) == [True, False]
    given_back = done._replace(owner=None, counter=3)
    assert await store.replace([given_back]) == [True]
    assert sorted(await store.load()) == [given_back, CHILD._replace(owner="they", counter=1)]
    await store.delete([done])
    assert len(await store.load()) == 2
    await store.delete([given_back])
    assert [lease.shard_id for lease in await store.load()] == [CHILD.shard_id]


async def test_many_at_once_and_only_one_wins(server: Server, account: str, stream: str) -> None:
    store = at_millstream(server, account, stream)
    leases = [Lease(f"shardId-{i:012d}", TRIM_HORIZON) for i in range(60)]
    await store.create(leases)
    assert len(await store.load()) == 60
    tries = [store.replace([lease._replace(owner=name, counter=1) for lease in leases]) for name in "abc"]
    took = await asyncio.gather(*tries)
    assert [sum(wins) for wins in zip(*took, strict=True)] == [1] * 60
    await store.close()


async def test_a_table_of_the_kcl_is_read_and_left_as_it_is(dynamodb: str) -> None:
    name = new_name("kcl")
    client = boto3.client(
        "dynamodb", endpoint_url=dynamodb, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item: dict[str, Any] = {
        "leaseKey": {"S": "shardId-000000000007"},
        "leaseOwner": {"S": "worker-1"},
        "leaseCounter": {"N": "41"},
        "checkpoint": {"S": "49590338271490256608559692538361571095921575989136588898"},
        "checkpointSubSequenceNumber": {"N": "2"},
        "ownerSwitchesSinceCheckpoint": {"N": "1"},
        "startingHashKey": {"S": "0"},
        "endingHashKey": {"S": "9"},
        "childShardIds": {"SS": ["shardId-000000000008"]},
    }
    client.put_item(TableName=name, Item=item)
    client.put_item(TableName=name, Item={"leaseKey": {"S": "something of another kind"}})
    store = at_dynamodb(dynamodb, name)
    (lease,) = await store.load()
    checkpoint = Checkpoint("49590338271490256608559692538361571095921575989136588898", 2)
    assert lease == Lease("shardId-000000000007", checkpoint, "worker-1", 41, (), 1)
    assert await store.replace([lease._replace(owner=None, counter=42, checkpoint=Checkpoint("SHARD_END"))]) == [True]
    after = client.get_item(TableName=name, Key={"leaseKey": item["leaseKey"]})["Item"]
    assert after.pop("startTimestampMs") == {"N": "0"}
    del item["leaseOwner"]
    changed = {"checkpoint": {"S": "SHARD_END"}, "checkpointSubSequenceNumber": {"N": "0"}, "leaseCounter": {"N": "42"}}
    assert after == item | changed
    await store.close()


async def test_a_table_of_something_else_is_refused(dynamodb: str) -> None:
    name = new_name("other")
    boto3.client(
        "dynamodb", endpoint_url=dynamodb, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    ).create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    store = at_dynamodb(dynamodb, name)
    with pytest.raises(ConfigurationError, match="no lease table"):
        await store.load()
    await store.close()


def test_the_store_is_where_the_stream_is() -> None:
    credentials = Credentials("a", "b")
    local = find_target(KINESIS, endpoint="http://127.0.0.1:4566", credentials=credentials)
    assert isinstance(store_for(local, "s", "g"), MillstreamLeases)
    aws = find_target(KINESIS, endpoint="kinesis.eu-west-1.amazonaws.com", credentials=credentials)
    assert isinstance(store_for(aws, "s", "g"), DynamoDBLeases)


async def test_leases_go_with_the_stream(
    server: Server, account: str, kinesis: Kinesis, make_stream: Callable[..., str]
) -> None:
    stream = make_stream(1)
    store = at_millstream(server, account, stream)
    await store.create([FIRST])
    kinesis.delete_stream(StreamName=stream)
    async with asyncio.timeout(10):
        while not await _is_gone(store):
            await asyncio.sleep(0.02)
    await asyncio.to_thread(create_stream, kinesis, 1, StreamName=stream)
    assert await store.load() == []
    await store.close()


async def _is_gone(store: LeaseStore) -> bool:
    try:
        await store.load()
    except CallError as error:
        return error.code == "ResourceNotFoundException"
    return False


async def test_groups_are_bounded_and_can_be_forgotten(server: Server, account: str, stream: str) -> None:
    for i in range(100):
        store = at_millstream(server, account, stream, f"g{i}")
        await store.create([FIRST])
        await store.close()
    store = at_millstream(server, account, stream, "one-too-many")
    with pytest.raises(CallError, match="100 groups already"):
        await store.create([FIRST])
    target = find_target(MILLSTREAM, endpoint=server.url, credentials=Credentials(account, "s"), region="us-east-1")
    async with Connection(MILLSTREAM, target) as connection:
        await connection.call("DeleteLeases", StreamName=stream, GroupName="g7")
        change = {"ShardId": "s", "Counter": 1, "Checkpoint": "nonsense"}
        with pytest.raises(CallError, match="checkpoint' failed to satisfy constraint"):
            await connection.call("PutLeases", StreamName=stream, GroupName="g1", Leases=[change])
    await store.create([FIRST])
    await store.close()
