"""Delivery to a warehouse: a parcel is put into the intermediate bucket, then copied from there.

The object is put as with S3 destinations, so exactly once. One COPY of a delivery stream runs at a time. A COPY that
failed is tried again for the retry duration; then the object stays in the bucket, a manifest under
`<prefix>errors/manifests/` names it for loading by hand (`COPY … FROM 's3://bucket/manifest' … MANIFEST`), and delivery
goes on. Whether a COPY repeated after a crash loads twice is up to the warehouse: not with PostgreSQL and DuckDB.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Callable
from datetime import UTC, datetime

from millstream.firehose.configuration import Redshift
from millstream.firehose.destinations.objectwriter import ObjectWriter
from millstream.firehose.destinations.s3 import S3Destination
from millstream.firehose.ports import DeliveryError, Parcel, Report, Surroundings
from millstream.firehose.retries import attempts
from millstream.firehose.warehouse import Load, LoadResult, Warehouse, open_warehouse
from millstream.firehose.warehouse.manifest import manifest_body

_NOTHING = Report(delivered_records=0, delivered_bytes=0)


class RedshiftDestination:
    """Puts parcels into the intermediate bucket and copies them into a table."""

    parcels_max = 4  # that one can be put while another is copied

    def __init__(
        self,
        configuration: Redshift,
        surroundings: Surroundings,
        opener: Callable[[Redshift, Surroundings], Warehouse] = open_warehouse,
    ) -> None:
        self._configuration = configuration
        self._around = surroundings
        self._writer = ObjectWriter(configuration.s3, surroundings)
        self._objects = S3Destination(configuration.s3, surroundings)
        self._opener = opener
        self._warehouse: Warehouse | None = None
        self._turn = asyncio.Lock()

    def plan(self, parcel: Parcel) -> str:
        """The key of the intermediate object."""
        return self._objects.plan(parcel)

    async def deliver(self, parcel: Parcel) -> Report:
        """Put the parcel, then copy it: both tried again. Nothing is lost if the COPY fails for good."""
        await self._objects.deliver(parcel)
        load = Load(self._configuration.s3.bucket, parcel.key, parcel.pieces)
        async with self._turn:
            result = await self._copy(load)
        if result is None:
            await self._leave_manifest(load)
            return _NOTHING
        if result.rows_rejected:
            told = "; ".join(str(error) for error in result.errors)
            self._around.errors.report(
                "Redshift.DataLoadFailed",
                f"{result.rows_rejected} rows of {load.url} were bad and not loaded (MAXERROR): {told}",
            )
        return Report(max(0, parcel.record_count - result.rows_rejected), parcel.size_bytes)

    async def close(self) -> None:
        """Nothing is held: a COPY opens a connection and closes it."""

    async def _copy(self, load: Load) -> LoadResult | None:
        """Copy, for as long as is configured; None if it was in vain."""
        around = self._around
        async for _ in attempts(around.clock, around.generator, self._configuration.retry.duration_s):
            try:
                self._warehouse = self._warehouse or self._opener(self._configuration, around)
                return await self._warehouse.copy(load)
            except DeliveryError as error:
                around.errors.report(error.code, str(error), object=load.url)
        return None

    async def _leave_manifest(self, load: Load) -> None:
        """Name the object for those who will load it by hand, trying again until that is written."""
        now = datetime.fromtimestamp(self._around.clock.now_ms() / 1000, UTC)
        name = posixpath.basename(load.key)
        key = f"{self._configuration.s3.prefix}errors/manifests/{now:%Y/%m/%d/%H}/{name}"
        await self._writer.put(key, lambda: [manifest_body(load.url)], self._writer.attributes(compressed=False))
