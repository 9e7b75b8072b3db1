"""The streams that this server has: the in-memory truth, of which every change is first in the catalog.

The data plane finds a stream here on every call, so `find_by` is one dictionary look-up. All of it runs in the event
loop's thread.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from millstream.catalog import Catalog
from millstream.log import BlockCipher, RecordLog
from millstream.security import DataKeyCipher, Keyring
from millstream.streams.arns import StreamArn, parse_consumer_arn, parse_stream_arn
from millstream.streams.limits import StreamLimits
from millstream.streams.model import Consumer, Shard, Stream, StreamStatus
from millstream.streams.routing import ShardMap
from millstream.wire.context import CallContext
from millstream.wire.faults import (
    AccessDeniedException,
    Fault,
    InvalidArgumentException,
    ResourceNotFoundException,
)

OpenLog = Callable[[str, BlockCipher], RecordLog]
"""Opens, or makes, the log of a stream id."""

DeleteLog = Callable[[str], None]
"""Deletes what there is of the closed log of a stream id."""

_KIND = "stream"


class Subscription(Protocol):
    """A SubscribeToShard under way, as others see it; `opened_ms` is when it began, on the monotonic clock."""

    opened_ms: int

    def wake(self) -> None:
        """The stream's shards changed; called in the event loop."""
        ...

    def end(self, fault: Fault | None = None) -> None:
        """End the event stream now, with `fault` if there is one; called in the event loop."""
        ...


class StreamHandle:
    """One stream with what belongs to it in this process.

    `stream` is replaced, never changed: take it anew after every await. `shard_map` routes records to open shards,
    `shards` finds any shard by index and `children` the shards that a closed shard became. `subscriptions` are the
    data plane's, by (consumer ARN, shard index): it adds and removes them, the control plane wakes and ends them.
    The data plane serves a stream only while `is_serving`.
    """

    __slots__ = ("children", "cipher", "limits", "log", "shard_map", "shards", "stream", "subscriptions", "version")

    def __init__(
        self, stream: Stream, version: int, log: RecordLog, cipher: DataKeyCipher, limits: StreamLimits
    ) -> None:
        self.log = log
        self.cipher = cipher
        self.limits = limits
        self.subscriptions: dict[tuple[str, int], Subscription] = {}
        self.adopt(stream, version)

    def adopt(self, stream: Stream, version: int) -> None:
        """Make `stream`, which the catalog has as `version`, this handle's state."""
        self.stream = stream
        self.version = version
        self.shards: dict[int, Shard] = {shard.index: shard for shard in stream.shards}
        children: dict[int, list[Shard]] = defaultdict(list)
        for shard in stream.shards:
            for parent in shard.parents:
                children[parent].append(shard)
        self.children: Mapping[int, list[Shard]] = dict(children)
        self.shard_map = ShardMap(stream.open_shards)
        for key in stream.data_keys:
            self.cipher.hold(key.number, key.kms_key_id, key.wrapped)
        self.cipher.use(stream.data_key)
        for subscription in list(self.subscriptions.values()):
            subscription.wake()

    @property
    def is_serving(self) -> bool:
        """Whether records can be put and read: not before the stream was ACTIVE, nor once it is DELETING."""
        return self.stream.status in (StreamStatus.ACTIVE, StreamStatus.UPDATING)

    def find_consumer(self, *, name: str | None = None, arn: str | None = None) -> Consumer | None:
        """The consumer with that name or that ARN, if it is registered."""
        for consumer in self.stream.consumers:
            if consumer.name == name or (arn is not None and self.stream.consumer_arn(consumer) == arn):
                return consumer
        return None

    def end_subscriptions(self, consumer_arn: str | None = None, *, fault: Fault | None = None) -> None:
        """End the subscriptions of one consumer, or all of them; `fault` says why."""
        for key, subscription in list(self.subscriptions.items()):
            if consumer_arn is None or key[0] == consumer_arn:
                subscription.end(fault)


