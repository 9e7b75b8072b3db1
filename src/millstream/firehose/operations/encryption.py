"""Encryption at rest of what is put into a delivery stream: start, stop.

A data key is made and saved before any block is sealed with it. Data keys are kept when encryption stops: blocks that
they sealed are still there. Source: API reference, StartDeliveryStreamEncryption.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from millstream.base.units import HOUR_MS
from millstream.firehose.model import DataKey, Encryption, EncryptionStatus, StreamStatus, StreamType
from millstream.firehose.operations.records import not_permitted
from millstream.firehose.registry import Handle, not_active
from millstream.security import KeyUnknown
from millstream.wire import CallContext
from millstream.wire.faults import (
    InvalidArgumentException,
    InvalidKMSResourceException,
    LimitExceededException,
    ResourceInUseException,
)

if TYPE_CHECKING:
    from millstream.firehose.service import FirehoseService

Params = Mapping[str, Any]

AWS_OWNED = "AWS_OWNED_CMK"
CUSTOMER_MANAGED = "CUSTOMER_MANAGED_CMK"
CHANGES_A_DAY_MAX = 25

_MANAGED_KEY = "alias/aws/kinesis"  # what stands in for the key that AWS owns
_DAY_MS = 24 * HOUR_MS


def start_delivery_stream_encryption(service: FirehoseService, context: CallContext, params: Params) -> dict[str, Any]:
    """Encrypt what is put from soon on; on an encrypted delivery stream: with another key."""
    handle = _changeable(service, context, params)
    wanted = params.get("DeliveryStreamEncryptionConfigurationInput") or {"KeyType": AWS_OWNED}
    encryption = enabling(service, context, handle.stream.encryption, wanted)
    service.lifecycle.change_encryption(handle, _counted(service, handle, encryption))
    return {}


def stop_delivery_stream_encryption(service: FirehoseService, context: CallContext, params: Params) -> dict[str, Any]:
    """Leave what is put from soon on as it is."""
    handle = _changeable(service, context, params)
    encryption = handle.stream.encryption
    if encryption.status is not EncryptionStatus.DISABLED:
        disabling = replace(encryption, status=EncryptionStatus.DISABLING)
        service.lifecycle.change_encryption(handle, _counted(service, handle, disabling))
    return {}


def enabling(service: FirehoseService, context: CallContext, encryption: Encryption, wanted: Params) -> Encryption:
    """`encryption`, ENABLING with a new data key, as the DeliveryStreamEncryptionConfigurationInput `wanted` says.

    Raises InvalidArgumentException for a key type without its key, InvalidKMSResourceException for an unknown key.
    """
    key_type, key_arn = wanted["KeyType"], wanted.get("KeyARN")
    if key_type == CUSTOMER_MANAGED and key_arn is None:
        raise InvalidArgumentException("KeyARN must be specified when KeyType is CUSTOMER_MANAGED_CMK.")
    if key_type == AWS_OWNED and key_arn is not None:
        raise InvalidArgumentException("KeyARN must not be specified when KeyType is AWS_OWNED_CMK.")
    try:
        wrapping_arn = service.keyring.ensure_key(context.account, context.region, key_arn or _MANAGED_KEY)
    except KeyUnknown:
        raise InvalidKMSResourceException(f"Key '{key_arn}' does not exist") from None
    _, wrapped = service.keyring.generate_data_key(wrapping_arn)
    data_key = DataKey(number=len(encryption.data_keys) + 1, kms_key_id=wrapping_arn, wrapped=wrapped)
    return replace(
        encryption,
        status=EncryptionStatus.ENABLING,
        key_type=key_type,
        key_arn=key_arn,
        data_keys=[*encryption.data_keys, data_key],
    )


def _changeable(service: FirehoseService, context: CallContext, params: Params) -> Handle:
    handle = service.registry.find(context, params["DeliveryStreamName"])
    stream = handle.stream
    if stream.type is not StreamType.DIRECT_PUT:
        raise not_permitted(stream.type)
    if stream.status is not StreamStatus.ACTIVE:
        raise not_active(stream)
    if stream.encryption.status in (EncryptionStatus.ENABLING, EncryptionStatus.DISABLING):
        raise ResourceInUseException(
            f"The encryption of Firehose {stream.name} under account {stream.account} is being changed: it is "
            f"{stream.encryption.status}."
        )
    return handle


def _counted(service: FirehoseService, handle: Handle, encryption: Encryption) -> Encryption:
    """`encryption` with this change counted. Raises LimitExceededException when there were too many in 24 hours."""
    now_ms = service.clock.now_ms()
    recent = [changed_ms for changed_ms in encryption.changes_ms if changed_ms > now_ms - _DAY_MS]
    if service.settings.limits_aws and len(recent) >= CHANGES_A_DAY_MAX:
        stream = handle.stream
        raise LimitExceededException(
            f"Encryption of Firehose {stream.name} under account {stream.account} has been changed "
            f"{CHANGES_A_DAY_MAX} times within the last 24 hours."
        )
    return replace(encryption, changes_ms=[*recent, now_ms])
