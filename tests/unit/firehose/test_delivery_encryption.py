"""StartDeliveryStreamEncryption and StopDeliveryStreamEncryption, and how often the API may be called."""

from __future__ import annotations

from typing import Any

import pytest

from millstream.firehose.model import Encryption, EncryptionStatus, KinesisSource, StreamStatus, StreamType
from millstream.firehose.registry import Handle
from support.delivery_plane import ACCOUNT, REGION, DeliveryPlane

OWNED = {"KeyType": "AWS_OWNED_CMK"}


@pytest.fixture
def plane() -> DeliveryPlane:
    return DeliveryPlane()


async def start(plane: DeliveryPlane, **configuration: Any) -> None:
    members: Any = {"DeliveryStreamEncryptionConfigurationInput": configuration} if configuration else {}
    assert await plane.call("StartDeliveryStreamEncryption", DeliveryStreamName="ticks", **members) == {}


async def stop(plane: DeliveryPlane) -> None:
    assert await plane.call("StopDeliveryStreamEncryption", DeliveryStreamName="ticks") == {}


async def is_put_encrypted(plane: DeliveryPlane) -> bool:
    reply = await plane.call("PutRecord", DeliveryStreamName="ticks", Record={"Data": "eA=="})
    encrypted: bool = reply["Encrypted"]
    cipher = plane.files.ciphers["id-of-ticks"]
    assert (cipher.current() != 0) is encrypted
    return encrypted


def status(handle: Handle) -> EncryptionStatus:
    return handle.stream.encryption.status


async def test_encryption_is_enabled_changed_and_disabled(plane: DeliveryPlane) -> None:
    handle = await plane.create()
    assert not await is_put_encrypted(plane)
    await start(plane)
    assert status(handle) is EncryptionStatus.ENABLING
    assert not await is_put_encrypted(plane)
    await plane.pass_ms(60)
    assert status(handle) is EncryptionStatus.ENABLED
    assert (handle.stream.encryption.key_type, handle.stream.encryption.key_arn) == ("AWS_OWNED_CMK", None)
    assert await is_put_encrypted(plane)

    key_arn = plane.keyring.create_key(ACCOUNT, REGION)
    await start(plane, KeyType="CUSTOMER_MANAGED_CMK", KeyARN=key_arn)
    assert await is_put_encrypted(plane)
    await plane.pass_ms(60)
    assert handle.stream.encryption.key_arn == key_arn
    assert plane.files.ciphers["id-of-ticks"].current() == 2

    await stop(plane)
    assert status(handle) is EncryptionStatus.DISABLING
    await plane.pass_ms(60)
    assert handle.stream.encryption.status is EncryptionStatus.DISABLED
    assert not await is_put_encrypted(plane)


async def test_what_was_sealed_is_read_after_a_restart(plane: DeliveryPlane) -> None:
    await plane.create()
    await start(plane)
    await plane.crash()
    (handle,) = plane.service.registry
    assert status(handle) is EncryptionStatus.ENABLING
    await plane.pass_ms(60)
    sealed = plane.files.ciphers["id-of-ticks"].seal(1, b"secret", b"")
    await stop(plane)
    await plane.pass_ms(60)
    await plane.crash()
    assert plane.files.ciphers["id-of-ticks"].open(1, sealed, b"") == b"secret"


async def test_one_made_with_encryption_is_encrypted_once_active(plane: DeliveryPlane) -> None:
    await plane.create("other")
    await plane.call("StartDeliveryStreamEncryption", DeliveryStreamName="other")
    encryption = plane.service.registry.in_region(ACCOUNT, REGION)[0].stream.encryption
    handle = await plane.create(encryption=encryption)
    assert status(handle) is EncryptionStatus.ENABLED
    assert await is_put_encrypted(plane)


@pytest.mark.parametrize(
    ("configuration", "code"),
    [
        ({"KeyType": "CUSTOMER_MANAGED_CMK"}, "InvalidArgumentException"),
        ({"KeyType": "AWS_OWNED_CMK", "KeyARN": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"}, "InvalidArgumentException"),
        (
            {"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/unknown"},
            "InvalidKMSResourceException",
        ),
        ({"KeyType": "MINE"}, "ValidationException"),
    ],
)
async def test_keys_that_cannot_be_used(plane: DeliveryPlane, configuration: dict[str, str], code: str) -> None:
    handle = await plane.create()
    members = {"DeliveryStreamEncryptionConfigurationInput": configuration}
    refusal = await plane.refusal("StartDeliveryStreamEncryption", DeliveryStreamName="ticks", **members)
    assert refusal.code == code
    assert handle.stream.encryption == Encryption()


async def test_only_active_ones_that_are_not_changing_can_be_changed(plane: DeliveryPlane) -> None:
    handle = await plane.create()
    await start(plane)
    for operation in ("StartDeliveryStreamEncryption", "StopDeliveryStreamEncryption"):
        assert (await plane.refusal(operation, DeliveryStreamName="ticks")).code == "ResourceInUseException"
    await plane.pass_ms(60)
    plane.service.registry.save(handle, status=StreamStatus.DELETING)
    assert (await plane.refusal("StopDeliveryStreamEncryption", DeliveryStreamName="ticks")).code == (
        "ResourceInUseException"
    )
    missing = await plane.refusal("StopDeliveryStreamEncryption", DeliveryStreamName="missing")
    assert missing.code == "ResourceNotFoundException"


async def test_only_direct_put_is_encrypted(plane: DeliveryPlane) -> None:
    source = KinesisSource(stream_arn="arn", role_arn="role", stream_id="s", start_position=0, start_ms=0)
    await plane.create(type=StreamType.KINESIS, source=source)
    refusal = await plane.refusal("StartDeliveryStreamEncryption", DeliveryStreamName="ticks")
    assert refusal.code == "InvalidArgumentException"


async def test_at_most_25_changes_a_day_and_5_calls_a_second() -> None:
    limited = DeliveryPlane(limits_aws=True)
    await limited.create()
    for _ in range(5):
        await stop(limited)  # it is not encrypted: nothing changes, nothing is counted
    refusal = await limited.refusal("StopDeliveryStreamEncryption", DeliveryStreamName="ticks")
    assert refusal == ("ThrottlingException", "Rate exceeded", 400)
    for change in range(25):
        await (stop if change % 2 else start)(limited)
        await limited.pass_ms(1_000)
    refusal = await limited.refusal("StopDeliveryStreamEncryption", DeliveryStreamName="ticks")
    assert refusal.code == "LimitExceededException"
    limited.clock.advance(24 * 3_600_000)
    await stop(limited)
