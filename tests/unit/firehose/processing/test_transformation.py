"""The stage that calls a function: what it sends, what it keeps, and what crashes leave."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from millstream.base.units import MIB
from millstream.disk import DiskError, DiskFull, MemoryDisk
from millstream.disk.faulty import FaultyDisk
from millstream.firehose.configuration import Configuration
from millstream.firehose.ports import Chunk
from millstream.firehose.processing import transformation
from millstream.firehose.processing.invocation import function_settings
from millstream.firehose.processing.journal import Header, JournalError, JournalSource, decode_header
from millstream.firehose.processing.transformation import Transformation
from millstream.functions import FunctionError
from millstream.log import Batch, LogStopped
from millstream.log.store import LogStore
from support.configurations import processor
from support.destinations import Told
from support.processing import (
    ARRIVAL_MS,
    FUNCTION_ARN,
    SOURCE_ARN,
    STREAM_ARN,
    Answer,
    MemoryFunctions,
    MemorySource,
    aggregated,
    chunk,
    surroundings,
    to_s3,
    upper,
)
from support.virtualtime import VirtualClock, run_virtually

DIRECTORY = "processed"
MINUTE_S = 60.0


def _function(**parameters: str) -> dict[str, Any]:
    return processor("Lambda", LambdaArn=FUNCTION_ARN, **parameters)


def _chunks(*groups: Sequence[bytes]) -> list[Chunk]:
    """Chunks one after the other, of the records given for each."""
    found: list[Chunk] = []
    for group in groups:
        found.append(chunk(*group, start=found[-1].end if found else 0))
    return found


class Entry(NamedTuple):
    """What a test sees of a record in the journal."""

    data: bytes
    header: Header


def _journal_entries(disk: MemoryDisk) -> list[Entry]:
    chunks = JournalSource(disk, DIRECTORY).read(0, bytes_max=64 * MIB)
    return [Entry(data, decode_header(key)) for one in chunks for key, data in zip(one.keys, one.data, strict=True)]


def _failures(disk: MemoryDisk) -> list[tuple[str, bytes]]:
    """(error code, raw data) of the error-output lines in the journal."""
    lines = [json.loads(entry.data) for entry in _journal_entries(disk) if entry.header.failure]
    return [(line["errorCode"], base64.b64decode(line["rawData"])) for line in lines]


class Rig:
    """A stage over a source in memory and a journal on a disk in memory."""

    def __init__(
        self,
        clock: VirtualClock,
        chunks: list[Chunk],
        *,
        functions: MemoryFunctions | None = None,
        configuration: Configuration | None = None,
        disk: MemoryDisk | None = None,
        view: FaultyDisk | None = None,
        kinesis: bool = False,
    ) -> None:
        self.disk = disk or MemoryDisk()
        self.source = MemorySource(chunks)
        self.functions = functions or MemoryFunctions()
        self.told = Told()
        self.lag_bytes = 0
        self.journal = LogStore.open(view or self.disk, DIRECTORY)
        configuration = configuration or to_s3(_function())
        settings = function_settings(configuration)
        assert settings is not None
        around = surroundings(kinesis=kinesis, clock=clock, functions=self.functions, told=self.told)
        self.stage = Transformation(
            self.source, self.journal, configuration, settings, around, start=0, lag_bytes=lambda: self.lag_bytes
        )

    async def flushed(self) -> Rig:
        """Run until all that the source has is in the journal."""
        running = asyncio.create_task(self.stage.run())
        flush = asyncio.create_task(self.stage.flush())
        await asyncio.wait([running, flush], return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            running.cancel()
        ended, _ = await asyncio.gather(running, flush, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended
        return self

    @property
    def entries(self) -> list[bytes]:
        return [entry.data for entry in _journal_entries(self.disk) if not entry.header.failure]


def _flushed(chunks: list[Chunk], **arguments: Any) -> Rig:
    return run_virtually(lambda clock: Rig(clock, chunks, **arguments).flushed())


def test_records_go_through_the_function_in_order() -> None:
    rig = _flushed(_chunks([b"a", b"b"], [b"c"]))
    assert rig.entries == [b"A", b"B", b"C"]
    assert [entry.header for entry in _journal_entries(rig.disk)] == [Header(ARRIVAL_MS)] * 3
    (event,) = rig.functions.events
    assert (event["deliveryStreamArn"], event["region"]) == (STREAM_ARN, "us-east-1")
    assert "sourceKinesisStreamArn" not in event
    first = event["records"][0]
    assert (first["data"], first["approximateArrivalTimestamp"]) == ("YQ==", ARRIVAL_MS)
    assert "kinesisRecordMetadata" not in first
    assert rig.functions.timeouts_s == [300]
    assert rig.stage.position == rig.source.end()


def test_records_of_a_data_stream_bring_their_metadata() -> None:
    rig = _flushed([chunk(b"plain", aggregated(("p", b"one"), ("q", b"two")), keys=[b"x", b"y"])], kinesis=True)
    assert rig.entries == [b"PLAIN", b"ONE", b"TWO"]
    (event,) = rig.functions.events
    assert event["sourceKinesisStreamArn"] == SOURCE_ARN
    described = [record["kinesisRecordMetadata"] for record in event["records"]]
    assert [(one["partitionKey"], one["subsequenceNumber"]) for one in described] == [("x", ""), ("p", "0"), ("q", "1")]
    assert {one["sequenceNumber"] for one in described} == {f"0.7.{ARRIVAL_MS}", f"0.8.{ARRIVAL_MS}"}
    assert {one["shardId"] for one in described} == {"shardId-000000000000"}
    assert len({record["recordId"] for record in event["records"]}) == 3


def test_processors_before_the_function_have_worked() -> None:
    configuration = to_s3(processor("Decompression"), _function())
    rig = _flushed([chunk(gzip.compress(b"a"), b"b", gzip.compress(b"c"))], configuration=configuration)
    assert [entry.header.failure for entry in _journal_entries(rig.disk)] == ["", "decompression-failed", ""]
    assert rig.entries == [b"A", b"C"]
    assert len(rig.functions.events[0]["records"]) == 2


def _answers(**by_data: dict[str, Any]) -> Answer:
    """A function that answers as given for records of certain data, else in upper case."""

    def answer(record: dict[str, Any]) -> dict[str, Any]:
        return upper(record) | by_data.get(base64.b64decode(record["data"]).decode(), {})

    return answer


def test_results_are_kept_or_dropped_or_have_failed_one_by_one() -> None:
    answer = _answers(
        drop={"result": "Dropped", "data": None},
        fail={"result": "ProcessingFailed"},
        odd={"result": "ok"},
        null={"data": None},
        text={"data": "not base64!"},
        lost={"recordId": "another"},
        keys={"metadata": {"partitionKeys": {"customer": "7", "year": 2026}}},
        nested={"metadata": {"partitionKeys": {"customer": {}}}},
        many={"metadata": {"partitionKeys": {"customer": "x" * 70_000}}},
    )
    records = [b"good", b"drop", b"fail", b"odd", b"null", b"text", b"lost", b"keys", b"nested", b"many", b"last"]
    rig = _flushed([chunk(*records)], functions=MemoryFunctions(answer))
    assert rig.entries == [b"GOOD", b"KEYS", b"LAST"]
    assert _failures(rig.disk) == [
        ("Lambda.ProcessingFailedStatus", b"fail"),
        ("Lambda.FunctionError", b"odd"),
        ("Lambda.FunctionError", b"null"),
        ("Lambda.FunctionError", b"text"),
        ("Lambda.MissingRecordId", b"lost"),
        ("Lambda.FunctionError", b"nested"),
        ("Lambda.FunctionError", b"many"),
    ]
    keys = [entry.header.partition_keys for entry in _journal_entries(rig.disk) if entry.header.partition_keys]
    assert keys == [{"customer": "7", "year": "2026"}]
    line = json.loads(next(entry.data for entry in _journal_entries(rig.disk) if entry.header.failure))
    assert (line["lambdaArn"], line["attemptsMade"], line["arrivalTimestamp"]) == (FUNCTION_ARN, 1, ARRIVAL_MS)


def test_ids_that_come_twice_fail_their_records() -> None:
    answer = _answers(twin={"recordId": f"{0:020d}{0:08d}"})
    rig = _flushed([chunk(b"first", b"twin", b"third")], functions=MemoryFunctions(answer))
    assert rig.entries == [b"THIRD"]
    assert _failures(rig.disk) == [("Lambda.DuplicatedRecordId", b"first"), ("Lambda.MissingRecordId", b"twin")]


class _Saying(MemoryFunctions):
    def __init__(self, reply: bytes) -> None:
        super().__init__()
        self.reply = reply

    async def invoke(self, arn: str, payload: bytes, timeout_s: float) -> bytes:
        await super().invoke(arn, payload, timeout_s)
        return self.reply


@pytest.mark.parametrize("reply", [b"", b"null", b"{}", b'{"records": null}', b'{"records": [{}]}', b"<html>", b"\xff"])
def test_a_reply_that_is_none_fails_all_records_at_once(reply: bytes) -> None:
    rig = _flushed([chunk(b"a", b"b")], functions=_Saying(reply))
    assert _failures(rig.disk) == [("Lambda.JsonProcessingException", b"a"), ("Lambda.JsonProcessingException", b"b")]
    assert len(rig.functions.events) == 1
    assert rig.told.codes == ["Lambda.JsonProcessingException"]


_BUSY = FunctionError("Lambda.InvokeLimitExceeded", "too many")


def test_a_function_that_fails_is_called_again_with_the_same_records() -> None:
    rig = _flushed([chunk(b"a")], functions=MemoryFunctions(failing=[_BUSY] * 3))
    assert rig.entries == [b"A"]
    assert len(rig.functions.events) == 4
    assert len({event["invocationId"] for event in rig.functions.events}) == 4
    assert len({json.dumps(event["records"]) for event in rig.functions.events}) == 1


@pytest.mark.parametrize(("parameters", "attempts"), [({}, 4), ({"NumberOfRetries": "1"}, 2)])
def test_after_the_last_retry_the_records_have_failed(parameters: dict[str, str], attempts: int) -> None:
    functions = MemoryFunctions(failing=[_BUSY] * attempts)
    rig = _flushed([chunk(b"a")], functions=functions, configuration=to_s3(_function(**parameters)))
    assert _failures(rig.disk) == [("Lambda.InvokeLimitExceeded", b"a")]
    assert json.loads(_journal_entries(rig.disk)[0].data)["attemptsMade"] == attempts
    assert rig.told.codes == ["Lambda.InvokeLimitExceeded"] * attempts


def test_invocations_have_the_size_that_is_set() -> None:
    configuration = to_s3(_function(BufferSizeInMBs="0.2"))
    rig = _flushed(_chunks(*[[bytes([65 + n]) * 60_000] for n in range(10)]), configuration=configuration)
    assert [len(event["records"]) for event in rig.functions.events] == [3, 3, 3, 1]
    assert rig.entries == [bytes([65 + n]) * 60_000 for n in range(10)]


def test_an_invocation_never_has_more_than_six_mebibytes(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Measuring(MemoryFunctions):
        async def invoke(self, arn: str, payload: bytes, timeout_s: float) -> bytes:
            sizes.append(len(payload))
            return await super().invoke(arn, payload, timeout_s)

    records = [b"x" * 200] * 20_000 + [b"y" * 5 * MIB]
    configuration = to_s3(_function(BufferSizeInMBs="3"))
    functions = Measuring(lambda record: {"recordId": record["recordId"], "result": "Dropped"})
    rig = _flushed([chunk(*records)], configuration=configuration, functions=functions)
    assert len(sizes) == 2
    assert max(sizes) <= 6 * MIB
    assert [(code, len(raw)) for code, raw in _failures(rig.disk)] == [("Lambda.RequestTooLarge", 5 * MIB)]


def test_a_batch_waits_for_its_interval_and_no_longer() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock, _chunks([b"a"]))
        running = asyncio.create_task(rig.stage.run())
        await asyncio.sleep(MINUTE_S - 1)
        assert rig.functions.events == []
        rig.source.chunks += [chunk(b"b", start=rig.source.end())]
        await asyncio.sleep(2)
        assert rig.entries == [b"A", b"B"]
        running.cancel()
        await asyncio.wait([running])

    run_virtually(main)


def test_a_flush_is_not_held_up_by_what_comes_after_it() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock, _chunks([b"a"]))
        running = asyncio.create_task(rig.stage.run())
        flush = asyncio.create_task(rig.stage.flush())
        while not flush.done():
            rig.source.chunks += [chunk(b"z" * MIB, start=rig.source.end())]
            await asyncio.sleep(0)
            assert len(rig.source.chunks) < 100
        assert rig.entries[0] == b"A"
        running.cancel()
        await asyncio.wait([running])

    run_virtually(main)


def test_a_flush_ends_with_the_run() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock, _chunks([b"a"]), functions=MemoryFunctions(failing=[_BUSY]))
        running = asyncio.create_task(rig.stage.run())
        flush = asyncio.create_task(rig.stage.flush())
        await asyncio.sleep(0.5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await flush
        with pytest.raises(asyncio.CancelledError):
            await rig.stage.flush()

    run_virtually(main)


def test_few_invocations_are_under_way_at_once_and_commits_are_in_order() -> None:
    class Slow(MemoryFunctions):
        now, most = 0, 0

        async def invoke(self, arn: str, payload: bytes, timeout_s: float) -> bytes:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(random.Random(payload[-40:]).random() * 10)
            self.now -= 1
            return await super().invoke(arn, payload, timeout_s)

    records = [b"%03d" % n * 80_000 for n in range(20)]
    functions = Slow()
    rig = _flushed(_chunks(*[[record] for record in records]), functions=functions)
    assert rig.entries == records
    assert functions.most == transformation.INVOCATIONS_MAX


def test_the_stage_waits_while_nobody_reads_the_journal() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock, _chunks([b"a"]))
        rig.lag_bytes = transformation.LAG_BYTES_MAX + 1
        running = asyncio.create_task(rig.stage.run())
        await asyncio.sleep(10 * MINUTE_S)
        assert rig.functions.events == []
        rig.lag_bytes = 0
        await asyncio.sleep(MINUTE_S + 1)
        assert rig.entries == [b"A"]
        running.cancel()
        await asyncio.wait([running])

    run_virtually(main)


def test_a_full_disk_is_waited_out() -> None:
    def decide(operation: str, path: str) -> DiskError | None:
        if operation == "write" and path.endswith(".log") and len(failing) < 3:
            failing.append(path)
            return DiskFull(f"{path}: No space left on device")
        return None

    failing: list[str] = []
    disk = MemoryDisk()
    rig = _flushed(_chunks([b"a"]), disk=disk, view=FaultyDisk(disk, decide))
    assert rig.entries == [b"A"]
    assert rig.told.codes == ["Processing.DiskFull"] * 3
    assert len(rig.functions.events) == 1


def test_a_failed_sync_ends_the_stage() -> None:
    def decide(operation: str, path: str) -> DiskError | None:
        return DiskError("Input/output error") if operation == "sync" and path.endswith(".log") else None

    disk = MemoryDisk()
    with pytest.raises(LogStopped):
        _flushed(_chunks([b"a"]), disk=disk, view=FaultyDisk(disk, decide))


_CRASH_RECORDS = [b"%04d-" % n * 900 for n in range(60)]
_CRASH_CONFIGURATION = to_s3(
    processor("RecordDeAggregation", SubRecordType="DELIMITED", Delimiter="fA=="), _function(BufferSizeInMBs="0.02")
)


def _crash_chunks() -> list[Chunk]:
    """Chunks that invocations begin and end in the midst of."""
    joined = [b"|".join(_CRASH_RECORDS[n : n + 3]) for n in range(0, 60, 3)]
    return _chunks(*[joined[n : n + 5] for n in range(0, 20, 5)])


def _crashes(seed: int, configuration: Configuration = _CRASH_CONFIGURATION) -> list[MemoryDisk]:
    """The disks that crashes leave, one before each operation of a whole run."""
    disk, generator, found = MemoryDisk(), random.Random(seed), []

    def decide(operation: str, path: str) -> None:
        if operation not in ("open", "pread"):
            found.append(disk.crash_clone(generator))

    _flushed(_crash_chunks(), disk=disk, view=FaultyDisk(disk, decide), configuration=configuration)
    return found


@pytest.mark.parametrize("seed", range(2))
def test_wherever_it_crashes_every_record_is_in_the_journal_once(seed: int) -> None:
    crashed = _crashes(seed)
    assert len(crashed) > 30
    for disk in crashed:
        rig = _flushed(_crash_chunks(), disk=disk, configuration=_CRASH_CONFIGURATION)
        assert rig.entries == _CRASH_RECORDS


def test_processors_that_change_halfway_through_a_chunk_lose_nothing() -> None:
    def run(first: Configuration, second: Configuration) -> int:
        halfway = 0
        for disk in _crashes(613, first)[::3]:
            rig = _flushed(_crash_chunks(), disk=disk, configuration=second)
            parts = [part for entry in rig.entries for part in entry.split(b"|")]
            assert sorted(set(parts)) == _CRASH_RECORDS
            assert len(parts) < len(_CRASH_RECORDS) + 3  # at most one record is done again
            sent = [record["data"] for event in rig.functions.events for record in event["records"]]
            halfway += 0 < len(sent) < len(rig.entries)
        return halfway

    whole = to_s3(_function(BufferSizeInMBs="0.02"))
    assert run(_CRASH_CONFIGURATION, whole) > 5
    assert run(whole, _CRASH_CONFIGURATION) > 5


def test_wherever_it_is_cancelled_the_next_run_goes_on() -> None:
    async def main(clock: VirtualClock, steps: int) -> bool:
        rig = Rig(clock, _crash_chunks(), configuration=_CRASH_CONFIGURATION)
        running = asyncio.create_task(rig.stage.run())
        flush = asyncio.create_task(rig.stage.flush())
        for _ in range(steps):
            await asyncio.sleep(0)
        ended = flush.done()
        running.cancel()
        await asyncio.wait([running])
        again = Rig(clock, _crash_chunks(), configuration=_CRASH_CONFIGURATION, disk=rig.disk)
        await again.flushed()
        assert again.entries == _CRASH_RECORDS
        return ended

    def run(steps: int) -> bool:
        return run_virtually(lambda clock: main(clock, steps))

    steps = 0
    while not run(steps):
        steps += 7
    assert steps > 30


def test_trimming_never_takes_the_newest_marker() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig(clock, _chunks(*[[b"x" * MIB] for _ in range(6)])).flushed()
        rig.stage.trim_to(rig.journal.end_position())
        rig.journal.close()
        again = Rig(clock, rig.source.chunks, disk=rig.disk)
        await again.flushed()
        assert again.functions.events == []

    run_virtually(main)


def test_chunks_of_nothing_but_dropped_records_move_the_reader_on() -> None:
    drop = MemoryFunctions(lambda record: {"recordId": record["recordId"], "result": "Dropped"})
    rig = _flushed(_chunks([b"a"]), functions=drop)
    source = JournalSource(rig.disk, DIRECTORY)
    last = source.read(0, bytes_max=MIB)[-1]
    assert (last.data, last.keys, last.end) == ([], [], source.end())


def test_a_journal_without_its_end_is_refused() -> None:
    disk = MemoryDisk()
    LogStore.open(disk, DIRECTORY).commit([Batch(0, [b"\x90"], [b"data"])], 1)
    with pytest.raises(JournalError, match="does not end with a marker"):
        _flushed([], disk=disk)


@pytest.mark.parametrize(
    ("parameters", "buffer_bytes", "interval_s", "retries"),
    [
        ({}, MIB, 60, 3),
        ({"BufferSizeInMBs": "0.5", "BufferIntervalInSeconds": "0", "NumberOfRetries": "0"}, MIB // 2, 0, 0),
    ],
)
def test_parameters(parameters: dict[str, str], buffer_bytes: int, interval_s: float, retries: int) -> None:
    settings = function_settings(to_s3(_function(**parameters)))
    assert settings is not None
    assert settings == (FUNCTION_ARN, retries, buffer_bytes, interval_s)


def test_without_a_function_there_is_no_stage() -> None:
    assert function_settings(to_s3()) is None
