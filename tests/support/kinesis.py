"""Kinesis clients for tests, and what tests do with streams over and over."""

from __future__ import annotations

import itertools
import json
import ssl
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import httpx
import pytest
from botocore.exceptions import ClientError

from support.clients import client
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Kinesis: TypeAlias = Any  # a boto3 client; its type stubs would refuse the wrong input that tests send on purpose
Record: TypeAlias = dict[str, Any]

HASH_KEY_END = 2**128
RATE_CODES = {"LimitExceededException", "ProvisionedThroughputExceededException"}

_NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for plain http: loading certificates takes longer than a call
_numbers = itertools.count(1)


def connect(
    url: str, account: str = "000000000000", region: str = "us-east-1", *, verify: Any = None, **config: Any
) -> Kinesis:
    """A client that sends anything, valid or not, and never retries; its access key id is the account."""
    return client("kinesis", url, account, region, verify=verify, **config)


def new_account() -> str:
    """An account that no other test of this process uses: its streams, limits and call rates are its own."""
    return f"{time.time_ns() // 1_000_000 % 10**8:08d}{next(_numbers) % 10**4:04d}"


def new_name(prefix: str = "stream") -> str:
    """A stream name that no other test of this process uses."""
    return f"{prefix}-{next(_numbers)}"


class Refusal(NamedTuple):
    """The error that an operation answered."""

    code: str
    message: str
    status: int


def refusal(call: Callable[..., Any], /, **params: Any) -> Refusal:
    """Call, expecting an error, and return it."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    return refusal_of(caught.value)


def until_refused(call: Callable[..., Any], /, *, attempts: int = 100, **params: Any) -> tuple[int, Refusal]:
    """Call until an error: how many calls were answered before it, and the error."""
    for answered in range(attempts):
        try:
            call(**params)
        except ClientError as error:
            return answered, refusal_of(error)
    pytest.fail(f"{attempts} calls, and none was refused")


def refusal_of(error: ClientError) -> Refusal:
    """What an error says."""
    reply: Any = error.response
    return Refusal(reply["Error"]["Code"], reply["Error"]["Message"], reply["ResponseMetadata"]["HTTPStatusCode"])


def patiently(call: Callable[..., Any], /, **params: Any) -> Any:
    """Call, and call again while the answer is that the call rate is too high; as SDKs do with their retries on."""

    def attempt() -> tuple[Any] | None:
        try:
            return (call(**params),)
        except ClientError as error:
            if error.response["Error"]["Code"] not in RATE_CODES:
                raise
            return None

    return wait_for(attempt, "the call rate to allow a call", interval_s=0.1)[0]


def call_raw(
    url: str,
    operation: str,
    body: Any,
    *,
    content_type: str = "application/x-amz-json-1.1",
    account: str = "000000000000",
    region: str = "us-east-1",
    client: httpx.Client | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """One call without an SDK: `body` as it is when it is bytes, as JSON otherwise."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    scope = f"{account}/20260101/{region}/kinesis/aws4_request"
    sent = {
        "X-Amz-Target": f"Kinesis_20131202.{operation}",
        "Content-Type": content_type,
        "X-Amz-Date": "20260101T000000Z",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        **(headers or {}),
    }
    if client is not None:
        return client.post(url, content=content, headers=sent, timeout=30)
    return httpx.post(url, content=content, headers=sent, timeout=30, verify=_NO_TRUST)


def stream_summary(kinesis: Kinesis, name: str) -> dict[str, Any]:
    """DescribeStreamSummary's description, whatever the call rate."""
    summary: dict[str, Any] = patiently(kinesis.describe_stream_summary, StreamName=name)["StreamDescriptionSummary"]
    return summary


def wait_active(kinesis: Kinesis, name: str) -> dict[str, Any]:
    """Wait until the stream is ACTIVE; returns its summary."""

    def active() -> dict[str, Any] | None:
        summary = stream_summary(kinesis, name)
        return summary if summary["StreamStatus"] == "ACTIVE" else None

    return wait_for(active, f"stream {name} to be ACTIVE")


