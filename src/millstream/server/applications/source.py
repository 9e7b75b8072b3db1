"""The log that an application reads, followed from its own process."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from millstream.analytics.engine.ports import ApplicationFailed
from millstream.analytics.model import Input, ResourceKind
from millstream.catalog import Catalog
from millstream.disk import Disk
from millstream.firehose.model import KIND, DeliveryStream
from millstream.log import FollowedBlock, LogFollower
from millstream.security import DataKeyCipher, Keyring, SealBroken
from millstream.server.datadir import stream_log_directory
from millstream.server.deliveries import log_directory
from millstream.server.followed import DataKey, find_data_stream, numbers_of


class InputLog:
    """`engine.ports.BlockSource` of an input. Raises ApplicationFailed if the source is gone."""

    def __init__(self, disk: Disk, catalog: Catalog, keyring: Keyring, source: Input) -> None:
        self._catalog = catalog
        self._source = source
        self._cipher = DataKeyCipher(keyring)
        self._take_keys()
        by_stream = source.kind is ResourceKind.STREAM
        directory = stream_log_directory(source.source_id) if by_stream else log_directory(source.source_id)
        self._follower = LogFollower(disk, directory, self._cipher)

    def end(self) -> int:
        """See BlockSource.end."""
        return self._follower.end()

    def settled_ms(self, now_ms: int) -> int:
        """See BlockSource.settled_ms."""
        return self._follower.settled_ms(now_ms)

    def read(self, position: int, *, bytes_max: int) -> list[FollowedBlock]:
        """See BlockSource.read."""
        try:
            return self._follower.read(position, bytes_max=bytes_max)
        except SealBroken:  # the log may use a data key that was made since
            self._take_keys()
            return self._follower.read(position, bytes_max=bytes_max)

    def is_there(self) -> bool:
        """Whether the source still exists."""
        return self._keys() is not None

    def sequence_numbers(self) -> Callable[[int, int, int], str]:
        """(shard, offset, arrival_ms) -> the record's sequence number; of delivery streams: shard and offset."""
        source = self._source
        if source.kind is ResourceKind.STREAM:
            return numbers_of(lambda: find_data_stream(self._catalog, source.arn, source.source_id))
        return lambda shard, offset, _: f"{shard}-{offset}"

    def _take_keys(self) -> None:
        keys = self._keys()
        if keys is None:
            raise ApplicationFailed(f"its source {self._source.arn} was deleted: give it another (UpdateApplication)")
        for key in keys:
            self._cipher.hold(key.number, key.kms_key_id, key.wrapped)

    def _keys(self) -> Iterable[DataKey] | None:
        source = self._source
        if source.kind is ResourceKind.STREAM:
            stream = find_data_stream(self._catalog, source.arn, source.source_id)
            return stream.data_keys if stream is not None else None
        *_, region, account, resource = source.arn.split(":")
        document = self._catalog.get(KIND, account, region, resource.rpartition("/")[2])
        found = msgspec.json.decode(document.body, type=DeliveryStream) if document else None
        return found.encryption.data_keys if found is not None and found.stream_id == source.source_id else None
