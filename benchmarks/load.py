"""A closed-loop load generator: each connection sends its next request when it has the whole reply to the last.

One thread, one epoll, non-blocking sockets, requests rendered beforehand, replies looked at only as far as
needed to know that they are whole and good. About 10 us of CPU a call besides the kernel's copying, so that most
of two shared cores is left to the server under test.
"""

from __future__ import annotations

import itertools
import re
import select
import socket
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from benchmarks.rendering import render

BUFFER_BYTES = 64 << 10
STALL_SECONDS_MAX = 60.0
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CONNECTION_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_NO_FAILURES = (
    *(b'"FailedRecordCount":0', b'"FailedRecordCount": 0'),
    *(b'"FailedPutCount":0', b'"FailedPutCount": 0'),
)


class LoadError(Exception):
    """The server gave an answer that makes the measurement void; the message says which."""


class Feed(Protocol):
    """What one connection asks, and what it makes of the answers."""

    def next_request(self) -> bytes:
        """The next request to send."""
        ...

    def take(self, reply: bytearray, start: int, end: int) -> int:
        """Looks at a reply's body, `reply[start:end]`, and returns the records it acknowledges or carries.

        Raises LoadError on a reply that is not what was asked for.
        """
        ...


class LoadResult(NamedTuple):
    """What a load came to. `latencies_ms` are in the order of completion."""

    records: int
    seconds: float
    latencies_ms: list[float]

    @property
    def calls_per_s(self) -> float:
        return len(self.latencies_ms) / self.seconds

    @property
    def records_per_s(self) -> float:
        return self.records / self.seconds


class PutFeed:
    """Sends the same few requests in turn, each of which puts `records` records, and insists on full success."""

    def __init__(self, requests: Sequence[bytes], records: int) -> None:
        self._requests: Iterator[bytes] = itertools.cycle(requests)
        self._records = records

    def next_request(self) -> bytes:
        return next(self._requests)

    def take(self, reply: bytearray, start: int, end: int) -> int:
        if self._records > 1 and all(reply.find(mark, start, end) < 0 for mark in _NO_FAILURES):
            raise LoadError("some records of a call failed")
        return self._records


class GetFeed:
    """Reads a shard from its trim horizon to its tip with GetRecords, `limit` records a call, over and over.

    The iterator's text goes back as it came, never unescaped: the next request is its JSON in other clothes.
    """

    _NEXT = b'"NextShardIterator"'
    _ITERATOR = re.compile(rb'ShardIterator"\s*:\s*("[^"]+")')

    def __init__(self, stream: str, shard: str, limit: int) -> None:
        self._limit = b"%d" % limit
        self._rewind = render(
            "GetShardIterator",
            f'{{"StreamName":"{stream}","ShardId":"{shard}","ShardIteratorType":"TRIM_HORIZON"}}'.encode(),
        )
        self._request = self._rewind

    def next_request(self) -> bytes:
        return self._request

    def take(self, reply: bytearray, start: int, end: int) -> int:
        records = reply.count(b'"PartitionKey"', start, end)
        if self._request is not self._rewind and not records:
            self._request = self._rewind
            return 0
        place = reply.find(self._NEXT, start, min(end, start + 1024))
        if place < 0:  # replies are large, and the iterator stands either before or after the records
            place = max(start, reply.rfind(self._NEXT, start, end))
        found = self._ITERATOR.search(reply, place, end)
        if found is None:
            raise LoadError("a reply without a shard iterator")
        self._request = render("GetRecords", b'{"Limit":' + self._limit + b',"ShardIterator":' + found[1] + b"}")
        return records


