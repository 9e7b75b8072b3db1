"""PutRecord and PutRecordBatch: replies, ids, sizes, quotas, and what is answered when records cannot be taken."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import cbor2
import pytest

from millstream.base.units import MIB
from millstream.firehose.model import DeliveryStream, KinesisSource, StreamStatus, StreamType
from millstream.wire import Codec
from support.delivery_plane import ACCOUNT, BUCKET, DeliveryPlane

SLOW_DOWN = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}


@pytest.fixture
def plane() -> DeliveryPlane:
    return DeliveryPlane()


@pytest.fixture
def limited() -> DeliveryPlane:
    return DeliveryPlane(limits_aws=True)


def encoded(data: bytes) -> dict[str, str]:
    return {"Data": b64encode(data).decode()}


async def put(plane: DeliveryPlane, *data: bytes, name: str = "ticks", **options: Any) -> Any:
    records = [encoded(datum) for datum in data]
    return await plane.call("PutRecordBatch", DeliveryStreamName=name, Records=records, **options)


async def test_a_record_is_stored_and_gets_an_id(plane: DeliveryPlane) -> None:
    await plane.create()
    first = await plane.call("PutRecord", DeliveryStreamName="ticks", Record=encoded(b"one"))
    second = await plane.call("PutRecord", DeliveryStreamName="ticks", Record=encoded(b""))
    assert plane.records() == [b"one", b""]
    assert first.keys() == {"RecordId", "Encrypted"}
    assert first["Encrypted"] is False
    assert len(first["RecordId"]) == 224
    assert first["RecordId"] != second["RecordId"]


async def test_a_batch_is_stored_in_order_with_an_id_each(plane: DeliveryPlane) -> None:
    await plane.create()
    await plane.create("other")
    replies = [await put(plane, b"a", b"b", b"c"), await put(plane, b"d"), await put(plane, b"e", name="other")]
    assert plane.records() == [b"a", b"b", b"c", b"d"]
    assert replies[0]["FailedPutCount"] == 0
    ids = [entry["RecordId"] for reply in replies for entry in reply["RequestResponses"]]
    assert len(set(ids)) == len(ids) == 5


async def test_ids_stay_unique_after_a_restart(plane: DeliveryPlane) -> None:
    await plane.create()
    before = await put(plane, b"a")
    await plane.crash()
    after = await put(plane, b"b")
    assert before["RequestResponses"] != after["RequestResponses"]
    assert plane.records() == [b"a", b"b"]


async def test_cbor_is_answered_in_cbor(limited: DeliveryPlane) -> None:
    await limited.create(region="eu-north-1")
    reply = cbor2.loads(await put(limited, bytes(600_000), bytes(600_000), b"", codec=Codec.CBOR, region="eu-north-1"))
    assert reply["FailedPutCount"] == 1
    assert [sorted(entry) for entry in reply["RequestResponses"]] == [
        ["RecordId"],
        ["ErrorCode", "ErrorMessage"],
        ["RecordId"],
    ]
    one = await limited.call(
        "PutRecord", codec=Codec.CBOR, region="eu-north-1", DeliveryStreamName="ticks", Record=encoded(b"x")
    )
    assert cbor2.loads(one).keys() == {"RecordId", "Encrypted"}


async def test_nothing_of_a_batch_above_4_mib_is_stored(plane: DeliveryPlane) -> None:
    await plane.create()
    records = [encoded(bytes(MIB - 60_000))] * 5
    refusal = await plane.refusal("PutRecordBatch", DeliveryStreamName="ticks", Records=records)
    assert refusal == ("InvalidArgumentException", "Records size exceeds 4 MB limit", 400)
    assert plane.records() == []


async def test_a_record_may_have_1024000_bytes(plane: DeliveryPlane) -> None:
    await plane.create()
    await put(plane, bytes(1_024_000))
    refusal = await plane.refusal("PutRecordBatch", DeliveryStreamName="ticks", Records=[encoded(bytes(1_024_001))])
    assert refusal.code == "ValidationException"
    assert "'records.1.member.data' failed to satisfy constraint" in refusal.message
    assert "Member must have length less than or equal to 1024000" in refusal.message


async def test_at_most_500_records_in_a_batch(plane: DeliveryPlane) -> None:
    await plane.create()
    assert (await put(plane, *[b"x"] * 500))["FailedPutCount"] == 0
    for records in ([encoded(b"x")] * 501, []):
        refusal = await plane.refusal("PutRecordBatch", DeliveryStreamName="ticks", Records=records)
        assert refusal.code == "ValidationException"
        assert "records" in refusal.message


async def test_a_delivery_stream_that_is_not_active_is_not_found(plane: DeliveryPlane) -> None:
    message = f"Firehose ticks under account {ACCOUNT} not found."
    call = {"DeliveryStreamName": "ticks", "Record": encoded(b"x")}
    assert await plane.refusal("PutRecord", **call) == ("ResourceNotFoundException", message, 400)
    handle = plane.service.registry.add(
        DeliveryStream(
            account=ACCOUNT, region="us-east-1", name="ticks", stream_id="i", created_ms=0, destination=BUCKET
        )
    )
    assert (await plane.refusal("PutRecord", **call)).message == message
    plane.service.registry.save(handle, status=StreamStatus.DELETING)
    assert (await plane.refusal("PutRecord", **call)).message == message
    assert (await plane.refusal("PutRecord", region="eu-west-1", **call)).message == message


async def test_what_reads_a_data_stream_takes_no_puts(plane: DeliveryPlane) -> None:
    source = KinesisSource(stream_arn="arn", role_arn="role", stream_id="s", start_position=0, start_ms=0)
    await plane.create(type=StreamType.KINESIS, source=source)
    message = "This operation is not permitted on KinesisStreamAsSource delivery stream type."
    for operation, records in (
        ("PutRecord", {"Record": encoded(b"")}),
        ("PutRecordBatch", {"Records": [encoded(b"")]}),
    ):
        refusal = await plane.refusal(operation, DeliveryStreamName="ticks", **records)
        assert refusal == ("InvalidArgumentException", message, 400)


@pytest.mark.parametrize(("region", "mib"), [("us-east-1", 5), ("eu-west-1", 5), ("eu-central-1", 1)])
async def test_bytes_above_the_quota_fail_record_by_record(limited: DeliveryPlane, region: str, mib: int) -> None:
    await limited.create(region=region)
    sizes = [MIB // 2] * (2 * mib)
    refused: list[int] = []
    for first in range(0, len(sizes), 8):
        reply = await put(limited, *(bytes(size) for size in sizes[first : first + 8]), region=region)
        assert reply["FailedPutCount"] == 0
    reply = await put(limited, b"too much", b"", bytes(MIB // 2), region=region)
    refused = [place for place, entry in enumerate(reply["RequestResponses"]) if entry == SLOW_DOWN]
    assert refused == [0, 2]
    assert reply["FailedPutCount"] == 2
    assert "RecordId" in reply["RequestResponses"][1]
    refusal = await limited.refusal("PutRecord", region=region, DeliveryStreamName="ticks", Record=encoded(b"x"))
    assert refusal == ("ServiceUnavailableException", "Slow down.", 503)
    await limited.pass_ms(1_000)
    reply = await put(limited, bytes(MIB // 2), region=region)
    assert reply["FailedPutCount"] == 0
    assert len(limited.records()) == 2 * mib + 2


async def test_a_batch_that_is_throttled_as_a_whole_stores_nothing(limited: DeliveryPlane) -> None:
    await limited.create(region="sa-east-1")
    await put(limited, bytes(MIB // 2), bytes(MIB // 2), region="sa-east-1")
    reply = await put(limited, b"a", b"b", region="sa-east-1")
    assert reply == {"Encrypted": False, "FailedPutCount": 2, "RequestResponses": [SLOW_DOWN, SLOW_DOWN]}
    assert len(limited.records()) == 2


async def test_calls_above_the_quota_are_refused_whole(limited: DeliveryPlane) -> None:
    await limited.create(region="eu-north-1")
    for _ in range(1_000):
        await put(limited, b"x", region="eu-north-1")
    records = [encoded(b"x")]
    refusal = await limited.refusal("PutRecordBatch", region="eu-north-1", DeliveryStreamName="ticks", Records=records)
    assert refusal == ("ServiceUnavailableException", "Slow down.", 503)


async def test_without_limits_nothing_is_throttled(plane: DeliveryPlane) -> None:
    await plane.create(region="eu-north-1")
    for _ in range(8):
        assert (await put(plane, *[bytes(1_000_000)] * 4, region="eu-north-1"))["FailedPutCount"] == 0


async def test_a_full_disk_is_told_and_passes(plane: DeliveryPlane) -> None:
    await plane.create()
    plane.log().full = True
    for operation, records in (
        ("PutRecord", {"Record": encoded(b"")}),
        ("PutRecordBatch", {"Records": [encoded(b"")]}),
    ):
        refusal = await plane.refusal(operation, DeliveryStreamName="ticks", **records)
        assert (refusal.code, refusal.status) == ("ServiceUnavailableException", 503)
        assert "disk of this server is full" in refusal.message
    plane.log().full = False
    await put(plane, b"x")
    assert plane.records() == [b"x"]


async def test_a_log_that_stopped_is_told(plane: DeliveryPlane) -> None:
    await plane.create()
    plane.log().stopped = True
    refusal = await plane.refusal("PutRecord", DeliveryStreamName="ticks", Record=encoded(b"x"))
    assert (refusal.code, refusal.status) == ("InternalFailure", 500)
    assert "until the server is restarted" in refusal.message
