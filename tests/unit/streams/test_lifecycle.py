"""What happens by itself: after a crash, on a full disk, at retention's end, under load, at too many calls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from millstream.catalog import CatalogError
from millstream.disk import DiskError
from millstream.log import LogStopped
from millstream.streams.registry import StreamHandle
from millstream.wire.faults import LimitExceededException
from support.control_plane import ACCOUNT, REGION, ControlPlane

HOUR_MS = 3_600_000
ARN = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/orders"
ON_DEMAND: dict[str, Any] = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}


def full_disk(*_: object) -> int:
    """Instead of a catalog's `put`."""
    raise CatalogError("disk full")


def handle_of(plane: ControlPlane) -> StreamHandle:
    """The stream, as the process that runs now has it."""
    return plane.service.registry.find_by(ACCOUNT, REGION, name="orders")


class TestCrash:
    """A process that starts where another one stopped in the middle."""

    async def test_creating_goes_on(self, plane: ControlPlane) -> None:
        await plane.call("CreateStream", StreamName="orders", ShardCount=1)
        await plane.crash()
        assert await plane.status() == "CREATING"
        await plane.pass_ms(60)
        assert await plane.status() == "ACTIVE"
        assert (await plane.put())["ShardId"] == "shardId-000000000000"

    async def test_deleting_goes_on(self, plane: ControlPlane) -> None:
        handle = await plane.create()
        await plane.call("DeleteStream", StreamName="orders")
        await plane.crash()
        assert await plane.status() == "DELETING"
        await plane.gone()
        assert set(plane.deleted) == {handle.stream.stream_id}

    async def test_deleting_goes_on_whatever_is_left_of_the_log(self, plane: ControlPlane) -> None:
        handle = await plane.create()
        await plane.call("DeleteStream", StreamName="orders")
        plane.damaged.add(handle.stream.stream_id)  # half of its segments are gone
        await plane.crash()
        assert await plane.status() == "DELETING"
        await plane.gone()
        await plane.create()

    @pytest.mark.parametrize(
        ("operation", "params", "changed"),
        [
            ("SplitShard", {"ShardToSplit": "shardId-0", "NewStartingHashKey": "77"}, {"OpenShardCount": 2}),
            ("UpdateShardCount", {"TargetShardCount": 5, "ScalingType": "UNIFORM_SCALING"}, {"OpenShardCount": 5}),
            ("IncreaseStreamRetentionPeriod", {"RetentionPeriodHours": 48}, {"RetentionPeriodHours": 48}),
            (
                "StartStreamEncryption",
                {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
                {"EncryptionType": "KMS"},
            ),
        ],
    )
    async def test_updating_goes_on(
        self, plane: ControlPlane, operation: str, params: dict[str, Any], changed: dict[str, Any]
    ) -> None:
        await plane.create()
        await plane.call(operation, StreamName="orders", **params)
        await plane.crash()
        assert await plane.status() == "UPDATING"
        await plane.pass_ms(60)
        summary = await plane.summary()
        assert summary["StreamStatus"] == "ACTIVE"
        assert summary.items() >= changed.items()

    async def test_between_the_opening_of_children_and_the_settling_of_parents(self, plane: ControlPlane) -> None:
        handle = await plane.create()
        for _ in range(3):
            await plane.put()
        log = plane.logs[handle.stream.stream_id]
        log.flowing.clear()
        lost = asyncio.create_task(plane.put())
        await plane.settle()
        await plane.change("SplitShard", ShardToSplit="shardId-0", NewStartingHashKey="77")
        assert handle.shards[0].end_offset is None
        await plane.crash()
        assert lost.cancelled()
        log.flowing.set()
        await plane.pass_ms(60)
        assert await plane.status() == "ACTIVE"
        assert handle_of(plane).shards[0].end_offset == 3
        assert sorted(handle_of(plane).shards) == [0, 1, 2]

    async def test_consumers_go_on(self, plane: ControlPlane) -> None:
        await plane.create()
        await plane.call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="old")
        await plane.pass_ms(60)
        await plane.call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="new")
        await plane.call("DeregisterStreamConsumer", StreamARN=ARN, ConsumerName="old")
        await plane.crash()
        await plane.pass_ms(60)
        consumers = (await plane.call("ListStreamConsumers", StreamARN=ARN))["Consumers"]
        assert [(found["ConsumerName"], found["ConsumerStatus"]) for found in consumers] == [("new", "ACTIVE")]

    async def test_everything_is_as_it_was(self, plane: ControlPlane) -> None:
        await plane.create(shards=3, Tags={"a": "b"})
        await plane.change("MergeShards", ShardToMerge="shardId-0", AdjacentShardToMerge="shardId-1")
        await plane.change("EnableEnhancedMonitoring", ShardLevelMetrics=["ALL"])
        before = handle_of(plane).stream
        await plane.crash()
        assert handle_of(plane).stream == before

    async def test_a_closed_service_leaves_changes_to_the_next(self, plane: ControlPlane) -> None:
        await plane.create()
        await plane.call("SplitShard", StreamName="orders", ShardToSplit="shardId-0", NewStartingHashKey="77")
        await plane.service.close()
        await plane.pass_ms(60)
        await plane.crash()
        await plane.pass_ms(60)
        assert (await plane.summary())["OpenShardCount"] == 2


