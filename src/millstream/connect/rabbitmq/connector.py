"""The connector: one session with the broker after the other, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from aiormq.exceptions import AMQPException

from millstream.client.errors import CallError, ClientError, ConfigurationError
from millstream.client.puts import Backoff, Outcome, PutTarget, put_all
from millstream.client.transport import Connection
from millstream.connect.rabbitmq.advice import advice_on
from millstream.connect.rabbitmq.batches import Batch
from millstream.connect.rabbitmq.options import Options
from millstream.connect.rabbitmq.records import Shaper
from millstream.connect.rabbitmq.session import Consumer, Session, SessionLost
from millstream.connect.running import Counters, Stop, report_status

log = logging.getLogger("millstream.connect")

COUNTED = {
    "messages": "Messages that the destination has, and that are acknowledged to RabbitMQ.",
    "bytes": "Bytes of the records put.",
    "puts": "Requests sent to the destination.",
    "records_retried": "Records that a request did not get in, and that were sent again.",
    "oversize": "Messages larger than a record may be, that were not put.",
    "connections": "Connections made to RabbitMQ.",
}
_RECONNECT = Backoff(initial_ms=250, max_ms=15_000)
_PROBLEM_S = 10.0  # the same trouble is logged this often
_DESCRIBE = {"PutRecords": "DescribeStreamSummary", "PutRecordBatch": "DescribeDeliveryStream"}


class Connector:
    """Takes messages of a queue into a stream. `run` it once."""

    def __init__(self, options: Options, target: PutTarget, connection: Connection) -> None:
        self._options = options
        self._target = target
        self._connection = connection
        self._shaper = Shaper(target, options.shaping)
        self._session: Session | None = None
        self._reported: dict[str, float] = {}
        self._status_before = (0, 0)
        self.counters = Counters("millstream_rabbitmq", {"queue": options.queue, "destination": target.name}, COUNTED)
        self.counters.gauge("in_hand_bytes", "Bytes taken from RabbitMQ and not put yet.", self.in_hand_bytes)
        self.counters.gauge("connected", "Whether there is a connection to RabbitMQ.", lambda: bool(self._session))

    async def run(self, stop: Stop) -> None:
        """Until `stop` is wanted. Raises ClientErrors: what keeps it from beginning, or makes going on pointless."""
        await self._find_destination()
        reporting = asyncio.get_running_loop().create_task(report_status(self.status))
        try:
            attempt = 0
            while not stop.wanted.is_set():
                attempt = 0 if await self._live(stop) else attempt + 1
                if not stop.wanted.is_set():
                    await _pause(stop, _RECONNECT.delay_ms(attempt) / 1000)
        finally:
            reporting.cancel()
        log.info("stopped: %d messages delivered", self.counters["messages"])

    async def _live(self, stop: Stop) -> bool:
        """One session; whether there was any."""
        session = Session(self._options, self._shaper, self._put, self.counters)
        try:
            opened = await self._open(session, stop)
            if opened:
                self._session = session
                log.info("consuming queue %r of %s", self._options.queue, self._options.broker)
                await session.run(stop)
        except SessionLost as error:
            log.warning("lost RabbitMQ: %s. What was not acknowledged is delivered again", error)
        finally:
            self._session = None
            await session.close()
        return opened

    async def _open(self, session: Session, stop: Stop) -> bool:
        opening = asyncio.get_running_loop().create_task(session.open())
        wanted = asyncio.get_running_loop().create_task(stop.wanted.wait())
        try:
            await asyncio.wait((opening, wanted), return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                return False
            await opening
        except (AMQPException, OSError, TimeoutError, RuntimeError) as error:
            self._note_refusal(error)
            return False
        finally:
            for task in (opening, wanted):
                task.cancel()
            await asyncio.gather(opening, wanted, return_exceptions=True)
        self.counters.add("connections")
        self._reported.clear()
        return True

    def _note_refusal(self, error: Exception) -> None:
        """What is wrong from the beginning and stays so ends the program; what was right before may be so again."""
        advice = advice_on(error, self._options)
        if advice is not None and not self.counters["connections"]:
            raise ConfigurationError(advice) from error
        text = advice or f"no RabbitMQ at {self._options.broker}: {error or type(error).__name__}"
        self._report("broker", f"{text}; trying again")

    async def _put(self, batch: Batch[Consumer]) -> None:
        await put_all(self._connection, self._target, batch.entries, on_attempt=self._on_attempt)
        self.counters.add("bytes", batch.size_bytes)

    def _on_attempt(self, _sent: Sequence[int], outcome: Outcome) -> None:
        self.counters.add("puts")
        if outcome.failed:
            self.counters.add("records_retried", len(outcome.failed))
            self._report("destination", f"{len(outcome.failed)} records are put again: {outcome.problem}")

    def _report(self, subject: str, text: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._reported.get(subject, -_PROBLEM_S) >= _PROBLEM_S:
            self._reported[subject] = now_s
            log.warning("%s", text)

    async def _find_destination(self) -> None:
        """A name mistyped should be known now, not when the first message comes. That it is not told, is no trouble."""
        target = self._target
        try:
            await self._connection.call(_DESCRIBE[target.operation], **{target.name_member: target.name})
        except CallError as error:
            if error.code == "ResourceNotFoundException":
                raise
            log.debug("%s", error)
        except ClientError as error:
            if not error.is_passing:
                raise
            self._report("destination", f"{error}; trying again")

    def status(self, seconds: float) -> str:
        """A line on what was done in the last so many seconds."""
        now = (self.counters["messages"], self.counters["bytes"])
        messages, size = (int((new - old) / seconds) for new, old in zip(now, self._status_before, strict=True))
        self._status_before = now
        state = "" if self._session else ", no connection to RabbitMQ"
        return (
            f"{self._options.queue} to {self._target.name}: {messages} messages/s, {size / 1e6:.1f} MB/s; "
            f"{now[0]} in all, {self.in_hand_bytes()} bytes in hand{state}"
        )

    def in_hand_bytes(self) -> int:
        """Bytes taken from RabbitMQ and not put yet."""
        session = self._session
        return session.in_hand_bytes if session else 0


async def _pause(stop: Stop, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wanted.wait()
    except TimeoutError:
        return
