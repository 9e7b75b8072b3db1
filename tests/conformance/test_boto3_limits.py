"""AWS's limits, on by default: throttling of shards and of call rates, and how many there may be of what."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from support.kinesis import (
    Kinesis,
    connect,
    create_stream,
    iterator,
    new_account,
    new_name,
    patiently,
    read_shard,
    refusal,
    register_consumer,
    shard_id,
    stream_summary,
    until_refused,
)
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.server import Server


MIB = 1 << 20


@pytest.fixture
def server(limited_server: Server) -> Server:
    """All tests of this module run with `--limits aws`."""
    return limited_server


def rate_exceeded(stream: str, account: str) -> str:
    """AWS's words for a shard that gets or gives too much."""
    return f"Rate exceeded for shard {shard_id(0)} in stream {stream} under account {account}."


def test_records_fail_one_by_one(kinesis: Kinesis, stream: str, account: str) -> None:
    entries = [{"Data": bytes(1000), "PartitionKey": f"k{i}"} for i in range(500)]
    taken: list[str] = []
    failed: list[dict[str, Any]] = []
    for _ in range(20):
        reply = kinesis.put_records(StreamName=stream, Records=entries)
        of_reply = [record for record in reply["Records"] if "ErrorCode" in record]
        assert reply["FailedRecordCount"] == len(of_reply)
        failed += of_reply
        taken += [record["SequenceNumber"] for record in reply["Records"] if "SequenceNumber" in record]
        if failed and taken:
            break
    assert failed
    assert taken
    for record in failed:
        assert record == {
            "ErrorCode": "ProvisionedThroughputExceededException",
            "ErrorMessage": rate_exceeded(stream, account),
        }
    records = read_shard(kinesis, stream)
    assert [record["SequenceNumber"] for record in records] == taken


def test_a_thousand_records_a_second(kinesis: Kinesis, stream: str) -> None:
    entries = [{"Data": b"x", "PartitionKey": f"k{i}"} for i in range(500)]
    taken, started = 0, time.monotonic()
    while time.monotonic() < started + 2:
        reply = kinesis.put_records(StreamName=stream, Records=entries)
        taken += 500 - reply["FailedRecordCount"]
    elapsed_s = time.monotonic() - started
    assert 1000 <= taken <= 1000 * elapsed_s + 2500  # the rate, and a burst


def test_put_record_is_throttled(kinesis: Kinesis, stream: str, account: str) -> None:
    entry: dict[str, Any] = {"StreamName": stream, "Data": bytes(MIB - 1), "PartitionKey": "k"}
    _, refused = until_refused(kinesis.put_record, **entry)
    assert refused == ("ProvisionedThroughputExceededException", rate_exceeded(stream, account), 400)
    assert patiently(kinesis.put_record, **entry)["SequenceNumber"]


