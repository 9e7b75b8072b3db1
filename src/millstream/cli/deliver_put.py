"""`millstream deliver put`: records from the command line, a file or a pipe, until every one of them is in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from io import FileIO
from pathlib import Path

from millstream.base.units import MIB
from millstream.cli.client import FIREHOSE, connect
from millstream.cli.lines import read_lines
from millstream.cli.progress import progress
from millstream.cli.put import PutOperation, Putter, batches, open_input, put_batches, report_put

BATCH_BYTES_MAX = 2 * MIB  # half of what PutRecordBatch takes

_PUT_RECORD_BATCH = PutOperation("PutRecordBatch", "DeliveryStreamName", "RequestResponses")


def run_deliver_put(
    endpoint: str | None, environment: Mapping[str, str], name: str, *, data: str | None, file: Path | None
) -> None:
    """Put what the arguments name and say how it went. Raises CommandError."""
    if data is not None:
        asyncio.run(_put_one(endpoint, environment, name, data.encode("utf-8", "surrogateescape")))
        return
    source, size_bytes = open_input(file)
    with source:
        asyncio.run(_put_lines(endpoint, environment, name, source, size_bytes))


async def _put_one(endpoint: str | None, environment: Mapping[str, str], name: str, data: bytes) -> None:
    async with connect(endpoint, environment, FIREHOSE) as client:
        output = await client.call_patiently("PutRecord", DeliveryStreamName=name, Record={"Data": data})
    print(output["RecordId"])


async def _put_lines(
    endpoint: str | None, environment: Mapping[str, str], name: str, source: FileIO, size_bytes: int | None
) -> None:
    began = time.monotonic()
    with progress(size_bytes) as show:
        async with connect(endpoint, environment, FIREHOSE) as client:
            putter = Putter(client, name, show, _PUT_RECORD_BATCH)
            await put_batches(putter, batches(read_lines(source), _no_key, BATCH_BYTES_MAX))
    report_put(putter, name, began)


def _no_key(_data: bytes, _number: int) -> None:
    return None
