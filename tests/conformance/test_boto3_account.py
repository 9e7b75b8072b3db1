"""The account: DescribeLimits, DescribeAccountSettings, UpdateAccountSettings, UpdateStreamWarmThroughput."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.kinesis import Kinesis, create_stream, refusal, stream_summary, wait_active

if TYPE_CHECKING:
    from collections.abc import Callable


def test_limits_count_what_is_there(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    before = kinesis.describe_limits()
    assert before["OpenShardCount"] == 0
    assert before["OnDemandStreamCount"] == 0
    make_stream(3)
    create_stream(kinesis, None, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    after = kinesis.describe_limits()
    assert after["OpenShardCount"] == 3 or after["OpenShardCount"] == 7  # with the on-demand stream's four
    assert after["OnDemandStreamCount"] == 1
    assert after["ShardLimit"] == before["ShardLimit"] > 0
    assert after["OnDemandStreamCountLimit"] > 0


def test_billing_commitment_and_warm_throughput(kinesis: Kinesis) -> None:
    commitment = kinesis.describe_account_settings()["MinimumThroughputBillingCommitment"]
    assert commitment["Status"] == "DISABLED"
    name = create_stream(kinesis, None, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    arn = stream_summary(kinesis, name)["StreamARN"]
    refused = refusal(kinesis.update_stream_warm_throughput, StreamARN=arn, WarmThroughputMiBps=50)
    assert refused.code in {"ValidationException", "InvalidArgumentException"}

    reply = kinesis.update_account_settings(MinimumThroughputBillingCommitment={"Status": "ENABLED"})
    assert reply["MinimumThroughputBillingCommitment"]["Status"] == "ENABLED"
    commitment = kinesis.describe_account_settings()["MinimumThroughputBillingCommitment"]
    assert commitment["Status"] == "ENABLED"
    assert commitment["StartedAt"] < commitment["EarliestAllowedEndAt"]

    reply = kinesis.update_stream_warm_throughput(StreamARN=arn, WarmThroughputMiBps=50)
    assert reply["StreamName"] == name
    assert reply["WarmThroughput"]["TargetMiBps"] == 50
    summary = wait_active(kinesis, name)
    assert summary["WarmThroughput"] == {"TargetMiBps": 50, "CurrentMiBps": 50}
    assert summary["OpenShardCount"] >= 50


def test_warm_throughput_is_for_on_demand_streams(kinesis: Kinesis, stream: str) -> None:
    refused = refusal(kinesis.update_stream_warm_throughput, StreamName=stream, WarmThroughputMiBps=50)
    assert refused.code in {"ValidationException", "InvalidArgumentException"}


def test_settings_of_another_kind(kinesis: Kinesis) -> None:
    refused = refusal(kinesis.update_account_settings, MinimumThroughputBillingCommitment={"Status": "MAYBE"})
    assert refused[:2] == (
        "ValidationException",
        (
            "1 validation error detected: Value 'MAYBE' at 'minimumThroughputBillingCommitment.status' failed to "
            "satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED]"
        ),
    )
