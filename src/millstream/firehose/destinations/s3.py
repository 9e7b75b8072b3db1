"""Delivery to an object store: a parcel is an object.

Exactly once: the parcel's key is recorded before the first attempt, so every attempt, also one after a crash, replaces
the same object with the same records. Store errors of any kind are tried again for ever: data is never dropped because
a bucket is gone or a credential has failed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from millstream.firehose.configuration import S3, Conversion, ExtendedS3
from millstream.firehose.destinations.erroroutput import tell_of_failures
from millstream.firehose.destinations.objectwriter import ObjectWriter
from millstream.firehose.errorlines import ErrorLines
from millstream.firehose.ports import DeliveryError, Parcel, Report, Surroundings
from millstream.firehose.retries import attempts
from millstream.firehose.scratchfile import ScratchFile
from millstream.objects.threads import until

T = TypeVar("T")


class S3Destination:
    """Puts parcels into a bucket, compressed or converted to Parquet or ORC."""

    parcels_max = 4

    def __init__(self, configuration: S3, surroundings: Surroundings) -> None:
        self._configuration = configuration
        self._around = surroundings
        self._writer = ObjectWriter(configuration, surroundings)
        conversion = configuration.conversion if isinstance(configuration, ExtendedS3) else None
        self._conversion = conversion if conversion and conversion.enabled else None
        self._extension = self._configured_extension()

    def plan(self, parcel: Parcel) -> str:
        """The key of the object that holds the parcel."""
        return self._writer.key(
            self._configuration.prefix,
            parcel.first_arrival_ms,
            parcel.parcel_id,
            self._extension,
            partition=parcel.lane.partition,
        )

    async def deliver(self, parcel: Parcel) -> Report:
        """Put the parcel, trying again until it is there. Records that cannot be converted are in the report."""
        if self._conversion:
            return await self._deliver_converted(parcel, self._conversion)
        await self._writer.put_compressed(parcel.key, parcel.parcel_id, parcel.pieces)
        return Report(parcel.record_count, parcel.size_bytes)

    async def close(self) -> None:
        """Nothing is held."""

    def _configured_extension(self) -> str:
        if isinstance(self._configuration, ExtendedS3) and self._configuration.file_extension:
            return self._configuration.file_extension
        if self._conversion:
            return ".orc" if "OrcSerDe" in self._conversion.output.get("Serializer", {}) else ".parquet"
        return self._writer.extension

    async def _deliver_converted(self, parcel: Parcel, conversion: Conversion) -> Report:
        from millstream.firehose.formats.conversion import FAILURE_KIND  # noqa: PLC0415  loads pyarrow

        with closing(ScratchFile(self._around.scratch)) as file:
            failed = await self._convert(parcel, conversion, file)
            if file.size_bytes:
                attributes = self._writer.attributes(compressed=False)
                await self._writer.put(parcel.key, file.pieces, attributes)
        if failed.record_count:
            first_line = next(failed.pieces()).partition(b"\n")[0]
            tell_of_failures(self._around.errors, first_line, failed.record_count)
        return Report(parcel.record_count - failed.record_count, parcel.size_bytes, failed.outputs(FAILURE_KIND))

    async def _convert(self, parcel: Parcel, conversion: Conversion, file: ScratchFile) -> ErrorLines:
        """Write the converted parcel to `file`, trying again until its table is there; what could not be converted."""
        around = self._around
        async for _ in attempts(around.clock, around.generator, None):
            try:
                return await self._in_thread(lambda stop: self._convert_now(parcel, conversion, file, stop))
            except DeliveryError as error:
                around.errors.report(error.code, str(error))
        raise AssertionError("attempts without an end have ended")

    def _convert_now(
        self, parcel: Parcel, conversion: Conversion, file: ScratchFile, stop: threading.Event
    ) -> ErrorLines:
        from millstream.firehose.formats.conversion import Converter, FailureLines  # noqa: PLC0415  loads pyarrow

        around, schema = self._around, conversion.schema
        columns = around.tables.columns(
            schema.database,
            schema.table,
            region=schema.region or around.region,
            account=schema.catalog_id or around.account,
            version=schema.version,
        )
        lines = ErrorLines(around.scratch)
        failures = FailureLines(
            schema, lines, arrival_ms=parcel.first_arrival_ms, ended_ms=around.clock.now_ms(), region=around.region
        )
        file.clear()
        rows = Converter(conversion, columns).convert(until(stop, parcel.record_lists()), file, failures)
        if not rows:
            file.clear()
        return lines

    async def _in_thread(self, work: Callable[[threading.Event], T]) -> T:
        """Convert when it is this one's turn: there are as many at once as there is memory for."""
        stop = threading.Event()
        future = asyncio.get_running_loop().run_in_executor(self._around.converters, work, stop)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait([future])
            future.exception()  # looked at, so that asyncio does not complain
            raise
