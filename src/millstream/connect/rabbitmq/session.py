"""One connection to the broker, from its opening to its end: consumers, what they have in hand, acknowledgements.

    messages ─► Shaper ─► Batcher ─► puts (a few at once) ─► Deliveries of the channel ─► basic.ack

Nothing survives a session: when its connection ends, what it has in hand is forgotten, because the broker delivers it
again. So nothing is lost, and what comes twice was not acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

import aiormq
from aiormq.abc import AbstractChannel

from millstream.connect.rabbitmq.acks import Deliveries
from millstream.connect.rabbitmq.batches import Batch, Batcher
from millstream.connect.rabbitmq.frames import DeliveryParser, Message
from millstream.connect.rabbitmq.options import Options
from millstream.connect.rabbitmq.records import Oversize, Shaper, entry_bytes
from millstream.connect.rabbitmq.tap import Tap, TappedReader
from millstream.connect.running import Counters, Stop

log = logging.getLogger("millstream.connect")

_OPEN_S = 20.0
_CLOSE_S = 5.0
_OVERDUE_S = 1.0
_CANCELLED = "RabbitMQ cancelled the consumer: the queue was deleted, or its node went down"

Put = Callable[[Batch["Consumer"]], Awaitable[None]]
"""Puts a batch until all of it is in. Raises ClientErrors that will not pass."""


class SessionLost(Exception):
    """The connection, or what it needs, is gone; the text says why."""


class Consumer:
    """One channel that consumes the queue."""

    def __init__(self, channel: AbstractChannel) -> None:
        self.channel = channel
        self.deliveries = Deliveries()
        self.tag: str | None = None


class _Answer(NamedTuple):
    """What the broker is to be told about a delivery, or, with `multiple`, about all up to it."""

    channel: AbstractChannel
    tag: int
    multiple: bool = False
    rejected: bool = False

    async def send(self) -> None:
        if self.rejected:
            await self.channel.basic_nack(self.tag, requeue=False, wait=False)
        else:
            await self.channel.basic_ack(self.tag, multiple=self.multiple, wait=False)


class Session:
    """A connection and all that hangs on it. `open`, `run`, then `close`."""

    def __init__(self, options: Options, shaper: Shaper, put: Put, counters: Counters) -> None:
        self._options = options
        self._shaper = shaper
        self._put = put
        self._counters = counters
        target = shaper.target
        self._batcher: Batcher[Consumer] = Batcher(target.records_max, target.bytes_max, options.linger_ms / 1000)
        self._consumers: dict[int, Consumer] = {}
        self._outbox: asyncio.Queue[_Answer] = asyncio.Queue()
        self._puts: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._is_flushing = False
        self._idle = asyncio.Event()
        self.in_hand_bytes = 0
        self._parser = DeliveryParser(self._on_message, shaper.message_bytes_max)
        self._tap = Tap(self._parser)
        self._connection = aiormq.Connection(options.broker.url, transport_factory=self._tap)

    @property
    def _reader(self) -> TappedReader:
        assert self._tap.reader is not None
        return self._tap.reader

    async def open(self) -> None:
        """Connect and begin to consume. Raises AMQPErrors, OSErrors and TimeoutErrors."""
        async with asyncio.timeout(_OPEN_S):
            await self._connect()
            await self._find_queue()
            for consumer in [await self._open_channel() for _ in range(self._options.consumers)]:
                await self._consume(consumer)
        self._connection.closing.add_done_callback(self._on_closing)

    async def _connect(self) -> None:
        try:
            await self._connection.connect()
        except aiormq.InvalidFrameError as error:
            if self._parser.closed is None:
                raise
            raise aiormq.ConnectionClosed(*self._parser.closed) from error

    async def _find_queue(self) -> None:
        """See that the queue is there, or make it. On a channel of its own: the broker closes it if there is none."""
        queue = self._options.queue
        channel = await self._connection.channel(publisher_confirms=False)
        try:
            await channel.queue_declare(queue, passive=True)
        except aiormq.ChannelNotFoundEntity:
            if not self._options.declare:
                raise
            channel = await self._connection.channel(publisher_confirms=False)
            await channel.queue_declare(queue, durable=True)
        await channel.close()

    async def _open_channel(self) -> Consumer:
        channel = await self._connection.channel(publisher_confirms=False)
        consumer = self._consumers[channel.number] = Consumer(channel)
        channel.on_consumer_cancel_callbacks.add(lambda _frame: self._lose(_CANCELLED))
        channel.closing.add_done_callback(self._on_closing)
        return consumer

    async def _consume(self, consumer: Consumer) -> None:
        await consumer.channel.basic_qos(prefetch_count=self._options.prefetch)
        started = await consumer.channel.basic_consume(self._options.queue, _never)
        consumer.tag = started.consumer_tag

    async def run(self, stop: Stop) -> None:
        """Deliver until `stop` is wanted, then what is in hand, as far as time allows.

        Raises SessionLost, and the ClientErrors of puts that will not pass.
        """
        helpers = [self._loop.create_task(work) for work in (self._send_acknowledgements(), self._settle_overdue())]
        for helper in helpers:
            helper.add_done_callback(self._on_helper_done)
        wanted = self._loop.create_task(stop.wanted.wait())
        try:
            await asyncio.wait((self._ended, wanted), return_when=asyncio.FIRST_COMPLETED)
            if not self._ended.done():
                await self._finish(stop)
            if self._ended.done():
                await self._ended
        finally:
            await _cancel(wanted, *helpers)

    async def _finish(self, stop: Stop) -> None:
        """Consume no more, deliver what is in hand, acknowledge it."""
        leaving = self._loop.create_task(stop.at_once.wait())
        done = self._loop.create_task(self._drain())
        await asyncio.wait(
            (leaving, done, self._ended),
            timeout=self._options.shutdown_timeout_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if not done.done():
            log.warning("stopped with %d bytes in hand: RabbitMQ will deliver them again", self.in_hand_bytes)
        await _cancel(leaving, done)

    async def _drain(self) -> None:
        for consumer in self._consumers.values():
            if consumer.tag is not None:
                await consumer.channel.basic_cancel(consumer.tag)
        self._is_flushing = True
        self._dispatch()
        while self._puts:
            self._idle.clear()
            await self._idle.wait()
        for consumer in self._consumers.values():
            self._acknowledge_each(consumer)
            self._acknowledge_each(consumer)
        await self._outbox.join()

    async def close(self) -> None:
        """End the connection; what was not acknowledged goes back to the queue."""
        if self._timer is not None:
            self._timer.cancel()
        await _cancel(*self._puts)
        if self._tap.reader is not None:
            self._tap.reader.release()
        with suppress(aiormq.AMQPError, OSError, TimeoutError, RuntimeError):
            async with asyncio.timeout(_CLOSE_S):
                for consumer in self._consumers.values():
                    await consumer.channel.close()  # its answer says that all acknowledgements have arrived
                await self._connection.close()
        if self._ended.done() and not self._ended.cancelled():
            self._ended.exception()

    def _on_message(self, channel: int, message: Message) -> None:
        """A message has come. Called while reading, so quick and never waiting."""
        consumer = self._consumers.get(channel)
        if consumer is None:
            return
        entries = self._shaper.entries(message)
        if not entries:
            self._refuse(consumer, message)
            return
        if len(entries) > 1:
            consumer.deliveries.expect(message.tag, len(entries))
        now_s = self._loop.time()
        for entry in entries:
            size_bytes = entry_bytes(entry)
            self.in_hand_bytes += size_bytes
            if self._batcher.add(entry, size_bytes, consumer, message.tag, now_s):
                self._dispatch()
        if self.in_hand_bytes > self._options.in_hand_bytes_max:
            self._reader.hold()

    def _refuse(self, consumer: Consumer, message: Message) -> None:
        """A message larger than any record may be."""
        self._counters.add("oversize")
        limit = self._shaper.target.record_bytes_max
        what = f"a message of {message.size_bytes} bytes (routing key {message.routing_key!r})"
        if self._shaper.shaping.oversize is Oversize.DROP:
            log.warning("%s is larger than the %d that a record may have: dropped", what, limit)
            self._acknowledge(consumer, consumer.deliveries.settle((message.tag,)))
            return
        log.warning(
            "%s is larger than the %d that a record may have: rejected, to the queue's dead-letter exchange",
            what,
            limit,
        )
        self._outbox.put_nowait(_Answer(consumer.channel, message.tag, rejected=True))
        self._acknowledge(consumer, consumer.deliveries.answered(message.tag))

    def _dispatch(self) -> None:
        """Put what is due, as long as not too much is under way; else come back when there may be something to do."""
        now_s = self._loop.time()
        while len(self._puts) < self._options.puts_max:
            batch = self._batcher.take(now_s, flush=self._is_flushing)
            if batch is None:
                self._arm(now_s)
                return
            task = self._loop.create_task(self._deliver(batch))
            self._puts.add(task)
            task.add_done_callback(self._on_put_done)

    def _arm(self, now_s: float) -> None:
        due_s = self._batcher.due_s
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due_s is not None:
            self._timer = self._loop.call_at(max(due_s, now_s), self._dispatch)

    async def _deliver(self, batch: Batch[Consumer]) -> None:
        await self._put(batch)
        self.in_hand_bytes -= batch.size_bytes
        if self.in_hand_bytes <= self._options.in_hand_bytes_max // 2:
            self._reader.release()
        for consumer, tags in batch.tags.items():
            deliveries = consumer.deliveries
            before = deliveries.settled_count
            self._acknowledge(consumer, deliveries.settle(tags))
            self._counters.add("messages", deliveries.settled_count - before)

    def _on_put_done(self, task: asyncio.Task[None]) -> None:
        self._puts.discard(task)
        self._idle.set()
        if task.cancelled():
            return
        if error := task.exception():
            self._fail(error)
        else:
            self._dispatch()

    def _acknowledge(self, consumer: Consumer, up_to: int | None) -> None:
        if up_to is not None:
            self._outbox.put_nowait(_Answer(consumer.channel, up_to, multiple=True))

    def _acknowledge_each(self, consumer: Consumer) -> None:
        for tag in consumer.deliveries.overdue():
            self._outbox.put_nowait(_Answer(consumer.channel, tag))

    async def _send_acknowledgements(self) -> None:
        while True:
            answer = await self._outbox.get()
            try:
                await answer.send()
            finally:
                self._outbox.task_done()

    async def _settle_overdue(self) -> None:
        while True:
            await asyncio.sleep(_OVERDUE_S)
            for consumer in self._consumers.values():
                self._acknowledge_each(consumer)

    def _on_helper_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._fail(error)

    def _on_closing(self, closing: asyncio.Future[None]) -> None:
        error = None if closing.cancelled() else closing.exception()
        self._lose(str(error or "the connection was closed"))

    def _lose(self, why: str) -> None:
        self._fail(SessionLost(why))

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, aiormq.AMQPError | ConnectionError):
            error = SessionLost(str(error))
        if not self._ended.done():
            self._ended.set_exception(error)


async def _never(_message: object) -> None:
    """aiormq wants a callback for messages; it gets none."""


async def _cancel(*tasks: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
