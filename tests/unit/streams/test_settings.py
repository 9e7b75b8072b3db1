"""Settings of streams and accounts: retention, monitoring, capacity mode, warm throughput, record size, commitment."""

from __future__ import annotations

from typing import Any

import pytest

from support.control_plane import ACCOUNT, ControlPlane

ARN = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/orders"
HOUR_MS = 3_600_000
ON_DEMAND: dict[str, Any] = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
PROVISIONED: dict[str, Any] = {"StreamModeDetails": {"StreamMode": "PROVISIONED"}}


class TestRetention:
    """IncreaseStreamRetentionPeriod, DecreaseStreamRetentionPeriod."""

    async def test_up_and_down(self, plane: ControlPlane) -> None:
        await plane.create()
        await plane.call("IncreaseStreamRetentionPeriod", StreamName="orders", RetentionPeriodHours=8760)
        assert await plane.status() == "UPDATING"
        await plane.pass_ms(60)
        summary = await plane.summary()
        assert (summary["StreamStatus"], summary["RetentionPeriodHours"]) == ("ACTIVE", 8760)
        await plane.change("DecreaseStreamRetentionPeriod", RetentionPeriodHours=24)
        assert (await plane.summary())["RetentionPeriodHours"] == 24

    @pytest.mark.parametrize(
        ("operation", "hours", "message"),
        [
            *(
                (
                    operation,
                    20,
                    "Minimum allowed retention period is 24 hours. Requested retention period (20 hours) is too short.",
                )
                for operation in ("IncreaseStreamRetentionPeriod", "DecreaseStreamRetentionPeriod")
            ),
            (
                "IncreaseStreamRetentionPeriod",
                8761,
                "Maximum allowed retention period is 8760 hours. Requested retention period (8761 hours) is too long.",
            ),
            (
                "IncreaseStreamRetentionPeriod",
                30,
                (
                    "Requested retention period (30 hours) for stream orders can not be shorter than existing "
                    "retention period (48 hours). Use DecreaseRetentionPeriod API."
                ),
            ),
            (
                "DecreaseStreamRetentionPeriod",
                72,
                (
                    "Requested retention period (72 hours) for stream orders can not be longer than existing retention "
                    "period (48 hours). Use IncreaseRetentionPeriod API."
                ),
            ),
        ],
    )
    async def test_refusals(self, plane: ControlPlane, operation: str, hours: int, message: str) -> None:
        await plane.create()
        await plane.change("IncreaseStreamRetentionPeriod", RetentionPeriodHours=48)
        refused = await plane.refusal(operation, StreamName="orders", RetentionPeriodHours=hours)
        assert refused == ("InvalidArgumentException", message)

    async def test_what_has_expired_does_not_come_back(self, plane: ControlPlane) -> None:
        handle = await plane.create()
        await plane.skip_ms(48 * HOUR_MS)
        increased_ms = plane.clock.now_ms()
        await plane.change("IncreaseStreamRetentionPeriod", RetentionPeriodHours=72)
        assert handle.stream.trim_horizon_ms(plane.clock.now_ms()) == increased_ms - 24 * HOUR_MS
        await plane.skip_ms(72 * HOUR_MS)
        assert handle.stream.trim_horizon_ms(plane.clock.now_ms()) == plane.clock.now_ms() - 72 * HOUR_MS


class TestMonitoring:
    """EnableEnhancedMonitoring, DisableEnhancedMonitoring."""

    async def test_metrics_come_and_go(self, plane: ControlPlane) -> None:
        await plane.create()
        reply = await plane.change("EnableEnhancedMonitoring", ShardLevelMetrics=["OutgoingBytes", "IncomingBytes"])
        assert reply == {
            "StreamName": "orders",
            "StreamARN": ARN,
            "CurrentShardLevelMetrics": [],
            "DesiredShardLevelMetrics": ["IncomingBytes", "OutgoingBytes"],
        }
        assert (await plane.summary())["EnhancedMonitoring"] == [
            {"ShardLevelMetrics": ["IncomingBytes", "OutgoingBytes"]}
        ]
        reply = await plane.change("DisableEnhancedMonitoring", ShardLevelMetrics=["IncomingBytes"])
        assert reply["CurrentShardLevelMetrics"] == ["IncomingBytes", "OutgoingBytes"]
        assert reply["DesiredShardLevelMetrics"] == ["OutgoingBytes"]

    async def test_all_stands_for_every_metric(self, plane: ControlPlane) -> None:
        await plane.create()
        every = [
            "IncomingBytes",
            "IncomingRecords",
            "OutgoingBytes",
            "OutgoingRecords",
            "WriteProvisionedThroughputExceeded",
            "ReadProvisionedThroughputExceeded",
            "IteratorAgeMilliseconds",
        ]
        reply = await plane.change("EnableEnhancedMonitoring", ShardLevelMetrics=["ALL"])
        assert reply["DesiredShardLevelMetrics"] == every
        reply = await plane.change("DisableEnhancedMonitoring", ShardLevelMetrics=["ALL"])
        assert (reply["CurrentShardLevelMetrics"], reply["DesiredShardLevelMetrics"]) == (every, [])


