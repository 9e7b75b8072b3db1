"""The error output: records that could not be processed or delivered, as JSON lines, in the bucket under prefixes of
their own.

Objects are compressed as the bucket's configuration says. Their prefix is ErrorOutputPrefix, evaluated; without
one, or if it has no expressions, the error output type and the time follow the prefix: `<prefix><type>/yyyy/MM/dd/HH/`.
Where only Prefix is given and has expressions, it serves, with the type after it (Elasticsearch and Splunk allow that).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from millstream.firehose import prefixes
from millstream.firehose.configuration import S3
from millstream.firehose.destinations.objectwriter import ObjectWriter
from millstream.firehose.ports import ErrorLog, Parcel, Report, Surroundings


class _Reason(msgspec.Struct, rename="camel"):
    """Why a record is error output: what each line of it says; those of format conversion in words of their own."""

    error_code: str = ""
    error_message: str = ""
    last_error_code: str = ""
    last_error_message: str = ""


def tell_of_failures(errors: ErrorLog, first_line: bytes, record_count: int) -> None:
    """Tell the error log of records that became error output; the reason of the first stands for all."""
    reason = msgspec.json.decode(first_line, type=_Reason)
    message = reason.error_message or reason.last_error_message
    records = "a record is" if record_count == 1 else f"{record_count:,} records are"
    errors.report(reason.error_code or reason.last_error_code, f"{message} ({records} in the error output)")


class ErrorWriter:
    """Writes to the error output of one bucket configuration."""

    def __init__(self, configuration: S3, surroundings: Surroundings) -> None:
        self._writer = ObjectWriter(configuration, surroundings)
        self._prefix = configuration.error_prefix or _own_prefix(configuration.prefix)

    def plan(self, kind: str, time_ms: int, parcel_id: str) -> str:
        """The key of an object of error output type `kind` whose oldest record arrived at `time_ms`."""
        return self._writer.key(self._prefix, time_ms, parcel_id, self._writer.extension, error_type=kind)

    async def write(self, key: str, lines: Callable[[], Iterable[bytes]]) -> None:
        """Put what `lines` makes, trying again until it is there."""
        name = key.removesuffix(self._writer.extension).rpartition("/")[2]
        await self._writer.put_compressed(key, name, lines)


class FailureDestination:
    """Delivers parcels of failure lanes to the error output. Their records are its lines."""

    parcels_max = 4

    def __init__(self, configuration: S3, surroundings: Surroundings) -> None:
        self._writer = ErrorWriter(configuration, surroundings)
        self._errors = surroundings.errors

    def plan(self, parcel: Parcel) -> str:
        """The key of the object that holds the parcel."""
        return self._writer.plan(parcel.lane.failure, parcel.first_arrival_ms, parcel.parcel_id)

    async def deliver(self, parcel: Parcel) -> Report:
        """Put the parcel, trying again until it is there, and tell of it."""
        await self._writer.write(parcel.key, parcel.pieces)
        first_line = next(iter(parcel.record_lists()))[0]
        tell_of_failures(self._errors, first_line, parcel.record_count)
        return Report(parcel.record_count, parcel.size_bytes)

    async def close(self) -> None:
        """Nothing is held."""


def _own_prefix(prefix: str) -> str:
    return f"{prefix}!{{firehose:error-output-type}}/" if prefixes.parse(prefix).has_expressions else prefix
