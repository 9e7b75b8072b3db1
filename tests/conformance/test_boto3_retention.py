"""The retention period: IncreaseStreamRetentionPeriod, DecreaseStreamRetentionPeriod."""

from __future__ import annotations

from support.kinesis import Kinesis, refusal, stream_summary, wait_active


def test_up_and_down(kinesis: Kinesis, stream: str) -> None:
    kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=8760)
    assert wait_active(kinesis, stream)["RetentionPeriodHours"] == 8760
    kinesis.decrease_stream_retention_period(StreamName=stream, RetentionPeriodHours=24)
    assert wait_active(kinesis, stream)["RetentionPeriodHours"] == 24


def test_too_short(kinesis: Kinesis, stream: str) -> None:
    expected = (
        "InvalidArgumentException",
        "Minimum allowed retention period is 24 hours. Requested retention period (20 hours) is too short.",
        400,
    )
    for call in (kinesis.increase_stream_retention_period, kinesis.decrease_stream_retention_period):
        assert refusal(call, StreamName=stream, RetentionPeriodHours=20) == expected


def test_too_long(kinesis: Kinesis, stream: str) -> None:
    refused = refusal(kinesis.increase_stream_retention_period, StreamName=stream, RetentionPeriodHours=8761)
    assert refused.code == "InvalidArgumentException"
    assert refused.message == (
        "Maximum allowed retention period is 8760 hours. Requested retention period (8761 hours) is too long."
    )


def test_wrong_direction(kinesis: Kinesis, stream: str) -> None:
    kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=48)
    wait_active(kinesis, stream)
    refused = refusal(kinesis.increase_stream_retention_period, StreamName=stream, RetentionPeriodHours=30)
    assert refused[:2] == (
        "InvalidArgumentException",
        (
            f"Requested retention period (30 hours) for stream {stream} can not be shorter than existing "
            "retention period (48 hours). Use DecreaseRetentionPeriod API."
        ),
    )
    refused = refusal(kinesis.decrease_stream_retention_period, StreamName=stream, RetentionPeriodHours=72)
    assert refused[:2] == (
        "InvalidArgumentException",
        (
            f"Requested retention period (72 hours) for stream {stream} can not be longer than existing "
            "retention period (48 hours). Use IncreaseRetentionPeriod API."
        ),
    )
    assert stream_summary(kinesis, stream)["RetentionPeriodHours"] == 48


def test_of_no_stream(kinesis: Kinesis, account: str) -> None:
    expected = ("ResourceNotFoundException", f"Stream nowhere under account {account} not found.", 400)
    for call in (kinesis.increase_stream_retention_period, kinesis.decrease_stream_retention_period):
        assert refusal(call, StreamName="nowhere", RetentionPeriodHours=48) == expected
