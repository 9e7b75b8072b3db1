"""`millstream streams`: the streams of an account and region, and what is going on in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Column, Table

from millstream.base.units import KIB
from millstream.cli.client import CallError, Client, connect

WINDOW_S = 10.0
SAMPLE_RECORDS_MAX = 500
CALLS_MAX = 16


class Rate(NamedTuple):
    """What came into a shard or a stream lately."""

    records_per_s: float = 0.0
    bytes_per_s: float = 0.0


def run_streams(endpoint: str | None, environment: Mapping[str, str]) -> None:
    """Print the table. Raises CommandError."""
    rows = asyncio.run(_rows(endpoint, environment))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)  # programs have room for long names
    if not rows:
        console.print("No streams. Make one: aws kinesis create-stream --stream-name first --shard-count 2")
        return
    table = Table(Column("STREAM", overflow="fold"), "STATUS", "MODE", box=None, header_style="dim", pad_edge=False)
    for heading in ("SHARDS", "RETENTION", "RECORDS/S", "KIB/S"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


async def _rows(endpoint: str | None, environment: Mapping[str, str]) -> list[list[str]]:
    async with connect(endpoint, environment) as client:
        names = [stream["StreamName"] for stream in await client.pages("ListStreams", "StreamSummaries")]
        turns = asyncio.Semaphore(CALLS_MAX)
        rows = await asyncio.gather(*(_row(client, name, turns) for name in names))
    return [row for row in rows if row is not None]


async def _row(client: Client, name: str, turns: asyncio.Semaphore) -> list[str] | None:
    """The cells of a stream; None if it was deleted meanwhile."""
    try:
        async with turns:
            output = await client.call_patiently("DescribeStreamSummary", StreamName=name)
        summary = output["StreamDescriptionSummary"]
        rate = "", ""
        if summary["StreamStatus"] in ("ACTIVE", "UPDATING"):
            records_per_s, bytes_per_s = await _stream_rate(client, name, turns)
            rate = f"{records_per_s:,.1f}", f"{bytes_per_s / KIB:,.1f}"
    except CallError as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise
    return [
        name,
        summary["StreamStatus"],
        summary["StreamModeDetails"]["StreamMode"].lower().replace("_", "-"),
        f"{summary['OpenShardCount']:,}",
        f"{summary['RetentionPeriodHours']} h",
        *rate,
    ]


async def _stream_rate(client: Client, name: str, turns: asyncio.Semaphore) -> Rate:
    shards = await client.pages("ListShards", "Shards", StreamName=name, ShardFilter={"Type": "AT_LATEST"})
    rates = await asyncio.gather(*(_shard_rate(client, name, shard["ShardId"], turns) for shard in shards))
    return Rate(sum(rate.records_per_s for rate in rates), sum(rate.bytes_per_s for rate in rates))


async def _shard_rate(client: Client, name: str, shard_id: str, turns: asyncio.Semaphore) -> Rate:
    """From a sample of what came in the last seconds: a sample, so that readers of the stream keep their share."""
    began_s = time.time() - WINDOW_S
    async with turns:
        output = await client.call_patiently(
            "GetShardIterator",
            StreamName=name,
            ShardId=shard_id,
            ShardIteratorType="AT_TIMESTAMP",
            Timestamp=began_s,
        )
        iterator = output["ShardIterator"]
        output = await client.call_patiently("GetRecords", ShardIterator=iterator, Limit=SAMPLE_RECORDS_MAX)
    return sampled_rate(output["Records"], began_s)


def sampled_rate(records: list[dict[str, Any]], began_s: float) -> Rate:
    """The rate that a sample from `began_s` on tells: over the whole window, or over as much as the sample covers."""
    span_s = WINDOW_S
    if len(records) == SAMPLE_RECORDS_MAX:
        span_s = max(0.001, records[-1]["ApproximateArrivalTimestamp"] - began_s)
    size_bytes = sum(len(record["Data"]) * 3 // 4 for record in records)
    return Rate(len(records) / span_s, size_bytes / span_s)
