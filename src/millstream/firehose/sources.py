"""Where a new delivery stream gets its records from, and what cannot be a source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millstream.firehose.model import StreamType
from millstream.wire.faults import InvalidArgumentException

Params = Mapping[str, Any]

_FOREIGN = {
    "MSKAsSource": "MSK",
    "MSKSourceConfiguration": "MSK",
    "DatabaseAsSource": "databases",
    "DatabaseSourceConfiguration": "databases",
}


def check_source(params: Params) -> StreamType:
    """The type of the delivery stream that a CreateDeliveryStream asks for. Raises InvalidArgumentException."""
    wanted = params.get("DeliveryStreamType", StreamType.DIRECT_PUT.value)
    for name in (wanted, *params):
        if name in _FOREIGN:
            raise InvalidArgumentException(
                f"Millstream does not read from {_FOREIGN[name]}. Use DirectPut, or KinesisStreamAsSource."
            )
    stream_type = StreamType(wanted)
    has_source = "KinesisStreamSourceConfiguration" in params
    if stream_type is StreamType.KINESIS and not has_source:
        raise InvalidArgumentException(
            "KinesisStreamSourceConfiguration must be specified for KinesisStreamAsSource stream type"
        )
    if stream_type is StreamType.DIRECT_PUT and has_source:
        raise InvalidArgumentException(
            "KinesisSourceStreamConfig is only applicable for KinesisStreamAsSource stream type"
        )
    if stream_type is StreamType.KINESIS and "DirectPutSourceConfiguration" in params:
        raise InvalidArgumentException("DirectPutSourceConfiguration is only applicable for DirectPut stream type")
    return stream_type
