"""Encryption of records at rest: start, stop.

A data key is made and saved before any block is sealed with it. Data keys are kept when encryption stops: blocks that
they sealed are still there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.security import KeyUnknown
from millstream.streams.checks import counted, require_active
from millstream.streams.model import DataKey, EncryptionChange
from millstream.streams.registry import StreamHandle
from millstream.wire.context import CallContext
from millstream.wire.faults import InvalidArgumentException, KMSNotFoundException

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

Params = Mapping[str, Any]

CHANGES_A_DAY_MAX = 25


def start_stream_encryption(service: StreamsService, context: CallContext, params: Params) -> None:
    """Encrypt what is put from now on with a data key under a KMS key."""
    handle = _changeable(service, context, params)
    stream = handle.stream
    try:
        key_arn = service.keyring.ensure_key(context.account, context.region, params["KeyId"])
    except KeyUnknown:
        raise KMSNotFoundException(f"Key '{params['KeyId']}' does not exist") from None
    _, wrapped = service.keyring.generate_data_key(key_arn)
    data_key = DataKey(number=len(stream.data_keys) + 1, kms_key_id=key_arn, wrapped=wrapped)
    service.lifecycle.update(
        handle,
        EncryptionChange(key_id=params["KeyId"], data_key=data_key.number),
        data_keys=[*stream.data_keys, data_key],
        encryption_changes_ms=_counted(service, handle),
    )


def stop_stream_encryption(service: StreamsService, context: CallContext, params: Params) -> None:
    """Leave what is put from now on as it is."""
    handle = _changeable(service, context, params)
    change = EncryptionChange(key_id=None, data_key=0)
    service.lifecycle.update(handle, change, encryption_changes_ms=_counted(service, handle))


def _changeable(service: StreamsService, context: CallContext, params: Params) -> StreamHandle:
    handle = service.registry.find(context, params)
    if params["EncryptionType"] != "KMS":
        raise InvalidArgumentException("The only valid EncryptionType is KMS.")
    require_active(handle.stream)
    return handle


def _counted(service: StreamsService, handle: StreamHandle) -> list[int]:
    stream = handle.stream
    refusal = (
        f"Encryption of stream {stream.name} under account {stream.account} has been changed {CHANGES_A_DAY_MAX} "
        "times within the last 24 hours."
    )
    return counted(service, stream.encryption_changes_ms, CHANGES_A_DAY_MAX, refusal)
