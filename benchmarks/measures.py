"""The measurements of one round: a fresh server, loaded in ways that follow one another."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from benchmarks.client import Client
from benchmarks.figures import Figures, percentile
from benchmarks.load import Feed, GetFeed, LoadError, LoadResult, PutFeed, run_load
from benchmarks.process import Running
from benchmarks.rendering import RECORDS_PER_CALL, STREAM_NAME, RecordMaker
from benchmarks.servers import MILLSTREAM

SHARDS = 4
BULK_CONNECTIONS = 4
MANY_CONNECTIONS = 64
SMALL_BYTES = 200
LARGE_BYTES = 1024
LIMIT_MAX = 10_000
LIMIT_LESS = 1000  # replies of about 1 MiB from every server, however much it has stored by then
WARM_UP_SHARE = 0.2
SEEKS = 60
SEEK_RECORDS = 10


class Payloads(NamedTuple):
    """The rendered requests, the same for every server."""

    put_records_1k: list[bytes]
    put_records_200b: list[bytes]
    put_record_1k: list[bytes]
    put_record_batch_1k: list[bytes]


class Bench(NamedTuple):
    """A running server with an ACTIVE stream, what to send it, and how long."""

    running: Running
    shards: list[str]
    payloads: Payloads
    seconds: float


class RoundResult(NamedTuple):
    """The figures of a round, and what went wrong with those that are missing."""

    figures: Figures
    faults: list[str]


def render_payloads() -> Payloads:
    """Renders the requests, some 30 MB of them."""
    maker = RecordMaker()
    return Payloads(
        put_records_1k=maker.put_records(LARGE_BYTES, 16),
        put_records_200b=maker.put_records(SMALL_BYTES, 16),
        put_record_1k=maker.put_record(LARGE_BYTES, 2048),
        put_record_batch_1k=maker.put_record_batch(LARGE_BYTES, 16),
    )


def run_round(
    running: Running, payloads: Payloads, seconds: float, measurements: Iterable[Callable[[Bench], Figures]]
) -> RoundResult:
    """Takes the measurements on a fresh server, each over `seconds`; a failed one leaves its figures out."""
    result = RoundResult({"start": running.start_seconds}, [])
    try:
        with Client(running.port) as client:
            shards = client.create_stream(SHARDS)
    except LoadError as error:
        result.faults.append(str(error))
        return result
    bench = Bench(running, shards, payloads, seconds)
    for measure in measurements:
        try:
            result.figures.update(measure(bench))
        except LoadError as error:
            result.faults.append(f"{measure.__name__}: {error}")
    result.figures["memory"] = running.memory_peak_mib()
    return result


def put_record_one(bench: Bench) -> Figures:
    """PutRecord from one connection: how long a producer waits for one record to be safe."""
    load = _load(bench, put_feeds(bench.payloads.put_record_1k, 1, 1))
    return {
        "put_record_p50": percentile(load.result.latencies_ms, 50),
        "put_record_p99": percentile(load.result.latencies_ms, 99),
    }


def put_record_many(bench: Bench) -> Figures:
    """PutRecord from many connections at once."""
    load = _load(bench, put_feeds(bench.payloads.put_record_1k, 1, MANY_CONNECTIONS))
    return {"put_record_64": load.result.calls_per_s, "put_record_64_cpu": load.server_cpu_us}


def put_and_get_records(bench: Bench) -> Figures:
    """PutRecords of 1 KiB records, then GetRecords of all records so far, then GetRecords by time."""
    filled_from_s = time.time()
    put = _load(bench, put_feeds(bench.payloads.put_records_1k, RECORDS_PER_CALL, BULK_CONNECTIONS))
    filled_to_s = time.time()
    get = _load(bench, [GetFeed(STREAM_NAME, shard, LIMIT_MAX) for shard in bench.shards])
    get_less = _load(bench, [GetFeed(STREAM_NAME, shard, LIMIT_LESS) for shard in bench.shards])
    return {
        "put_records_1k": put.result.records_per_s,
        "put_records_1k_mb": put.result.records_per_s * LARGE_BYTES / 1e6,
        "put_records_1k_cpu": put.server_cpu_us,
        "generator_cpu": put.generator_cpu_us,
        "get_records_mb": get.result.records_per_s * LARGE_BYTES / 1e6,
        "get_records_cpu": get.server_cpu_us,
        "get_1000_records_mb": get_less.result.records_per_s * LARGE_BYTES / 1e6,
        "seek_p50": percentile(seek_ms(bench, filled_from_s, filled_to_s), 50),
    }


def put_records_200b(bench: Bench) -> Figures:
    """PutRecords of 200-byte records."""
    feeds = put_feeds(bench.payloads.put_records_200b, RECORDS_PER_CALL, BULK_CONNECTIONS)
    load = _load(bench, feeds)
    return {"put_records_200b": load.result.records_per_s, "put_records_200b_cpu": load.server_cpu_us}


def put_record_batch(bench: Bench) -> Figures:
    """Firehose's PutRecordBatch of 1 KiB records: while they are delivered, and Millstream's while they are not."""
    with Client(bench.running.port) as client:
        client.create_delivery_stream()
    feeds = put_feeds(bench.payloads.put_record_batch_1k, RECORDS_PER_CALL, BULK_CONNECTIONS)
    load = _load(bench, feeds)
    figures = {"put_record_batch_1k": load.result.records_per_s, "put_record_batch_1k_cpu": load.server_cpu_us}
    if bench.running.server.name != MILLSTREAM:
        return figures
    with bench.running.worker().held():
        load = _load(bench, feeds)
    return figures | {
        "put_record_batch_1k_idle": load.result.records_per_s,
        "put_record_batch_1k_idle_cpu": load.server_cpu_us,
    }


KINESIS_MEASUREMENTS: tuple[Callable[[Bench], Figures], ...] = (
    put_record_one,
    put_record_many,
    put_and_get_records,
    put_records_200b,
)
"""In this order, since several peers slow down as their shards grow, and GetRecords relies on 1 KiB records."""

FIREHOSE_MEASUREMENTS: tuple[Callable[[Bench], Figures], ...] = (put_record_batch,)
"""Of servers that have a Firehose."""


def seek_ms(bench: Bench, from_s: float, to_s: float) -> list[float]:
    """How long reading a few records from a random time takes: GetShardIterator and GetRecords together.

    The times lie within the first nine tenths of the period in which the log was filled.
    """
    chance = random.Random(2013)
    times_ms = []
    with Client(bench.running.port) as client:
        for _ in range(SEEKS):
            time_s = from_s + chance.random() * 0.9 * (to_s - from_s)
            start = time.perf_counter()
            records = client.records_from(chance.choice(bench.shards), time_s, SEEK_RECORDS)
            times_ms.append((time.perf_counter() - start) * 1e3)
            if not records:
                raise LoadError("no records after a time at which records were put")
    return times_ms


def put_feeds(requests: Sequence[bytes], records: int, connections: int) -> list[PutFeed]:
    """Feeds that share the requests out among them, so that no two send the same one."""
    return [PutFeed(requests[first::connections], records) for first in range(connections)]


class _Loaded(NamedTuple):
    """A load and what each of its records cost, in microseconds of CPU, on either side."""

    result: LoadResult
    server_cpu_us: float
    generator_cpu_us: float


def _load(bench: Bench, feeds: Sequence[Feed]) -> _Loaded:
    """Warms up, then loads."""
    run_load(bench.running.port, feeds, bench.seconds * WARM_UP_SHARE)
    server_us, generator_us = bench.running.cpu_us(), time.process_time() * 1e6
    result = run_load(bench.running.port, feeds, bench.seconds)
    server_us, generator_us = bench.running.cpu_us() - server_us, time.process_time() * 1e6 - generator_us
    if not result.records:
        raise LoadError("not one record in the time given")
    return _Loaded(result, server_us / result.records, generator_us / result.records)
