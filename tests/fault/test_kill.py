"""SIGKILL, over and over: what was acknowledged is there, what a reader saw stays, changes under way are carried on."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from support.kinesis import (
    HASH_KEY_END,
    Kinesis,
    connect,
    create_stream,
    new_account,
    new_name,
    open_shards,
    patiently,
    read_lineage,
    read_shard,
    refusal,
    stream_summary,
    wait_active,
)
from support.load import Tailer, Writers, assert_in_order, assert_nothing_lost
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.server import Server

KILLS = 5


def await_more(writers: Writers, count: int) -> None:
    """Wait until `count` more records are acknowledged."""
    target = len(writers.acknowledged) + count
    wait_for(lambda: len(writers.acknowledged) >= target, f"{count} more records", interval_s=0.001)


def test_acknowledged_records_survive(server: Server) -> None:
    account, rng = new_account(), random.Random(1)
    kinesis = connect(server.url, account)
    stream = create_stream(kinesis, 3)
    shards = [shard["ShardId"] for shard in open_shards(kinesis, stream)]
    writers = Writers(server.url, account, stream)
    tailer = Tailer(server.url, account, stream, shards)
    try:
        for _ in range(KILLS):
            await_more(writers, rng.randrange(100, 2000))
            server.kill()
            server.start()
        await_more(writers, 100)
    finally:
        writers.stop()
        tailer.stop()

    assert writers.refusals == []
    stored = {shard: read_shard(kinesis, stream, shard) for shard in shards}
    for shard, records in stored.items():
        assert_in_order(records)
        seen = tailer.seen[shard]
        assert seen == records[: len(seen)], "a reader saw records that are not there, or missed some"
    assert_nothing_lost(writers, [record for records in stored.values() for record in records])
    placed = {record["SequenceNumber"]: shard for shard, records in stored.items() for record in records}
    assert all(placed[number] == put.shard for number, put in writers.acknowledged.items())
    assert any(tailer.seen.values())
    assert "Traceback" not in server.log_text()


def reshard(kinesis: Kinesis, stream: str, step: int) -> int:
    """Begin to split, merge or rescale by turns; returns how many open shards there will be."""
    shards = open_shards(kinesis, stream)
    if step % 3 == 0:
        bounds = shards[0]["HashKeyRange"]
        middle = (int(bounds["StartingHashKey"]) + int(bounds["EndingHashKey"]) + 1) // 2
        kinesis.split_shard(StreamName=stream, ShardToSplit=shards[0]["ShardId"], NewStartingHashKey=str(middle))
        return len(shards) + 1
    if step % 3 == 1:
        pair = {"ShardToMerge": shards[0]["ShardId"], "AdjacentShardToMerge": shards[1]["ShardId"]}
        kinesis.merge_shards(StreamName=stream, **pair)
        return len(shards) - 1
    kinesis.update_shard_count(StreamName=stream, TargetShardCount=3, ScalingType="UNIFORM_SCALING")
    return 3


def test_resharding_is_carried_on(make_server: Callable[..., Server]) -> None:
    server = make_server(options=("--update-delay-ms", "100")).start()
    account = new_account()
    kinesis = connect(server.url, account)
    stream = create_stream(kinesis, 2)
    writers = Writers(server.url, account, stream, count=2)
    try:
        for step in range(6):
            await_more(writers, 80)
            expected = reshard(kinesis, stream, step)
            if step >= 3:
                await_more(writers, 40 * (step - 2))  # some way into the change
            server.kill()
            server.start()
            assert wait_active(kinesis, stream)["OpenShardCount"] == expected
            await_more(writers, 80)
    finally:
        writers.stop()

    edge = 0
    for shard in open_shards(kinesis, stream):
        assert int(shard["HashKeyRange"]["StartingHashKey"]) == edge
        edge = int(shard["HashKeyRange"]["EndingHashKey"]) + 1
    assert edge == HASH_KEY_END
    assert_nothing_lost(writers, read_lineage(kinesis, stream))
    assert "Traceback" not in server.log_text()


def test_streams_and_settings_survive(make_server: Callable[..., Server]) -> None:
    delays = [f"--{kind}-delay-ms=400" for kind in ("create", "update", "delete")]
    server = make_server(options=delays).start()
    kinesis = connect(server.url, new_account())
    doomed, settled, creating = create_stream(kinesis), create_stream(kinesis), new_name()
    arn = stream_summary(kinesis, settled)["StreamARN"]
    kinesis.add_tags_to_stream(StreamName=settled, Tags={"a": "b"})
    kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")
    kinesis.put_record(StreamName=doomed, Data=b"x", PartitionKey="k")
    kinesis.increase_stream_retention_period(StreamName=settled, RetentionPeriodHours=48)
    kinesis.create_stream(StreamName=creating, ShardCount=2)
    kinesis.delete_stream(StreamName=doomed)
    server.kill()
    server.start()

    assert wait_active(kinesis, creating)["OpenShardCount"] == 2
    assert wait_active(kinesis, settled)["RetentionPeriodHours"] == 48
    assert kinesis.list_tags_for_stream(StreamName=settled)["Tags"] == [{"Key": "a", "Value": "b"}]

    def consumer_status() -> Any:
        by_name = {"StreamARN": arn, "ConsumerName": "reader"}
        return patiently(kinesis.describe_stream_consumer, **by_name)["ConsumerDescription"]["ConsumerStatus"]

    wait_for(lambda: consumer_status() == "ACTIVE", "the consumer to be ACTIVE")
    wait_for(lambda: doomed not in kinesis.list_streams()["StreamNames"], "the stream to be deleted")
    refused = refusal(kinesis.put_record, StreamName=doomed, Data=b"x", PartitionKey="k")
    assert refused.code == "ResourceNotFoundException"
    wait_for(lambda: len(list(server.data_dir.glob("streams/*"))) == 2, "the deleted stream's files to go")


def test_encrypted_records_survive(server: Server) -> None:
    kinesis = connect(server.url, new_account())
    stream = create_stream(kinesis)
    key = {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    kinesis.start_stream_encryption(StreamName=stream, **key)
    wait_active(kinesis, stream)
    kinesis.put_record(StreamName=stream, Data=b"sealed", PartitionKey="k")
    server.kill()
    server.start()
    kinesis.put_record(StreamName=stream, Data=b"sealed too", PartitionKey="k")
    records = read_shard(kinesis, stream)
    assert [(r["Data"], r["EncryptionType"]) for r in records] == [(b"sealed", "KMS"), (b"sealed too", "KMS")]