async def test_a_change_that_cannot_be_saved_has_not_happened(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plane.create()

    with monkeypatch.context() as patched:
        patched.setattr(plane.catalog, "put", full_disk)
        with pytest.raises(CatalogError):
            await plane.call("AddTagsToStream", StreamName="orders", Tags={"a": "b"})
        with pytest.raises(CatalogError):
            await plane.call("CreateStream", StreamName="second", ShardCount=1)
    assert (await plane.call("ListTagsForStream", StreamName="orders"))["Tags"] == []
    assert (await plane.call("ListStreams"))["StreamNames"] == ["orders"]
    await plane.create("second")


async def test_a_stream_that_cannot_be_made_leaves_its_name_free(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise CatalogError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(plane.catalog, "delete", fail)
        patched.setattr(plane.service.registry, "_open_log", fail)
        with pytest.raises(CatalogError):
            await plane.call("CreateStream", StreamName="orders", ShardCount=1)
    await plane.create("orders")


async def test_a_change_under_way_waits_for_the_disk(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    await plane.create()
    await plane.call("SplitShard", StreamName="orders", ShardToSplit="shardId-0", NewStartingHashKey="77")

    with monkeypatch.context() as patched:
        patched.setattr(plane.catalog, "put", full_disk)
        await plane.pass_ms(500)
        assert await plane.status() == "UPDATING"
        assert (await plane.put())["ShardId"] == "shardId-000000000000"
    await plane.pass_ms(1000)
    assert await plane.status() == "ACTIVE"
    assert (await plane.summary())["OpenShardCount"] == 2


async def test_a_stream_deleted_while_its_parents_settle_stays_deleted(plane: ControlPlane) -> None:
    handle = await plane.create()
    log = plane.logs[handle.stream.stream_id]
    log.flowing.clear()
    put = asyncio.create_task(plane.put())
    await plane.settle()
    await plane.change("SplitShard", ShardToSplit="shardId-0", NewStartingHashKey="77")
    await plane.call("DeleteStream", StreamName="orders")
    log.flowing.set()
    await put
    await plane.settle()
    assert await plane.status() == "DELETING"
    await plane.gone()


async def test_a_log_that_fails_to_close_does_not_keep_the_others_open(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await plane.create("a"), await plane.create("b")

    async def fail() -> None:
        raise DiskError("a: Input/output error")

    monkeypatch.setattr(first.log, "close", fail)
    await plane.service.close()
    with pytest.raises(LogStopped):
        await second.log.append([])
    assert "a: Input/output error" in caplog.text


async def test_a_consumer_of_a_deleted_stream_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    plane = ControlPlane(create_delay_ms=500)
    await plane.call("CreateStream", StreamName="orders", ShardCount=1)
    await plane.pass_ms(500)
    await plane.call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="reader")
    await plane.call("DeleteStream", StreamName="orders", EnforceConsumerDeletion=True)
    await plane.gone()
    await plane.pass_ms(2000)
    assert caplog.records == []


class TestRetention:
    """What goes when its time is over."""

    async def test_closed_shards_go_with_their_last_records(self, plane: ControlPlane) -> None:
        await plane.service.start()
        handle = await plane.create()
        log = plane.logs[handle.stream.stream_id]
        await plane.put()
        await plane.change("SplitShard", ShardToSplit="shardId-0", NewStartingHashKey="77")
        await plane.skip_ms(24 * HOUR_MS - 60_000)
        assert sorted(handle.shards) == [0, 1, 2]
        await plane.skip_ms(2 * 60_000)
        async with asyncio.timeout(10):
            while log.shard_range(0)[0] == 0:
                await asyncio.sleep(0.001)
        assert sorted(handle.shards) == [1, 2]
        low = (await plane.call("ListShards", StreamName="orders"))["Shards"][0]
        assert low["ParentShardId"] == "shardId-000000000000"
        await plane.service.close()

    async def test_space_returns_even_while_the_catalog_cannot_be_changed(
        self, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        handle = await plane.create()
        await plane.put()
        await plane.change("SplitShard", ShardToSplit="shardId-0", NewStartingHashKey="77")
        await plane.skip_ms(25 * HOUR_MS)
        with monkeypatch.context() as patched:
            patched.setattr(plane.catalog, "put", full_disk)
            await plane.service.maintenance.expire()
        assert handle.log.shard_range(0) == (1, 1)
        assert sorted(handle.shards) == [0, 1, 2]
        await plane.service.maintenance.expire()
        assert sorted(handle.shards) == [1, 2]

    async def test_a_longer_period_keeps_them_longer(self, plane: ControlPlane) -> None:
        await plane.create()
        await plane.change("IncreaseStreamRetentionPeriod", RetentionPeriodHours=48)
        await plane.change("SplitShard", ShardToSplit="shardId-0", NewStartingHashKey="77")
        await plane.skip_ms(47 * HOUR_MS)
        await plane.service.maintenance.expire()
        assert len((await plane.call("ListShards", StreamName="orders"))["Shards"]) == 3
        await plane.skip_ms(2 * HOUR_MS)
        await plane.service.maintenance.expire()
        assert len((await plane.call("ListShards", StreamName="orders"))["Shards"]) == 2


class TestScaling:
    """On-demand streams under load."""

    async def load(self, plane: ControlPlane, per_s: dict[int, int], seconds: int = 10) -> None:
        """Count records of 1 KiB as written, `per_s` a second by shard, and let the scaler look at them."""
        handle = handle_of(plane)
        await plane.service.maintenance.scale()
        for shard, records in per_s.items():
            handle.limits.of(shard).records_written += records * seconds
            handle.limits.of(shard).bytes_written += records * seconds * 1024
        await plane.skip_ms(seconds * 1000)
        await plane.service.maintenance.scale()
        await plane.pass_ms(60)

    async def test_the_whole_stream_doubles_under_a_load_of_all_it_can(self, plane: ControlPlane) -> None:
        await plane.create(shards=None, **ON_DEMAND)
        await self.load(plane, dict.fromkeys(range(4), 1000))
        assert (await plane.summary())["OpenShardCount"] == 8
        assert await plane.status() == "ACTIVE"

    async def test_it_grows_until_capacity_is_twice_the_load(self, plane: ControlPlane) -> None:
        await plane.create(shards=None, **ON_DEMAND)
        await self.load(plane, {0: 700, 1: 600, 2: 600, 3: 500})
        assert (await plane.summary())["OpenShardCount"] == 5

    async def test_a_full_disk_only_puts_it_off(self, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
        await plane.service.start()
        await plane.create(shards=None, **ON_DEMAND)
        await plane.skip_ms(10_000)
        counts = [handle_of(plane).limits.of(shard) for shard in range(4)]
        with monkeypatch.context() as patched:
            patched.setattr(plane.catalog, "put", full_disk)
            for count in counts:
                count.records_written += 10_000
            await plane.skip_ms(10_000)
        assert (await plane.summary())["OpenShardCount"] == 4
        for count in counts:
            count.records_written += 10_000
        await plane.skip_ms(10_000)
        await plane.pass_ms(60)
        assert (await plane.summary())["OpenShardCount"] == 8
        await plane.service.close()

    async def test_half_load_is_no_reason_to_grow(self, plane: ControlPlane) -> None:
        await plane.create(shards=None, **ON_DEMAND)
        await self.load(plane, dict.fromkeys(range(4), 500))
        assert (await plane.summary())["OpenShardCount"] == 4

    async def test_a_hot_shard_is_split_alone(self, plane: ControlPlane) -> None:
        await plane.create(shards=None, **ON_DEMAND)
        await self.load(plane, {2: 950})
        listed = (await plane.call("ListShards", StreamName="orders"))["Shards"]
        assert [shard.get("ParentShardId") for shard in listed[4:]] == ["shardId-000000000002"] * 2

    async def test_provisioned_streams_do_not_scale(self, plane: ControlPlane) -> None:
        await plane.create(shards=4)
        await self.load(plane, dict.fromkeys(range(4), 1000))
        assert (await plane.summary())["OpenShardCount"] == 4


class TestCallRates:
    """How often operations may be called."""

    async def storm(self, plane: ControlPlane, calls: int, operation: str, **params: Any) -> int:
        """Call, and return how many calls were taken; the rest must say that there are too many."""
        refused: list[str] = []
        for _ in range(calls):
            try:
                await plane.call(operation, **params)
            except LimitExceededException as error:
                refused.append(error.message)
        assert all(message.startswith("Rate exceeded for ") for message in refused)
        return calls - len(refused)

    @pytest.mark.parametrize(
        ("operation", "rate", "params"),
        [
            ("DescribeStream", 10, {"StreamName": "orders"}),
            ("DescribeStreamSummary", 20, {"StreamName": "orders"}),
            ("ListShards", 1000, {"StreamName": "orders"}),
            ("ListStreams", 5, {}),
            ("DescribeLimits", 1, {}),
            ("ListTagsForStream", 5, {"StreamName": "orders"}),
            ("ListStreamConsumers", 5, {"StreamARN": ARN}),
            ("GetResourcePolicy", 5, {"ResourceARN": ARN}),
        ],
    )
    async def test_rates(self, limited: ControlPlane, operation: str, rate: int, params: dict[str, Any]) -> None:
        await limited.create()
        assert await self.storm(limited, rate + 5, operation, **params) == rate
        await limited.skip_ms(1000)
        assert await self.storm(limited, rate + 5, operation, **params) == rate

    async def test_wording(self, limited: ControlPlane) -> None:
        await limited.create()
        await self.storm(limited, 20, "DescribeStream", StreamName="orders")
        for address in ({"StreamName": "orders"}, {"StreamARN": ARN}):
            refused = await limited.refusal("DescribeStream", **address)
            assert refused.message == f"Rate exceeded for stream orders under account {ACCOUNT}."
        await self.storm(limited, 1, "DescribeLimits")
        assert (await limited.refusal("DescribeLimits")).message == f"Rate exceeded for account {ACCOUNT}."

    async def test_accounts_regions_and_streams_do_not_share(self, limited: ControlPlane) -> None:
        await limited.create()
        await limited.create("other")
        await self.storm(limited, 20, "ListStreams")
        assert await self.storm(limited, 5, "ListStreams", region="eu-west-1") == 5
        assert await self.storm(limited, 5, "ListStreams", account="210987654321") == 5
        await self.storm(limited, 20, "ListStreamConsumers", StreamARN=ARN)
        other = ARN.replace("orders", "other")
        assert await self.storm(limited, 5, "ListStreamConsumers", StreamARN=other) == 5

    async def test_five_streams_creating_or_deleting(self) -> None:
        plane = ControlPlane(limits_aws=True, create_delay_ms=60_000)
        for number in range(5):
            await plane.call("CreateStream", StreamName=f"s{number}", ShardCount=1)
            await plane.skip_ms(1000)
        assert await plane.refusal("CreateStream", StreamName="sixth", ShardCount=1) == (
            "LimitExceededException",
            (
                "This request would exceed the limit on the number of streams that can simultaneously be in CREATING "
                "or DELETING. Limit: 5"
            ),
        )

    async def test_no_rates_without_limits(self, plane: ControlPlane) -> None:
        await plane.create()
        assert await self.storm(plane, 100, "DescribeStream", StreamName="orders") == 100