def test_one_shard_does_not_throttle_another(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(2)
    hot = [{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": "0"}] * 499
    cold = {"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(2**128 - 1)}
    failed = 0
    for _ in range(20):
        reply = kinesis.put_records(StreamName=name, Records=[*hot, cold])
        assert reply["Records"][-1]["ShardId"] == shard_id(1)
        failed += reply["FailedRecordCount"]
    assert failed


def test_five_reads_a_second(kinesis: Kinesis, stream: str, account: str) -> None:
    start = iterator(kinesis, stream)
    answered, refused = until_refused(kinesis.get_records, ShardIterator=start)
    assert 5 <= answered <= 15
    assert refused == ("ProvisionedThroughputExceededException", rate_exceeded(stream, account), 400)
    assert patiently(kinesis.get_records, ShardIterator=start)["Records"] == []


def test_reading_more_than_2_mib_a_second_must_wait(kinesis: Kinesis, stream: str) -> None:
    for _ in range(6):
        patiently(kinesis.put_record, StreamName=stream, Data=bytes(MIB - 1), PartitionKey="k")
    start = iterator(kinesis, stream)
    assert patiently(kinesis.get_records, ShardIterator=start)["Records"]
    refused = refusal(kinesis.get_records, ShardIterator=start)
    assert refused.code == "ProvisionedThroughputExceededException"


def codes_of_a_storm(call: Callable[[int], Any], count: int) -> set[str]:
    """What `count` calls from several threads at once were answered."""

    def once(number: int) -> str:
        try:
            call(number)
        except ClientError as error:
            code: str = error.response["Error"]["Code"]
            return code
        return "taken"

    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(once, range(count)))


def test_call_rates(kinesis: Kinesis, stream: str) -> None:
    codes = codes_of_a_storm(lambda _: kinesis.describe_stream(StreamName=stream), 60)
    assert codes == {"taken", "LimitExceededException"}
    start = {"StreamName": stream, "ShardId": shard_id(0), "ShardIteratorType": "LATEST"}
    codes = codes_of_a_storm(lambda _: kinesis.get_shard_iterator(**start), 40)
    assert codes == {"taken", "ProvisionedThroughputExceededException"}
    codes = codes_of_a_storm(lambda _: kinesis.create_stream(StreamName=new_name(), ShardCount=1), 24)
    assert codes == {"taken", "LimitExceededException"}


def test_other_accounts_are_not_throttled(server: Server, kinesis: Kinesis, stream: str) -> None:
    until_refused(kinesis.describe_stream, StreamName=stream)
    other = connect(server.url, new_account())
    assert other.list_streams()["StreamNames"] == []


def test_shard_limit(kinesis: Kinesis, account: str) -> None:
    limit = kinesis.describe_limits()["ShardLimit"]
    refused = refusal(kinesis.create_stream, StreamName=new_name(), ShardCount=limit + 1)
    assert refused.code == "LimitExceededException"
    assert refused.message.startswith(
        f"This request would exceed the shard limit for the account {account} in us-east-1. Current shard "
        f"count for the account: 0. Limit: {limit}. Number of additional shards that would have resulted "
        f"from this request: {limit + 1}. "
    )


def test_shards_at_most_double_or_half(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(4)
    for count in (9, 1):
        refused = refusal(
            kinesis.update_shard_count,
            StreamName=name,
            TargetShardCount=count,
            ScalingType="UNIFORM_SCALING",
        )
        assert refused.code in {"InvalidArgumentException", "LimitExceededException"}
        assert str(count) in refused.message
    assert stream_summary(kinesis, name)["OpenShardCount"] == 4


def test_twenty_consumers(kinesis: Kinesis, stream: str) -> None:
    arn = stream_summary(kinesis, stream)["StreamARN"]
    for i in range(20):
        patiently(kinesis.register_stream_consumer, StreamARN=arn, ConsumerName=f"reader-{i}")
    summary = stream_summary(kinesis, stream)
    assert summary["ConsumerCount"] == 20

    def refused() -> bool:
        call = kinesis.register_stream_consumer
        refused = refusal(call, StreamARN=arn, ConsumerName="one-too-many")
        assert refused.code == "LimitExceededException"
        return "Rate exceeded" not in refused.message

    wait_for(refused, "the refusal to be for the number of consumers", interval_s=0.2)
    assert stream_summary(kinesis, stream)["ConsumerCount"] == 20


def test_a_second_subscription_must_wait(kinesis: Kinesis, stream: str) -> None:
    consumer = register_consumer(kinesis, stream_summary(kinesis, stream)["StreamARN"])
    params = {
        "ConsumerARN": consumer,
        "ShardId": shard_id(0),
        "StartingPosition": {"Type": "LATEST"},
    }
    first = kinesis.subscribe_to_shard(**params)
    with closing(first["EventStream"]):
        refused = refusal(kinesis.subscribe_to_shard, **params)
        assert refused.code in {"ResourceInUseException", "LimitExceededException"}
        codes = (kinesis.exceptions.ResourceInUseException, kinesis.exceptions.LimitExceededException)

        def take_over() -> Any:
            with suppress(*codes):
                return kinesis.subscribe_to_shard(**params)

        second = wait_for(take_over, "the second subscription to take over", interval_s=0.5)
    second["EventStream"].close()


def test_on_demand_streams_grow_with_their_load(kinesis: Kinesis) -> None:
    name = create_stream(kinesis, None, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    big = bytes(500_000)  # so that a busy machine, too, keeps one shard at its limit

    def put() -> bool:
        with suppress(kinesis.exceptions.ProvisionedThroughputExceededException):
            kinesis.put_record(StreamName=name, Data=big, PartitionKey="hot")
            return True
        return False

    def grown() -> bool:
        put()
        return bool(stream_summary(kinesis, name)["OpenShardCount"] > 4)

    wait_for(grown, "the stream to grow", timeout_s=60, interval_s=0.1)
    wait_for(put, "records to be taken after that")