class _Connection:
    """A socket with the request on its way out and the reply on its way in."""

    def __init__(self, port: int, feed: Feed) -> None:
        self.feed = feed
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.unsent = memoryview(b"")
        self.buffer = bytearray(BUFFER_BYTES)
        self.filled = 0
        self.body_start = 0
        self.reply_end = 0
        self.closing = False
        self.sent_at = 0.0

    def ask(self) -> None:
        """Starts the next call."""
        self.unsent = memoryview(self.feed.next_request())
        self.filled = self.reply_end = 0
        self.sent_at = time.perf_counter()
        self.send()

    def send(self) -> None:
        """Hands as much of the request to the kernel as it takes now."""
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            return

    def receive(self) -> bool:
        """Takes what has arrived; True when the reply is whole."""
        try:
            with memoryview(self.buffer) as view:
                received = self.socket.recv_into(view[self.filled :])
        except BlockingIOError:
            return False
        if not received:
            raise LoadError("the server closed a connection in the middle of a call")
        self.filled += received
        if not self.reply_end and not self._read_head():
            return False
        return self.filled >= self.reply_end

    def _read_head(self) -> bool:
        head_end = self.buffer.find(b"\r\n\r\n", 0, self.filled)
        if head_end < 0:
            return False
        if not self.buffer.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
            raise LoadError(f"the server answered {bytes(self.buffer[: self.filled][:400])!r}")
        length = _CONTENT_LENGTH.search(self.buffer, 0, head_end)
        if length is None:
            raise LoadError("a reply without Content-Length")
        self.closing = _CONNECTION_CLOSE.search(self.buffer, 0, head_end) is not None
        self.body_start = head_end + 4
        self.reply_end = self.body_start + int(length[1])
        self.buffer.extend(bytes(max(0, self.reply_end - len(self.buffer))))
        return True


def run_load(port: int, feeds: Sequence[Feed], seconds: float) -> LoadResult:
    """Loads the server on `port` for about `seconds` with one connection per feed.

    No call is started after that time; the calls under way are waited for and counted, and so is the time they
    take. Raises LoadError when a reply is bad or when nothing is heard for a minute.
    """
    return _Load(port, feeds, seconds).run()


class _Load:
    def __init__(self, port: int, feeds: Sequence[Feed], seconds: float) -> None:
        self._port = port
        self._feeds = feeds
        self._seconds = seconds
        self._deadline = 0.0
        self._epoll = select.epoll()
        self._records = 0
        self._latencies_ms: list[float] = []
        self._connections: dict[int, _Connection] = {}

    def run(self) -> LoadResult:
        try:
            for feed in self._feeds:
                self._connect(feed)
            start = time.perf_counter()
            self._deadline = start + self._seconds
            for connection in self._connections.values():
                self._ask(connection)
            while self._connections:
                self._turn()
            seconds = time.perf_counter() - start
        except OSError as error:
            raise LoadError(f"a connection broke: {error}") from error
        finally:
            self._epoll.close()
            for connection in self._connections.values():
                connection.socket.close()
        return LoadResult(self._records, seconds, self._latencies_ms)

    def _connect(self, feed: Feed) -> _Connection:
        connection = _Connection(self._port, feed)
        self._epoll.register(connection.socket, select.EPOLLIN)
        self._connections[connection.socket.fileno()] = connection
        return connection

    def _disconnect(self, connection: _Connection) -> None:
        del self._connections[connection.socket.fileno()]
        connection.socket.close()

    def _ask(self, connection: _Connection) -> None:
        connection.ask()
        if connection.unsent:
            self._epoll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)

    def _turn(self) -> None:
        ready = self._epoll.poll(STALL_SECONDS_MAX)
        if not ready:
            raise LoadError(f"no answer for {STALL_SECONDS_MAX:.0f} s")
        for descriptor, events in ready:
            connection = self._connections[descriptor]
            if events & select.EPOLLOUT:
                connection.send()
                if not connection.unsent:
                    self._epoll.modify(descriptor, select.EPOLLIN)
            if events & ~select.EPOLLOUT and connection.receive():
                self._complete(connection)

    def _complete(self, connection: _Connection) -> None:
        now = time.perf_counter()
        self._latencies_ms.append((now - connection.sent_at) * 1e3)
        self._records += connection.feed.take(connection.buffer, connection.body_start, connection.reply_end)
        if now >= self._deadline:
            self._disconnect(connection)
        elif connection.closing:
            self._disconnect(connection)
            self._ask(self._connect(connection.feed))
        else:
            self._ask(connection)
