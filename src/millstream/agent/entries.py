"""What entries are made of: data and partition keys, as a flow's options say.

| partitionKeyOption | key of a record | order |
|---|---|---|
| RANDOM | chance: records spread evenly over the shards | none |
| DETERMINISTIC | follows from the record's data | kept |
| FILE | the path under which the file was first seen: a file stays in one shard | kept |

Records that are joined or packed share an entry and so its key: for DETERMINISTIC it follows from the first of them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial

from millstream.agent.config import FlowConfig
from millstream.agent.packing import Limits, Packer, Singly, Together
from millstream.base.units import MIB
from millstream.client.puts import DeliveryEntry, Entry, PutTarget, StreamEntry, into_delivery_stream, into_stream
from millstream.wire.aggregation import pack, packed_bytes, record_bytes

KPL_ENTRY_BYTES = 50 * 1024
"""How long records in the KPL's format become unless `aggregatedRecordSizeBytes` says otherwise: as the KPL has it."""

_KEY_CHARS_MAX = 256
_RANDOM_KEY_BYTES = 8
_RECORD_HEAD_BYTES_MAX = record_bytes(MIB) - MIB

Keys = Callable[[str, Sequence[bytes]], list[str]]


def put_target_of(flow: FlowConfig) -> PutTarget:
    """Where the flow's entries go."""
    return (
        into_delivery_stream(flow.delivery_stream) if flow.delivery_stream else into_stream(flow.kinesis_stream or "")
    )


def is_ordered(flow: FlowConfig) -> bool:
    """Whether the flow's requests must go one after the other."""
    return flow.kinesis_stream is not None and flow.partition_key_option != "RANDOM"


def record_bytes_max(flow: FlowConfig) -> int:
    """How long a processed record may be at most, so that an entry holds it with its key."""
    target = put_target_of(flow)
    if flow.delivery_stream:
        return target.record_bytes_max
    packing = packed_bytes(_KEY_CHARS_MAX) + _RECORD_HEAD_BYTES_MAX if flow.aggregation else 0
    return target.record_bytes_max - _KEY_CHARS_MAX - packing


def make_packer(flow: FlowConfig) -> Packer:
    """What packs the flow's records."""
    target = put_target_of(flow)
    limits = Limits(
        min(flow.max_buffer_size_records, target.records_max), min(flow.max_buffer_size_bytes, target.bytes_max)
    )
    if flow.delivery_stream:
        return Packer(_for_delivery(flow, target, limits))
    keys, key_bytes = _KEYS[flow.partition_key_option]
    if not flow.aggregation:
        return Packer(Singly(limits, key_bytes, partial(_keyed, keys)))
    size = min(flow.aggregated_record_size_bytes or KPL_ENTRY_BYTES, target.record_bytes_max - _KEY_CHARS_MAX)
    limits = limits._replace(
        bytes_max=max(1, limits.bytes_max - limits.records_max * (key_bytes + packed_bytes(key_bytes)))
    )
    return Packer(Together(limits, size - packed_bytes(key_bytes), _RECORD_HEAD_BYTES_MAX, partial(_packed, keys)))


def _for_delivery(flow: FlowConfig, target: PutTarget, limits: Limits) -> Singly | Together:
    if not flow.aggregated_record_size_bytes:
        return Singly(limits, 0, lambda _, data: list(map(DeliveryEntry, data)))
    size = min(flow.aggregated_record_size_bytes, target.record_bytes_max)
    return Together(limits, size, 0, lambda _, data: DeliveryEntry(b"".join(data)))


def _keyed(keys: Keys, path: str, data: Sequence[bytes]) -> list[Entry]:
    return list(map(StreamEntry, data, keys(path, data)))


def _packed(keys: Keys, path: str, data: Sequence[bytes]) -> Entry:
    [key] = keys(path, data[:1])
    return StreamEntry(pack(key.encode(), data), key)


def data_key(data: bytes) -> str:
    """The partition key that follows from a record's data: records that are alike get the same one.

    Source: observed of the Java agent, whose DETERMINISTIC hashes the whole record.
    """
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def file_key(path: str) -> str:
    """The partition key of a file: its path, or what follows from it if that is too long for a key."""
    encoded = path.encode("utf-8", "surrogateescape")
    return encoded.decode("utf-8", "replace") if len(encoded) <= _KEY_CHARS_MAX else data_key(encoded)


def _random_keys(_: str, data: Sequence[bytes]) -> list[str]:
    return os.urandom(_RANDOM_KEY_BYTES * len(data)).hex(" ", _RANDOM_KEY_BYTES).split(" ")


def _data_keys(_: str, data: Sequence[bytes]) -> list[str]:
    return list(map(data_key, data))


def _file_keys(path: str, data: Sequence[bytes]) -> list[str]:
    return [file_key(path)] * len(data)


_KEYS: dict[str, tuple[Keys, int]] = {
    "RANDOM": (_random_keys, 2 * _RANDOM_KEY_BYTES),
    "DETERMINISTIC": (_data_keys, 32),
    "FILE": (_file_keys, _KEY_CHARS_MAX),
}
