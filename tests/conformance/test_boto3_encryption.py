"""Encryption at rest: StartStreamEncryption, StopStreamEncryption."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.kinesis import Kinesis, iterator, read_shard, refusal, stream_summary, wait_active

if TYPE_CHECKING:
    from support.server import Server

KEY = "alias/aws/kinesis"
SECRET = b"a secret that must not be found on disk"


def test_records_before_while_and_after(kinesis: Kinesis, stream: str, server: Server) -> None:
    kinesis.put_record(StreamName=stream, Data=b"plain before", PartitionKey="k")
    kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=KEY)
    summary = wait_active(kinesis, stream)
    assert (summary["EncryptionType"], summary["KeyId"]) == ("KMS", KEY)
    assert kinesis.describe_stream(StreamName=stream)["StreamDescription"]["EncryptionType"] == "KMS"

    put = kinesis.put_record(StreamName=stream, Data=SECRET, PartitionKey="hidden key")
    assert put["EncryptionType"] == "KMS"
    batch = kinesis.put_records(StreamName=stream, Records=[{"Data": SECRET, "PartitionKey": "hidden key"}])
    assert batch["EncryptionType"] == "KMS"

    kinesis.stop_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=KEY)
    summary = wait_active(kinesis, stream)
    assert summary["EncryptionType"] == "NONE"
    assert "KeyId" not in summary
    kinesis.put_record(StreamName=stream, Data=b"plain after", PartitionKey="k")

    records = read_shard(kinesis, stream)
    assert [record["Data"] for record in records] == [b"plain before", SECRET, SECRET, b"plain after"]
    assert [record.get("EncryptionType") for record in records] == [None, "KMS", "KMS", None]
    on_disk = b"".join(path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file())
    assert b"plain before" in on_disk
    assert b"plain after" in on_disk
    assert SECRET not in on_disk
    assert b"hidden key" not in on_disk


def test_an_iterator_goes_on_over_the_change(kinesis: Kinesis, stream: str) -> None:
    start = iterator(kinesis, stream)
    kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=KEY)
    wait_active(kinesis, stream)
    kinesis.put_record(StreamName=stream, Data=SECRET, PartitionKey="k")
    [record] = kinesis.get_records(ShardIterator=start)["Records"]
    assert record["Data"] == SECRET


@pytest.mark.parametrize(
    "key",
    [
        "alias/nobody-made-this",
        "12345678-1234-1234-1234-123456789012",
        "arn:aws:kms:us-east-1:000000000000:key/12345678-1234-1234-1234-123456789012",
    ],
)
def test_keys_that_are_not_there(kinesis: Kinesis, stream: str, key: str) -> None:
    refused = refusal(kinesis.start_stream_encryption, StreamName=stream, EncryptionType="KMS", KeyId=key)
    assert refused.code == "KMSNotFoundException"
    assert stream_summary(kinesis, stream)["EncryptionType"] == "NONE"


def test_refusals(kinesis: Kinesis, stream: str) -> None:
    refused = refusal(kinesis.start_stream_encryption, StreamName=stream, EncryptionType="NONE", KeyId=KEY)
    assert refused.code in {"InvalidArgumentException", "ValidationException"}
    refused = refusal(kinesis.start_stream_encryption, StreamName=stream, EncryptionType="AES", KeyId=KEY)
    assert refused[:2] == (
        "ValidationException",
        (
            "1 validation error detected: Value 'AES' at 'encryptionType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [NONE, KMS]"
        ),
    )
    refused = refusal(kinesis.start_stream_encryption, StreamName="nowhere", EncryptionType="KMS", KeyId=KEY)
    assert refused.code == "ResourceNotFoundException"
    kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=KEY)
    refused = refusal(kinesis.start_stream_encryption, StreamName=stream, EncryptionType="KMS", KeyId=KEY)
    assert refused.code == "ResourceInUseException"
    wait_active(kinesis, stream)
