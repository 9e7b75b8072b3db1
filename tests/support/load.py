"""Load that knows what was acknowledged: writers with unique records, and a reader that follows every shard."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from support.kinesis import Kinesis, Record, Refusal, connect, iterator, refusal_of

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORDS_PER_PUT = 40
EXTRA_BYTES_MAX = 2000


class Put(NamedTuple):
    """An acknowledged record."""

    shard: str
    data: bytes


class Writers:
    """Threads that put records, each record once and unlike any other; each waits for its answer before the next.

    A put whose answer never came may have been stored or not; one that was answered with success is in
    `acknowledged`, by sequence number.
    """

    def __init__(self, url: str, account: str, stream: str, *, count: int = 3, seed: int = 0) -> None:
        self.acknowledged: dict[str, Put] = {}
        self.refusals: list[Refusal] = []
        self._url, self._account, self._stream = url, account, stream
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(number, random.Random(f"{seed} {number}")))
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop, after the answers to the puts under way."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number: int, rng: random.Random) -> None:
        kinesis = connect(self._url, self._account, read_timeout=10)
        counter = 0
        while not self._stopped.is_set():
            entries: list[dict[str, Any]] = []
            for _ in range(RECORDS_PER_PUT):
                data = b"%d %08d %s" % (number, counter, rng.randbytes(rng.randrange(EXTRA_BYTES_MAX)))
                entries.append({"Data": data, "PartitionKey": f"key-{rng.randrange(1000)}"})
                counter += 1
            try:
                reply = kinesis.put_records(StreamName=self._stream, Records=entries)
            except ClientError as error:
                self.refusals.append(refusal_of(error))
                self._stopped.wait(0.05)
            except BotoCoreError:  # the server is down
                self._stopped.wait(0.05)
            else:
                for entry, placed in zip(entries, reply["Records"], strict=True):
                    if "ErrorCode" in placed:
                        self.refusals.append(Refusal(placed["ErrorCode"], placed["ErrorMessage"], 200))
                    else:
                        self.acknowledged[placed["SequenceNumber"]] = Put(placed["ShardId"], entry["Data"])


class Tailer:
    """A thread that reads shards from their start on, and keeps its iterators when the server goes away for a while."""

    def __init__(self, url: str, account: str, stream: str, shards: Iterable[str]) -> None:
        self.seen: dict[str, list[Record]] = defaultdict(list)
        self.failure: ClientError | None = None
        kinesis = connect(url, account)
        self._iterators = {shard: iterator(kinesis, stream, shard) for shard in shards}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, args=(kinesis,))
        self._thread.start()

    def stop(self) -> None:
        """Stop; raises what a read was refused with."""
        self._stopped.set()
        self._thread.join()
        if self.failure:
            raise self.failure

    def _follow(self, kinesis: Kinesis) -> None:
        while not self._stopped.wait(0.02):
            for shard, following in self._iterators.items():
                try:
                    page = kinesis.get_records(ShardIterator=following)
                except ClientError as error:
                    self.failure = error
                    return
                except BotoCoreError:  # the server is down
                    continue
                self.seen[shard] += page["Records"]
                self._iterators[shard] = page["NextShardIterator"]


def assert_nothing_lost(writers: Writers, records: Iterable[Record]) -> None:
    """Every acknowledged record is among `records` under its sequence number with its data, and none is there twice."""
    stored: dict[str, bytes] = {}
    for record in records:
        assert record["SequenceNumber"] not in stored, "a sequence number twice"
        stored[record["SequenceNumber"]] = record["Data"]
    assert len(set(stored.values())) == len(stored), "a record twice"
    missing = {number: put for number, put in writers.acknowledged.items() if stored.get(number) != put.data}
    assert not missing, f"{len(missing)} of {len(writers.acknowledged)} acknowledged records lost or changed"


def assert_in_order(records: list[Record]) -> None:
    """Records of one shard: sequence numbers grow, and so do the counters of each writer."""
    numbers = [int(record["SequenceNumber"]) for record in records]
    assert numbers == sorted(numbers)
    latest: dict[bytes, bytes] = {}
    for record in records:
        writer, counter = record["Data"].split(b" ", 2)[:2]
        assert counter > latest.get(writer, b"")
        latest[writer] = counter
