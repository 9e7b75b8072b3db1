"""The delivery streams that this server has: the in-memory truth, of which every change is first in the catalog.

The data plane finds a delivery stream here on every call, so `find` is one dictionary look-up. All of it runs in the
event loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import msgspec

from millstream.base.clock import Clock
from millstream.catalog import Catalog
from millstream.firehose.limits import PutLimits, quota_of
from millstream.firehose.model import KIND, DeliveryStream, KinesisSource, StreamStatus, StreamType
from millstream.firehose.replies import id_head
from millstream.log import BlockCipher, RecordLog
from millstream.security import DataKeyCipher, Keyring
from millstream.wire import CallContext
from millstream.wire.faults import ResourceInUseException, ResourceNotFoundException


class Files(Protocol):
    """What delivery streams keep on disk, a directory each, named by the delivery stream's id."""

    def open_log(self, stream_id: str, cipher: BlockCipher) -> RecordLog:
        """Open, or make, the log that records are put into directly."""
        ...

    def delete(self, stream_id: str) -> None:
        """Blocking. Delete all that there is of a delivery stream, whose log is closed."""
        ...

    def stream_ids(self) -> list[str]:
        """The ids of which there is a directory."""
        ...


class FoundSource(NamedTuple):
    """A data stream, and where its log ends now."""

    stream_id: str
    end_position: int


class Sources(Protocol):
    """The data streams that delivery streams read."""

    def find(self, account: str, region: str, stream_arn: str) -> FoundSource:
        """The data stream, which from now on tells the worker how far it may be read. Raises Faults."""
        ...

    def attach(self, source: KinesisSource) -> None:
        """Have the data stream tell how far it may be read, after a restart; one that is gone is fine."""
        ...


class Handle:
    """One delivery stream with what belongs to it in this process.

    `stream` is replaced, never changed: take it anew after every await. `log` is what records are put into; there is
    none for a delivery stream that reads a data stream, nor for one that was DELETING at a start.
    """

    __slots__ = ("cipher", "id_head", "limits", "log", "stream", "version")

    def __init__(
        self, stream: DeliveryStream, version: int, log: RecordLog | None, cipher: DataKeyCipher, limits: PutLimits
    ) -> None:
        self.log = log
        self.cipher = cipher
        self.limits = limits
        self.id_head = id_head(stream.stream_id)
        self.adopt(stream, version)

    def adopt(self, stream: DeliveryStream, version: int) -> None:
        """Make `stream`, which the catalog has as `version`, this handle's state."""
        self.stream = stream
        self.version = version
        for key in stream.encryption.data_keys:
            self.cipher.hold(key.number, key.kms_key_id, key.wrapped)
        self.cipher.use(stream.encryption.data_key)

    @property
    def is_encrypted(self) -> bool:
        """Whether records that are put now are encrypted."""
        return self.stream.encryption.data_key != 0


class Registry:
    """Finds delivery streams and saves their changes. `changed` is called after every change."""

    def __init__(
        self,
        catalog: Catalog,
        files: Files,
        keyring: Keyring,
        clock: Clock,
        *,
        limits_aws: bool,
        changed: Callable[[], None],
    ) -> None:
        self._catalog = catalog
        self._files = files
        self._keyring = keyring
        self._clock = clock
        self._limits_aws = limits_aws
        self._changed = changed
        self._by_name: dict[tuple[str, str, str], Handle] = {}

    def __iter__(self) -> Iterator[Handle]:
        return iter(list(self._by_name.values()))

    def load(self) -> None:
        """Take up every delivery stream in the catalog and open its log.

        Directories of no delivery stream are deleted: a worker may have written to one while it was being deleted.
        """
        for document in self._catalog.list(KIND):
            stream = msgspec.json.decode(document.body, type=DeliveryStream)
            self._hold(self._open(stream, document.version))
        known = {handle.stream.stream_id for handle in self}
        for stream_id in self._files.stream_ids():
            if stream_id not in known:
                self._files.delete(stream_id)

    def add(self, stream: DeliveryStream) -> Handle:
        """Make the log of a new delivery stream, whose name must be free, and save the delivery stream."""
        handle = self._open(stream, 0)
        try:
            handle.version = self._put(stream, 0)
        except Exception:
            self._files.delete(stream.stream_id)
            raise
        self._hold(handle)
        self._changed()
        return handle

    def save(self, handle: Handle, **changes: Any) -> None:
        """Change members of the handle's stream: once this returns the catalog has the change, and so has the handle.

        If the catalog cannot take it, nothing has changed.
        """
        stream = msgspec.structs.replace(handle.stream, **changes)
        handle.adopt(stream, self._put(stream, handle.version))
        self._changed()

    def remove(self, handle: Handle) -> None:
        """Forget the delivery stream, in the catalog too; its files are gone already."""
        stream = handle.stream
        self._catalog.delete(KIND, stream.account, stream.region, stream.name, handle.version)
        del self._by_name[stream.account, stream.region, stream.name]
        self._changed()

    def has(self, account: str, region: str, name: str) -> bool:
        """Whether there is a delivery stream of that name, in whatever status."""
        return (account, region, name) in self._by_name

    def holds(self, handle: Handle) -> bool:
        """Whether the handle's delivery stream is still there."""
        stream = handle.stream
        return self._by_name.get((stream.account, stream.region, stream.name)) is handle

    def in_region(self, account: str, region: str) -> list[Handle]:
        """The delivery streams of one account and region, by name."""
        held = self._by_name.items()
        return [handle for key, handle in sorted(held, key=lambda item: item[0]) if key[:2] == (account, region)]

    def find(self, context: CallContext, name: str) -> Handle:
        """The delivery stream of that name in the caller's account and region. Raises ResourceNotFoundException."""
        handle = self._by_name.get((context.account, context.region, name))
        if handle is None:
            raise stream_not_found(name, context.account)
        return handle

    def log_end(self, stream: DeliveryStream) -> int | None:
        """Where the delivery stream's own log ends now; None if it has none, or none any more."""
        handle = self._by_name.get((stream.account, stream.region, stream.name))
        if handle is None or handle.stream.stream_id != stream.stream_id or handle.log is None:
            return None
        return handle.log.end_position()

    def _open(self, stream: DeliveryStream, version: int) -> Handle:
        cipher = DataKeyCipher(self._keyring)
        log = None
        if stream.type is StreamType.DIRECT_PUT and stream.status is not StreamStatus.DELETING:
            # of one that is DELETING half may be gone: what is left need not open as a log
            log = self._files.open_log(stream.stream_id, cipher)
            log.publish_end()
        return Handle(stream, version, log, cipher, PutLimits(self._clock, quota_of(stream.region), self._limits_aws))

    def _put(self, stream: DeliveryStream, version: int) -> int:
        body = msgspec.json.encode(stream)
        return self._catalog.put(KIND, stream.account, stream.region, stream.name, body, version)

    def _hold(self, handle: Handle) -> None:
        stream = handle.stream
        self._by_name[stream.account, stream.region, stream.name] = handle


def stream_not_found(name: str, account: str) -> ResourceNotFoundException:
    """The fault for a delivery stream that is not there."""
    return ResourceNotFoundException(f"Firehose {name} under account {account} not found.")


def not_active(stream: DeliveryStream) -> ResourceInUseException:
    """The fault for what can be done to a delivery stream only once, and as long as, it is ACTIVE."""
    return ResourceInUseException(
        f"Firehose {stream.name} under account {stream.account} not ACTIVE, instead in state {stream.status}"
    )
