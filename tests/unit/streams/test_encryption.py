"""StartStreamEncryption, StopStreamEncryption: states, keys, and what becomes of data keys."""

from __future__ import annotations

import pytest

from support.control_plane import ACCOUNT, REGION, ControlPlane

KEY = {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}


async def test_start_and_stop(plane: ControlPlane) -> None:
    handle = await plane.create()
    await plane.call("StartStreamEncryption", StreamName="orders", **KEY)
    assert await plane.status() == "UPDATING"
    assert (await plane.summary())["EncryptionType"] == "NONE"
    assert handle.cipher.current() == 0
    await plane.pass_ms(60)
    summary = await plane.summary()
    assert (summary["StreamStatus"], summary["EncryptionType"]) == ("ACTIVE", "KMS")
    assert summary["KeyId"] == "alias/aws/kinesis"
    assert handle.cipher.current() == 1
    sealed = handle.cipher.seal(1, b"secret", b"aad")
    await plane.change("StopStreamEncryption", **KEY)
    summary = await plane.summary()
    assert summary["EncryptionType"] == "NONE"
    assert "KeyId" not in summary
    assert handle.cipher.current() == 0
    assert handle.cipher.open(1, sealed, b"aad") == b"secret"


async def test_blocks_open_after_a_restart(plane: ControlPlane) -> None:
    handle = await plane.create()
    await plane.change("StartStreamEncryption", **KEY)
    sealed = handle.cipher.seal(1, b"secret", b"")
    await plane.crash()
    again = plane.service.registry.find_by(ACCOUNT, REGION, name="orders")
    assert again.cipher.current() == 1
    assert again.cipher.open(1, sealed, b"") == b"secret"


async def test_every_start_makes_a_data_key(plane: ControlPlane) -> None:
    handle = await plane.create()
    customers = plane.keyring.create_key(ACCOUNT, REGION)
    for key_id in ("alias/aws/kinesis", customers, customers.rpartition("/")[2]):
        await plane.change("StartStreamEncryption", EncryptionType="KMS", KeyId=key_id)
        assert (await plane.summary())["KeyId"] == key_id
    assert [key.number for key in handle.stream.data_keys] == [1, 2, 3]
    assert handle.stream.data_keys[1].kms_key_id == handle.stream.data_keys[2].kms_key_id == customers
    assert handle.cipher.current() == 3


@pytest.mark.parametrize(
    "key",
    [
        "alias/nobody-made-this",
        "12345678-1234-1234-1234-123456789012",
        f"arn:aws:kms:us-east-1:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012",
        "arn:aws:kms:us-east-1:210987654321:alias/aws/kinesis",
        "nonsense ☃",
    ],
)
async def test_keys_that_are_not_there(plane: ControlPlane, key: str) -> None:
    await plane.create()
    refused = await plane.refusal("StartStreamEncryption", StreamName="orders", EncryptionType="KMS", KeyId=key)
    assert refused == ("KMSNotFoundException", f"Key '{key}' does not exist")
    assert await plane.status() == "ACTIVE"


async def test_refusals(plane: ControlPlane) -> None:
    await plane.create()
    refused = await plane.refusal("StartStreamEncryption", StreamName="orders", EncryptionType="NONE", KeyId="x")
    assert refused.code == "InvalidArgumentException"
    await plane.call("StartStreamEncryption", StreamName="orders", **KEY)
    for operation in ("StartStreamEncryption", "StopStreamEncryption"):
        assert (await plane.refusal(operation, StreamName="orders", **KEY)).code == "ResourceInUseException"


async def test_25_changes_in_24_hours(limited: ControlPlane) -> None:
    await limited.create()
    for _ in range(25):
        await limited.call("StartStreamEncryption", StreamName="orders", **KEY)
        await limited.pass_ms(200)
    refused = await limited.refusal("StartStreamEncryption", StreamName="orders", **KEY)
    assert refused.code == "LimitExceededException"