class StreamRegistry:
    """Finds streams and saves their changes."""

    def __init__(
        self,
        catalog: Catalog,
        open_log: OpenLog,
        delete_log: DeleteLog,
        keyring: Keyring,
        make_limits: Callable[[], StreamLimits],
    ) -> None:
        self._catalog = catalog
        self._open_log = open_log
        self._delete_log = delete_log
        self._keyring = keyring
        self._make_limits = make_limits
        self._by_name: dict[tuple[str, str, str], StreamHandle] = {}
        self._by_id: dict[str, StreamHandle] = {}

    def __iter__(self) -> Iterator[StreamHandle]:
        return iter(list(self._by_name.values()))

    def load(self) -> None:
        """Take up every stream in the catalog and open its log."""
        for document in self._catalog.list(_KIND):
            stream = msgspec.json.decode(document.body, type=Stream)
            if stream.status is StreamStatus.DELETING:
                self._delete_log(stream.stream_id)  # half of it may be gone: what is left need not open as a log
            self._hold(self._open(stream, document.version))

    def add(self, stream: Stream) -> StreamHandle:
        """Make the log of a new stream, whose name must be free, and save the stream."""
        handle = self._open(stream, 0)
        try:
            handle.version = self._catalog.put(_KIND, stream.account, stream.region, stream.name, _encode(stream), 0)
        except Exception:
            self._delete_log(stream.stream_id)
            raise
        self._hold(handle)
        return handle

    def save(self, handle: StreamHandle, **changes: Any) -> None:
        """Change members of the handle's stream: once this returns the catalog has the change, and so has the handle.

        If the catalog cannot take it, nothing has changed.
        """
        stream = msgspec.structs.replace(handle.stream, **changes)
        version = self._catalog.put(_KIND, stream.account, stream.region, stream.name, _encode(stream), handle.version)
        handle.adopt(stream, version)

    def remove(self, handle: StreamHandle) -> None:
        """Forget the stream, in the catalog too; its log stays for the caller to close and delete."""
        stream = handle.stream
        self._catalog.delete(_KIND, stream.account, stream.region, stream.name, handle.version)
        del self._by_name[stream.account, stream.region, stream.name]
        del self._by_id[stream.stream_id]

    def has(self, account: str, region: str, name: str) -> bool:
        """Whether there is a stream of that name, in whatever status."""
        return (account, region, name) in self._by_name

    def holds(self, handle: StreamHandle) -> bool:
        """Whether the handle's stream is still there."""
        return self._by_id.get(handle.stream.stream_id) is handle

    def in_region(self, account: str, region: str) -> list[StreamHandle]:
        """The streams of one account and region, by name."""
        held = self._by_name.items()
        return [handle for key, handle in sorted(held, key=lambda item: item[0]) if key[:2] == (account, region)]

    def find(self, context: CallContext, params: Mapping[str, Any]) -> StreamHandle:
        """The stream that a call's StreamName, StreamARN or StreamId name; raises what `find_by` raises."""
        return self.find_by(
            context.account,
            context.region,
            name=params.get("StreamName"),
            arn=params.get("StreamARN"),
            stream_id=params.get("StreamId"),
        )

    def find_by(
        self,
        account: str,
        region: str,
        *,
        name: str | None = None,
        arn: str | None = None,
        stream_id: str | None = None,
    ) -> StreamHandle:
        """The stream with that name, ARN or id, which must agree where several are given.

        Raises ResourceNotFoundException, InvalidArgumentException where none is given or they disagree, and
        AccessDeniedException for the ARN of another account's stream.
        """
        if arn is not None:
            named = _named_by(arn)
            if named.account != account:
                raise AccessDeniedException(
                    f"User: arn:aws:iam::{account}:root is not authorized to access resource: {arn}"
                )
            if name is not None and name != named.name:
                raise InvalidArgumentException("StreamARN and StreamName must refer to the same stream.")
            name, region = named.name, named.region
        if name is None:
            return self._find_id(account, region, stream_id)
        handle = self._by_name.get((account, region, name))
        if handle is None:
            raise stream_not_found(name, account)
        if stream_id is not None and handle.stream.stream_id != stream_id:
            raise InvalidArgumentException("StreamId and the stream's name or ARN must refer to the same stream.")
        return handle

    def find_consumer(self, context: CallContext, consumer_arn: str) -> tuple[StreamHandle, Consumer]:
        """The consumer with that ARN and its stream. Raises as `find_by` does, and if there is no such consumer."""
        named = parse_consumer_arn(consumer_arn)
        if named is None:
            raise InvalidArgumentException(f"Invalid consumer ARN: {consumer_arn}")
        region, account, stream_name = named.stream
        stream_arn = f"arn:aws:kinesis:{region}:{account}:stream/{stream_name}"
        handle = self.find_by(context.account, context.region, arn=stream_arn)
        consumer = handle.find_consumer(arn=consumer_arn)
        if consumer is None:
            raise consumer_not_found(handle.stream, named.name)
        return handle, consumer

    def _find_id(self, account: str, region: str, stream_id: str | None) -> StreamHandle:
        if stream_id is None:
            raise InvalidArgumentException("Either StreamName or StreamARN must be provided.")
        handle = self._by_id.get(stream_id)
        if handle is None or (handle.stream.account, handle.stream.region) != (account, region):
            raise stream_not_found(stream_id, account)
        return handle

    def _open(self, stream: Stream, version: int) -> StreamHandle:
        cipher = DataKeyCipher(self._keyring)
        log = self._open_log(stream.stream_id, cipher)
        return StreamHandle(stream, version, log, cipher, self._make_limits())

    def _hold(self, handle: StreamHandle) -> None:
        stream = handle.stream
        self._by_name[stream.account, stream.region, stream.name] = handle
        self._by_id[stream.stream_id] = handle


def stream_not_found(name: str, account: str) -> ResourceNotFoundException:
    """The fault for a stream that is not there."""
    return ResourceNotFoundException(f"Stream {name} under account {account} not found.")


def consumer_not_found(stream: Stream, name: str) -> ResourceNotFoundException:
    """The fault for a consumer that is not there."""
    return ResourceNotFoundException(
        f"Consumer {name} under stream {stream.name} not found for account {stream.account}."
    )


def _named_by(arn: str) -> StreamArn:
    named = parse_stream_arn(arn)
    if named is None:
        raise InvalidArgumentException(f"Invalid stream ARN: {arn}")
    return named


def _encode(stream: Stream) -> bytes:
    # hash keys have 128 bits: msgspec reads such integers from JSON but does not write them
    return json.dumps(msgspec.to_builtins(stream), separators=(",", ":")).encode()