class TestMode:
    """UpdateStreamMode."""

    async def test_both_ways(self, plane: ControlPlane) -> None:
        await plane.create(shards=2)
        for mode in (ON_DEMAND, PROVISIONED):
            await plane.call("UpdateStreamMode", StreamARN=ARN, **mode)
            assert await plane.status() == "UPDATING"
            await plane.pass_ms(60)
            summary = await plane.summary()
            assert summary["StreamModeDetails"] == mode["StreamModeDetails"]
            assert summary["OpenShardCount"] == 2

    async def test_twice_in_24_hours(self, limited: ControlPlane) -> None:
        await limited.create()
        for mode in (ON_DEMAND, PROVISIONED):
            await limited.call("UpdateStreamMode", StreamARN=ARN, **mode)
            await limited.pass_ms(60)
        assert await limited.refusal("UpdateStreamMode", StreamARN=ARN, **ON_DEMAND) == (
            "LimitExceededException",
            "You cannot update the capacity mode of your data stream more than twice within 24 hours.",
        )
        await limited.call("UpdateStreamMode", StreamARN=ARN, **PROVISIONED)
        assert await limited.status() == "ACTIVE"  # it has that mode already

    async def test_fifty_on_demand_streams(self, limited: ControlPlane) -> None:
        for number in range(50):
            await limited.call("CreateStream", StreamName=f"s{number}", **ON_DEMAND)
            await limited.pass_ms(200)
        assert await limited.refusal("CreateStream", StreamName="one-too-many", **ON_DEMAND) == (
            "LimitExceededException",
            (
                f"This request would exceed the limit on the number of On-Demand streams for the account {ACCOUNT} in "
                "us-east-1. Current On-Demand streams count: 50. Limit: 50."
            ),
        )


