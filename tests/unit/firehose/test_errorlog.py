"""Delivery errors are told in AWS's words, thinned out, and to nobody who did not ask; secrets are never told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from millstream.base.clock import ManualClock
from millstream.firehose.errorlog import THIN_MS, StreamErrorLog
from millstream.firehose.model import DeliveryStream, Destination
from millstream.firehose.targets import describe_target, target_identifier
from millstream.telemetry import Outbox

ACCOUNT, REGION = "123456789012", "eu-west-1"


def stream_to(kind: str, **configuration: Any) -> DeliveryStream:
    return DeliveryStream(
        account=ACCOUNT,
        region=REGION,
        name="orders",
        stream_id="id",
        created_ms=0,
        version=3,
        destination=Destination(kind=kind, configuration=configuration),
    )


def s3_stream(*, enabled: bool = True) -> DeliveryStream:
    options = {"Enabled": enabled, "LogGroupName": "group", "LogStreamName": "S3Delivery"}
    return stream_to("ExtendedS3", BucketARN="arn:aws:s3:::lake", Prefix="a/", CloudWatchLoggingOptions=options)


@pytest.fixture
def groups() -> Iterator[Outbox]:
    it = Outbox(":memory:")
    yield it
    it.close()


def events(groups: Outbox) -> list[dict[str, Any]]:
    return [json.loads(event.message) for event in groups.take(after=0, events_max=100)]


def test_an_error_is_told_as_aws_tells_it(groups: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    log = StreamErrorLog(s3_stream(), groups, clock)
    log.report("S3.AccessDenied", "Access denied.", processor="arn:aws:lambda:…")
    assert events(groups) == [
        {
            "deliveryStreamARN": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/orders",
            "destination": "arn:aws:s3:::lake",
            "deliveryStreamVersionId": 3,
            "message": "Access denied.",
            "errorCode": "S3.AccessDenied",
            "processor": "arn:aws:lambda:…",
        }
    ]
    assert (log.last_error, log.last_error_ms) == ("S3.AccessDenied: Access denied.", clock.now_ms())
    assert "delivery stream orders to arn:aws:s3:::lake: S3.AccessDenied: Access denied." in caplog.text


def test_repetitions_are_counted_and_told_with_the_next(groups: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    log = StreamErrorLog(s3_stream(), groups, clock)
    for _ in range(5):
        log.report("S3.SlowDown", "Slow down.")
        clock.advance(1000)
    log.report("S3.NoSuchBucket", "No such bucket.")
    clock.advance(THIN_MS)
    log.report("S3.SlowDown", "Slow down.")
    told = [(event["errorCode"], event.get("repetitions")) for event in events(groups)]
    assert told == [("S3.SlowDown", None), ("S3.NoSuchBucket", None), ("S3.SlowDown", 4)]
    assert len(caplog.records) == 3
    assert log.last_error == "S3.SlowDown: Slow down."


def test_codes_that_a_server_makes_up_take_no_memory() -> None:
    log = StreamErrorLog(s3_stream(), None, ManualClock())
    for n in range(1000):
        log.report(f"S3.{n}", "?")
    assert len(log._thinned) <= 100


def test_without_logging_nothing_is_kept_but_the_last_error(groups: Outbox) -> None:
    log = StreamErrorLog(s3_stream(enabled=False), groups, ManualClock())
    log.report("S3.AccessDenied", "Access denied.")
    assert events(groups) == []
    assert log.last_error == "S3.AccessDenied: Access denied."


def test_a_log_that_cannot_be_written_does_not_stop_delivery(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    groups = Outbox(tmp_path / "logs.db")
    groups.close()
    StreamErrorLog(s3_stream(), groups, ManualClock()).report("S3.AccessDenied", "Access denied.")
    assert "its error log cannot be written" in caplog.text


@pytest.mark.parametrize(
    ("stream", "line", "identifier"),
    [
        (s3_stream(), "s3://lake/a/", "arn:aws:s3:::lake"),
        (
            stream_to(
                "Redshift",
                ClusterJDBCURL="jdbc:postgresql://u:secret@db:5432/shop?password=secret",
                CopyCommand={"DataTableName": "orders"},
            ),
            "postgresql://db:5432/shop/orders",
            "postgresql://db:5432/shop/orders",
        ),
        (
            stream_to("Redshift", ClusterJDBCURL="duckdb:shop", CopyCommand={"DataTableName": "orders"}),
            "duckdb:shop/orders",
            "duckdb:shop/orders",
        ),
        (
            stream_to("Redshift", ClusterJDBCURL="duckdb:", CopyCommand={"DataTableName": "orders"}),
            "duckdb:orders",
            "duckdb:orders",
        ),
        (
            stream_to("Amazonopensearchservice", ClusterEndpoint="https://u:secret@node:9200", IndexName="ticks"),
            "https://node:9200/ticks",
            "https://node:9200/ticks",
        ),
        (
            stream_to("Elasticsearch", DomainARN="arn:aws:es:::domain/d", IndexName="ticks"),
            "arn:aws:es:::domain/d/ticks",
            "arn:aws:es:::domain/d",
        ),
        (
            stream_to("HttpEndpoint", EndpointConfiguration={"Url": "https://u:secret@h/in?key=secret"}),
            "https://h/in",
            "https://h/in",
        ),
        (stream_to("Splunk", HECEndpoint="https://splunk:8088"), "https://splunk:8088", "https://splunk:8088"),
        (
            stream_to(
                "Iceberg",
                DestinationTableConfigurationList=[{"DestinationDatabaseName": "d", "DestinationTableName": "t"}],
            ),
            "iceberg d.t",
            "iceberg d.t",
        ),
    ],
)
def test_destinations_in_a_line(stream: DeliveryStream, line: str, identifier: str) -> None:
    assert describe_target(stream.destination) == line
    assert target_identifier(stream.destination) == identifier
