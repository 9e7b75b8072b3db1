"""What the worker reads: the logs that the api process writes, found and decrypted by what the catalog says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

import msgspec

from millstream.base.errors import MillstreamError
from millstream.catalog import Catalog
from millstream.disk import Disk
from millstream.firehose.engine.sources import LogSource
from millstream.firehose.model import KIND, DeliveryStream
from millstream.firehose.ports import RecordSource
from millstream.log import LogFollower
from millstream.security import DataKeyCipher, Keyring
from millstream.server.datadir import stream_log_directory
from millstream.server.deliveries import log_directory
from millstream.streams.model import Stream
from millstream.streams.sequence import number_base, record_numbers

_STREAM_KIND = "stream"


class SourceGone(MillstreamError):
    """The data stream that a delivery stream reads is not there any more."""


class DataKey(Protocol):
    """A data key as streams and delivery streams keep it."""

    @property
    def number(self) -> int: ...
    @property
    def kms_key_id(self) -> str: ...
    @property
    def wrapped(self) -> bytes: ...


class JournalCipher:
    """Encrypts a journal with the newest data key of the log that it is made from, as soon as that has one.

    Also once encryption was stopped: records that were encrypted may still be on their way. Which keys there are is
    looked up for every block, or one could be written plainly whose records have just begun to be encrypted.
    """

    def __init__(self, keyring: Keyring, keys: Callable[[], Iterable[DataKey]]) -> None:
        self._cipher = DataKeyCipher(keyring)
        self._keys = keys

    def current(self) -> int:
        """See BlockCipher.current."""
        newest = 0
        for key in self._keys():
            self._cipher.hold(key.number, key.kms_key_id, key.wrapped)
            newest = max(newest, key.number)
        return newest

    def seal(self, number: int, plaintext: bytes, aad: bytes) -> bytes:
        """See BlockCipher.seal."""
        return self._cipher.seal(number, plaintext, aad)

    def open(self, number: int, sealed: bytes, aad: bytes) -> bytes:
        """See BlockCipher.open."""
        return self._cipher.open(number, sealed, aad)


class FollowedLogs:
    """Opens the sources of delivery streams. `catalog` may be read from any thread."""

    def __init__(self, disk: Disk, catalog: Catalog, keyring: Keyring) -> None:
        self._disk = disk
        self._catalog = catalog
        self._keyring = keyring

    def open(self, stream: DeliveryStream) -> RecordSource:
        """The log that a delivery stream delivers from. Raises SourceGone."""
        if stream.source is None:
            return self._follow(log_directory(stream.stream_id), lambda: self._delivery_keys(stream))
        found = self._data_stream(stream)
        if found is None:
            raise SourceGone(f"the data stream {stream.source.stream_arn} was deleted: make another delivery stream")
        return self._follow(stream_log_directory(found.stream_id), lambda: self._stream_keys(stream))

    def journal_cipher(self, stream: DeliveryStream) -> JournalCipher:
        """The cipher of the journal between the source of a delivery stream and its delivery."""
        keys = partial(self._delivery_keys if stream.source is None else self._stream_keys, stream)
        cipher = JournalCipher(self._keyring, keys)
        cipher.current()  # takes up the keys of what the journal has
        return cipher

    def sequence_numbers(self, stream: DeliveryStream) -> Callable[[int, int, int], str]:
        """(shard, offset, arrival_ms) -> the sequence number that the record has in the data stream."""
        return numbers_of(lambda: self._data_stream(stream))

    def _follow(self, directory: str, keys: Callable[[], Iterable[DataKey]]) -> LogSource:
        cipher = DataKeyCipher(self._keyring)

        def take_keys() -> None:
            for key in keys():
                cipher.hold(key.number, key.kms_key_id, key.wrapped)

        take_keys()
        return LogSource(LogFollower(self._disk, directory, cipher), take_keys)

    def _delivery_keys(self, stream: DeliveryStream) -> Iterable[DataKey]:
        document = self._catalog.get(KIND, stream.account, stream.region, stream.name)
        found = msgspec.json.decode(document.body, type=DeliveryStream) if document else stream
        return found.encryption.data_keys

    def _stream_keys(self, stream: DeliveryStream) -> Iterable[DataKey]:
        found = self._data_stream(stream)
        return found.data_keys if found else ()

    def _data_stream(self, stream: DeliveryStream) -> Stream | None:
        """The data stream that the delivery stream was made for; not another of the same name."""
        assert stream.source is not None
        return find_data_stream(self._catalog, stream.source.stream_arn, stream.source.stream_id)


def find_data_stream(catalog: Catalog, arn: str, stream_id: str) -> Stream | None:
    """The data stream of that ARN and id, as the catalog has it now; None also if another has its name."""
    *_, region, account, resource = arn.split(":")
    document = catalog.get(_STREAM_KIND, account, region, resource.removeprefix("stream/"))
    found = msgspec.json.decode(document.body, type=Stream) if document else None
    return found if found is not None and found.stream_id == stream_id else None


def numbers_of(find: Callable[[], Stream | None]) -> Callable[[int, int, int], str]:
    """(shard, offset, arrival_ms) -> the sequence number that the record has in the data stream that `find` finds."""
    bases: dict[int, int] = {}

    def number(shard: int, offset: int, arrival_ms: int) -> str:
        if shard not in bases:
            found = find()
            created = {known.index: known.created_s for known in found.shards} if found else {}
            bases[shard] = number_base(created.get(shard, 0), shard)
        return str(record_numbers(bases[shard], offset, arrival_ms, 1)[0])

    return number
