"""PutRecord, PutRecordBatch and encryption of delivery streams, as boto3 sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from support.configurations import ROLE
from support.firehose import (
    Firehose,
    connect_firehose,
    create_delivery_stream,
    describe_delivery_stream,
    records_of,
    to_bucket,
)
from support.kinesis import Kinesis, Refusal, create_stream, refusal, stream_summary
from support.waiting import wait_for

if TYPE_CHECKING:
    from support.server import Server

SLOW_DOWN = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}


@pytest.fixture
def firehose(server: Server, account: str) -> Firehose:
    return connect_firehose(server.url, account)


@pytest.fixture
def delivery_stream(firehose: Firehose) -> str:
    return create_delivery_stream(firehose)


def test_put_record(firehose: Firehose, delivery_stream: str) -> None:
    reply = firehose.put_record(DeliveryStreamName=delivery_stream, Record={"Data": b"\x00\xff"})
    assert reply["Encrypted"] is False
    assert len(reply["RecordId"]) > 100


def test_put_record_batch(firehose: Firehose, delivery_stream: str) -> None:
    reply = firehose.put_record_batch(DeliveryStreamName=delivery_stream, Records=records_of(*[b"x" * 1_000] * 500))
    assert (reply["FailedPutCount"], reply["Encrypted"]) == (0, False)
    assert len({entry["RecordId"] for entry in reply["RequestResponses"]}) == 500


@pytest.mark.parametrize(
    ("records", "code", "text"),
    [
        (records_of(*[bytes(1_024_000)] * 4), None, ""),
        (records_of(*[bytes(1_024_000)] * 4, bytes(98_305)), "InvalidArgumentException", "Records size exceeds 4 MB"),
        (records_of(bytes(1_024_001)), "ValidationException", "length less than or equal to 1024000"),
        (records_of(*[b""] * 501), "ValidationException", "length less than or equal to 500"),
        ([], "ValidationException", "length greater than or equal to 1"),
        ([{}], "ValidationException", "'records.1.member.data' failed to satisfy constraint: Member must not be null"),
    ],
)
def test_sizes(firehose: Firehose, delivery_stream: str, records: object, code: str | None, text: str) -> None:
    call = {"DeliveryStreamName": delivery_stream, "Records": records}
    if code is None:
        assert firehose.put_record_batch(**call)["FailedPutCount"] == 0
    else:
        refused = refusal(firehose.put_record_batch, **call)
        assert (refused.code, refused.status) == (code, 400)
        assert text in refused.message


def test_a_delivery_stream_that_is_not_there(firehose: Firehose, account: str) -> None:
    message = f"Firehose nobody under account {account} not found."
    expected = Refusal("ResourceNotFoundException", message, 400)
    assert refusal(firehose.put_record, DeliveryStreamName="nobody", Record={"Data": b""}) == expected
    assert refusal(firehose.put_record_batch, DeliveryStreamName="nobody", Records=records_of(b"")) == expected
    assert refusal(firehose.stop_delivery_stream_encryption, DeliveryStreamName="nobody") == expected


def test_what_reads_a_data_stream_takes_no_puts(firehose: Firehose, kinesis: Kinesis) -> None:
    stream_arn = stream_summary(kinesis, create_stream(kinesis))["StreamARN"]
    name = create_delivery_stream(
        firehose,
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": stream_arn, "RoleARN": ROLE},
    )
    refused = refusal(firehose.put_record, DeliveryStreamName=name, Record={"Data": b""})
    assert refused.code == "InvalidArgumentException"
    assert refused.message == "This operation is not permitted on KinesisStreamAsSource delivery stream type."


def test_a_data_stream_that_is_not_there_is_no_source(firehose: Firehose, account: str) -> None:
    refused = refusal(
        firehose.create_delivery_stream,
        DeliveryStreamName="reader",
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={
            "KinesisStreamARN": f"arn:aws:kinesis:us-east-1:{account}:stream/nobody",
            "RoleARN": ROLE,
        },
        ExtendedS3DestinationConfiguration=to_bucket(),
    )
    assert refused.code == "InvalidArgumentException"
    assert "nobody" in refused.message


def test_encryption(firehose: Firehose, delivery_stream: str) -> None:
    def status() -> str:
        description = describe_delivery_stream(firehose, delivery_stream)
        text: str = description["DeliveryStreamEncryptionConfiguration"]["Status"]
        return text

    def is_put_encrypted() -> bool:
        reply = firehose.put_record_batch(DeliveryStreamName=delivery_stream, Records=records_of(b"x"))
        encrypted: bool = reply["Encrypted"]
        return encrypted

    firehose.start_delivery_stream_encryption(
        DeliveryStreamName=delivery_stream, DeliveryStreamEncryptionConfigurationInput={"KeyType": "AWS_OWNED_CMK"}
    )
    wait_for(lambda: status() == "ENABLED", "encryption to be enabled")
    assert is_put_encrypted()
    firehose.stop_delivery_stream_encryption(DeliveryStreamName=delivery_stream)
    wait_for(lambda: status() == "DISABLED", "encryption to be disabled")
    assert not is_put_encrypted()


def test_an_unknown_key(firehose: Firehose, delivery_stream: str, account: str) -> None:
    key = {"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": f"arn:aws:kms:us-east-1:{account}:key/unknown"}
    refused = refusal(
        firehose.start_delivery_stream_encryption,
        DeliveryStreamName=delivery_stream,
        DeliveryStreamEncryptionConfigurationInput=key,
    )
    assert (refused.code, refused.status) == ("InvalidKMSResourceException", 400)


def test_deletion_frees_the_name(firehose: Firehose, delivery_stream: str) -> None:
    firehose.delete_delivery_stream(DeliveryStreamName=delivery_stream)

    def gone() -> bool:
        return delivery_stream not in firehose.list_delivery_streams()["DeliveryStreamNames"]

    wait_for(gone, "the delivery stream to be gone")
    assert create_delivery_stream(firehose, DeliveryStreamName=delivery_stream) == delivery_stream


def test_the_target_decides_which_service_is_called(server: Server) -> None:
    for target in ("Firehose_20150804.ListStreams", "Kinesis_20131202.ListDeliveryStreams"):
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        reply = httpx.post(server.url, content=b"{}", headers=headers)
        assert (reply.status_code, reply.json()["__type"]) == (400, "UnknownOperationException")


class TestQuotas:
    """With AWS's limits."""

    @pytest.fixture
    def server(self, limited_server: Server) -> Server:
        return limited_server

    def test_a_throttled_batch_says_which_records_failed(self, server: Server, account: str) -> None:
        firehose = connect_firehose(server.url, account, "eu-central-1")
        name = create_delivery_stream(firehose)
        reply = firehose.put_record_batch(DeliveryStreamName=name, Records=records_of(*[bytes(700_000)] * 4))
        failed = [entry for entry in reply["RequestResponses"] if "ErrorCode" in entry]
        assert reply["FailedPutCount"] == len(failed) == 3
        assert failed == [SLOW_DOWN] * 3
        assert refusal(firehose.put_record, DeliveryStreamName=name, Record={"Data": bytes(700_000)}) == Refusal(
            "ServiceUnavailableException", "Slow down.", 503
        )

    def test_boto3_retries_what_is_throttled_as_a_whole(self, server: Server, account: str) -> None:
        firehose = connect_firehose(
            server.url, account, "eu-central-1", retries={"total_max_attempts": 10, "mode": "standard"}
        )
        name = create_delivery_stream(firehose)
        for _ in range(3):
            firehose.put_record(DeliveryStreamName=name, Record={"Data": bytes(700_000)})

    def test_control_plane_calls_are_throttled(self, firehose: Firehose) -> None:
        outcomes = []
        for _ in range(20):
            try:
                firehose.list_delivery_streams()
            except firehose.exceptions.ClientError as error:
                outcomes.append(error.response["Error"])
        assert {"Code": "ThrottlingException", "Message": "Rate exceeded"} in outcomes