def create_stream(kinesis: Kinesis, shards: int | None = 1, **params: Any) -> str:
    """Create a stream with a name of its own, wait until it is ACTIVE, and return the name."""
    name = params.pop("StreamName", None) or new_name()
    if shards is not None:
        params["ShardCount"] = shards
    patiently(kinesis.create_stream, StreamName=name, **params)
    wait_active(kinesis, name)
    return name


def list_shards(kinesis: Kinesis, name: str, **params: Any) -> list[dict[str, Any]]:
    """All shards of a stream, of all pages."""
    reply = patiently(kinesis.list_shards, StreamName=name, **params)
    shards: list[dict[str, Any]] = reply["Shards"]
    while token := reply.get("NextToken"):
        reply = patiently(kinesis.list_shards, NextToken=token)
        shards += reply["Shards"]
    return shards


def open_shards(kinesis: Kinesis, name: str) -> list[dict[str, Any]]:
    """The shards that take records, by their hash key ranges."""
    shards = [s for s in list_shards(kinesis, name) if "EndingSequenceNumber" not in s["SequenceNumberRange"]]
    return sorted(shards, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))


def shard_id(index: int) -> str:
    """The ShardId of a shard's index."""
    return f"shardId-{index:012d}"


def iterator(
    kinesis: Kinesis, name: str, shard: str = "shardId-000000000000", kind: str = "TRIM_HORIZON", **params: Any
) -> str:
    """A shard iterator."""
    text: str = patiently(kinesis.get_shard_iterator, StreamName=name, ShardId=shard, ShardIteratorType=kind, **params)[
        "ShardIterator"
    ]
    return text


def read_pages(kinesis: Kinesis, start: str) -> Iterator[dict[str, Any]]:
    """GetRecords replies from an iterator on, until the tip or the shard's end."""
    following: str | None = start
    while following:
        page = patiently(kinesis.get_records, ShardIterator=following)
        yield page
        following = page.get("NextShardIterator")
        if not page["Records"] and page["MillisBehindLatest"] == 0:
            return


def read_shard(
    kinesis: Kinesis, name: str, shard: str = "shardId-000000000000", kind: str = "TRIM_HORIZON", **params: Any
) -> list[Record]:
    """The records of a shard from an iterator of that type to the tip."""
    pages = read_pages(kinesis, iterator(kinesis, name, shard, kind, **params))
    return [record for page in pages for record in page["Records"]]


def read_lineage(kinesis: Kinesis, name: str) -> list[Record]:
    """The records of a stream in the KCL's order: a child is read when all its parents have been read to their end.

    Children are found through ChildShards alone; that is how the KCL finds them.
    """
    shards = {shard["ShardId"]: shard for shard in list_shards(kinesis, name)}
    parents: dict[str, set[str]] = {
        key: set()
        for key, shard in shards.items()
        if shard.get("ParentShardId") not in shards and shard.get("AdjacentParentShardId") not in shards
    }
    done: set[str] = set()
    records: list[Record] = []
    while ready := [shard for shard in parents if shard not in done and parents[shard] <= done]:
        for shard in ready:
            for page in read_pages(kinesis, iterator(kinesis, name, shard)):
                records += page["Records"]
                for child in page.get("ChildShards", ()):
                    parents[child["ShardId"]] = set(child["ParentShards"])
            done.add(shard)
    assert done == set(parents) == set(shards), "a shard was never reached through ChildShards"
    return records


def register_consumer(kinesis: Kinesis, stream_arn: str, name: str = "reader", **params: Any) -> str:
    """Register a consumer, wait until it is ACTIVE, and return its ARN."""
    patiently(kinesis.register_stream_consumer, StreamARN=stream_arn, ConsumerName=name, **params)

    def active() -> str | None:
        by_name = {"StreamARN": stream_arn, "ConsumerName": name}
        found = patiently(kinesis.describe_stream_consumer, **by_name)["ConsumerDescription"]
        return found["ConsumerARN"] if found["ConsumerStatus"] == "ACTIVE" else None

    return wait_for(active, f"consumer {name} to be ACTIVE")