class TestCommitment:
    """Account settings, and the warm throughput that they unlock."""

    async def settings(self, plane: ControlPlane) -> dict[str, Any]:
        """DescribeAccountSettings."""
        reply = await plane.call("DescribeAccountSettings")
        commitment: dict[str, Any] = reply["MinimumThroughputBillingCommitment"]
        return commitment

    async def update(self, plane: ControlPlane, status: str) -> dict[str, Any]:
        """UpdateAccountSettings."""
        reply = await plane.call("UpdateAccountSettings", MinimumThroughputBillingCommitment={"Status": status})
        commitment: dict[str, Any] = reply["MinimumThroughputBillingCommitment"]
        assert commitment == await self.settings(plane)
        return commitment

    async def test_it_lasts_at_least_24_hours(self, plane: ControlPlane) -> None:
        assert await self.settings(plane) == {"Status": "DISABLED"}
        started_s = plane.clock.now_ms() / 1000
        ends_s = started_s + 24 * 3600
        enabled = {"Status": "ENABLED", "StartedAt": started_s, "EarliestAllowedEndAt": ends_s}
        assert await self.update(plane, "ENABLED") == enabled
        await plane.skip_ms(HOUR_MS)
        ending = enabled | {"Status": "ENABLED_UNTIL_EARLIEST_ALLOWED_END"}
        assert await self.update(plane, "DISABLED") == ending
        assert await self.update(plane, "ENABLED") == enabled
        await self.update(plane, "DISABLED")
        await plane.skip_ms(23 * HOUR_MS)
        assert await self.settings(plane) == {"Status": "DISABLED", "StartedAt": started_s, "EndedAt": ends_s}

    async def test_it_ends_at_once_when_it_has_lasted(self, plane: ControlPlane) -> None:
        await self.update(plane, "ENABLED")
        await plane.skip_ms(25 * HOUR_MS)
        assert (await self.update(plane, "DISABLED"))["EndedAt"] == plane.clock.now_ms() / 1000

    async def test_it_is_of_one_account_and_region(self, plane: ControlPlane) -> None:
        await self.update(plane, "ENABLED")
        elsewhere = await plane.call("DescribeAccountSettings", region="eu-west-1")
        assert elsewhere == {"MinimumThroughputBillingCommitment": {"Status": "DISABLED"}}

    async def test_warm_throughput_scales_up_and_down(self, plane: ControlPlane) -> None:
        await self.update(plane, "ENABLED")
        await plane.create(shards=None, **ON_DEMAND)
        reply = await plane.change("UpdateStreamWarmThroughput", WarmThroughputMiBps=50)
        assert reply == {
            "StreamName": "orders",
            "StreamARN": ARN,
            "WarmThroughput": {"TargetMiBps": 50, "CurrentMiBps": 4},
        }
        summary = await plane.summary()
        assert summary["WarmThroughput"] == {"TargetMiBps": 50, "CurrentMiBps": 50}
        assert summary["OpenShardCount"] == 50
        await plane.change("UpdateStreamWarmThroughput", WarmThroughputMiBps=2)
        assert (await plane.summary())["OpenShardCount"] == 4

    async def test_warm_throughput_at_creation_and_at_the_change_of_mode(self, plane: ControlPlane) -> None:
        await self.update(plane, "ENABLED")
        await plane.create("warm", shards=None, WarmThroughputMiBps=7, **ON_DEMAND)
        assert (await plane.summary("warm"))["WarmThroughput"] == {"TargetMiBps": 7, "CurrentMiBps": 7}
        await plane.create(shards=2)
        await plane.call("UpdateStreamMode", StreamARN=ARN, WarmThroughputMiBps=9, **ON_DEMAND)
        await plane.pass_ms(60)
        assert (await plane.summary())["WarmThroughput"] == {"TargetMiBps": 9, "CurrentMiBps": 9}

    async def test_warm_throughput_needs_it_and_on_demand_mode(self, plane: ControlPlane) -> None:
        await plane.create("provisioned", shards=1)
        await plane.create(shards=None, **ON_DEMAND)
        refused = await plane.refusal("UpdateStreamWarmThroughput", StreamName="orders", WarmThroughputMiBps=5)
        assert refused.code == "InvalidArgumentException"
        refused = await plane.refusal("UpdateStreamWarmThroughput", StreamName="provisioned", WarmThroughputMiBps=5)
        assert refused.code == "ValidationException"


async def test_record_size(plane: ControlPlane) -> None:
    await plane.create()
    await plane.call("UpdateMaxRecordSize", StreamARN=ARN, MaxRecordSizeInKiB=2048)
    assert await plane.status() == "UPDATING"
    await plane.pass_ms(60)
    assert (await plane.summary())["MaxRecordSizeInKiB"] == 2048


async def test_limits_of_the_account_count_what_is_there(plane: ControlPlane) -> None:
    await plane.create("a", shards=3)
    await plane.create("b", shards=2)
    await plane.create("c", shards=None, **ON_DEMAND)
    await plane.create("elsewhere", shards=5, region="eu-west-1")
    limits = await plane.call("DescribeLimits")
    assert (limits["OpenShardCount"], limits["OnDemandStreamCount"]) == (5, 1)
    assert (limits["ShardLimit"], limits["OnDemandStreamCountLimit"]) == (20_000, 50)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("IncreaseStreamRetentionPeriod", {"RetentionPeriodHours": 48}),
        ("DecreaseStreamRetentionPeriod", {"RetentionPeriodHours": 24}),
        ("EnableEnhancedMonitoring", {"ShardLevelMetrics": ["ALL"]}),
        ("DisableEnhancedMonitoring", {"ShardLevelMetrics": ["ALL"]}),
        ("StartStreamEncryption", {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}),
        ("StopStreamEncryption", {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}),
        ("AddTagsToStream", {"Tags": {"a": "b"}}),
    ],
)
async def test_changes_need_a_stream_that_is_there(plane: ControlPlane, operation: str, params: dict[str, Any]) -> None:
    assert await plane.refusal(operation, StreamName="orders", **params) == (
        "ResourceNotFoundException",
        f"Stream orders under account {ACCOUNT} not found.",
    )
    await plane.call("CreateStream", StreamName="orders", ShardCount=1)
    assert await plane.refusal(operation, StreamName="orders", **params) == (
        "ResourceInUseException",
        f"Stream orders under account {ACCOUNT} not ACTIVE, instead in state CREATING",
    )
