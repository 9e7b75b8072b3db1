"""What the analytics service asks of this server's streams, delivery streams, objects and functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from millstream.analytics.engine.ports import TransformRecord
from millstream.analytics.model import ResourceKind, Start
from millstream.analytics.ports import FoundSource
from millstream.base.errors import MillstreamError
from millstream.firehose.model import StreamStatus, StreamType
from millstream.firehose.service import FirehoseService
from millstream.functions import FunctionError, Functions
from millstream.log import RecordLog, RecordRun
from millstream.objects import ObjectStores, StoreError
from millstream.server.applications.functions import Preprocessor
from millstream.streams import StreamsService
from millstream.wire.aggregation import unpack
from millstream.wire.faults import InvalidArgumentException, ResourceNotFoundException

_SAMPLE_RECORDS = 100
_SAMPLE_BYTES = 1 << 20
_SAMPLE_S_MAX = 5.0
_POLL_S = 0.1


class ServerResources:
    """`analytics.ports.Resources` of this server. `connect` makes what calls functions, once one is to be called."""

    def __init__(
        self,
        streams: StreamsService,
        firehose: FirehoseService,
        stores: ObjectStores,
        connect: Callable[[], Functions],
    ) -> None:
        self._streams = streams
        self._firehose = firehose
        self._stores = stores
        self._connect = connect

    def find_source(self, account: str, region: str, kind: ResourceKind, arn: str) -> FoundSource:
        """See Resources.find_source."""
        stream_id, log, _ = self._source(account, region, kind, arn)
        log.publish_end()
        return FoundSource(stream_id, 0, log.end_position())

    def check_target(self, account: str, region: str, kind: ResourceKind, arn: str) -> None:
        """See Resources.check_target."""
        if kind is ResourceKind.STREAM:
            self._stream(account, region, arn)
        elif kind is ResourceKind.DELIVERY_STREAM:
            self._delivery_log(account, region, arn)

    async def sample(self, account: str, region: str, kind: ResourceKind, arn: str, start: Start) -> list[bytes]:
        """See Resources.sample."""
        _, log, shards = self._source(account, region, kind, arn)
        deadline_s = asyncio.get_running_loop().time() + _SAMPLE_S_MAX
        while True:
            records: list[bytes] = []
            for shard in shards():
                records += await self._sample_shard(log, shard, newest=start is not Start.TRIM_HORIZON)
            if records or asyncio.get_running_loop().time() > deadline_s:
                return records[:_SAMPLE_RECORDS]
            await asyncio.sleep(_POLL_S)

    async def read_object(self, account: str, region: str, bucket_arn: str, key: str, *, bytes_max: int) -> bytes:  # noqa: ARG002
        """See Resources.read_object."""
        bucket = bucket_arn.rpartition(":")[2]
        try:
            content = await self._stores.bucket(bucket).get(key)
        except StoreError as error:
            raise InvalidArgumentException(f"s3://{bucket}/{key} cannot be read: {error}") from error
        return content[:bytes_max]

    async def transform(self, account: str, region: str, function_arn: str, records: list[bytes]) -> list[bytes]:  # noqa: ARG002
        """See Resources.transform."""
        preprocessor = Preprocessor(self._connect(), "discovery", "", by_stream=True)
        sent = [TransformRecord(data, b"", 0, number, 0) for number, data in enumerate(records)]
        try:
            results = await preprocessor.invoke(function_arn, sent)
        except FunctionError as error:
            raise InvalidArgumentException(
                f"{function_arn} could not process the sample: {error.code}: {error}"
            ) from error
        return [result.data for result in results if result.data is not None]

    async def _sample_shard(self, log: RecordLog, shard: int, *, newest: bool) -> list[bytes]:
        first, end = log.shard_range(shard)
        offset = max(first, end - _SAMPLE_RECORDS) if newest else first
        if offset >= end:
            return []
        try:
            runs = await asyncio.to_thread(
                log.read, shard, offset, records_max=_SAMPLE_RECORDS, bytes_max=_SAMPLE_BYTES
            )
        except MillstreamError as error:
            raise InvalidArgumentException(f"the source cannot be read: {error}") from error
        return _plain(runs)

    def _source(
        self, account: str, region: str, kind: ResourceKind, arn: str
    ) -> tuple[str, RecordLog, Callable[[], list[int]]]:
        """Id, log, and what tells the shards that have records."""
        if kind is ResourceKind.DELIVERY_STREAM:
            stream_id, log = self._delivery_log(account, region, arn)
            return stream_id, log, lambda: [0]
        handle = self._stream(account, region, arn)
        return handle.stream.stream_id, handle.log, lambda: [shard.index for shard in handle.stream.shards]

    def _stream(self, account: str, region: str, arn: str):  # type: ignore[no-untyped-def]
        try:
            handle = self._streams.registry.find_by(account, region, arn=arn)
        except ResourceNotFoundException as fault:
            raise InvalidArgumentException(fault.message) from None
        if not handle.is_serving:
            raise InvalidArgumentException(
                f"Stream {handle.stream.name} is {handle.stream.status}; it has to be ACTIVE."
            )
        return handle

    def _delivery_log(self, account: str, region: str, arn: str) -> tuple[str, RecordLog]:
        name = arn.rpartition("/")[2]
        for handle in self._firehose.registry.in_region(account, region):
            stream = handle.stream
            if stream.name != name:
                continue
            if stream.type is not StreamType.DIRECT_PUT or handle.log is None:
                raise InvalidArgumentException(
                    f"Delivery stream {name} reads a data stream: name that stream ({arn} takes no records itself)."
                )
            if stream.status is not StreamStatus.ACTIVE:
                raise InvalidArgumentException(f"Delivery stream {name} is {stream.status}; it has to be ACTIVE.")
            return stream.stream_id, handle.log
        raise InvalidArgumentException(f"Delivery stream {name} under account {account} not found.")


def _plain(runs: list[RecordRun]) -> list[bytes]:
    """The data of records, de-aggregated."""
    plain: list[bytes] = []
    for run in runs:
        for data in run.data:
            packed = unpack(data)
            plain += [data] if packed is None else [record.data for record in packed]
    return plain
