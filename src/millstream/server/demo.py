"""The demo: a stream of stock ticks, as the consoles and tutorials of Kinesis Data Analytics have it.

    {"TICKER_SYMBOL": "WAVE", "SECTOR": "ENERGY", "CHANGE": -0.42, "PRICE": 87.13}

Its records take the way of everybody's records, limits included. What stops them (throttling, a full disk) is waited
out; only a deleted stream ends the demo.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from millstream.server.inprocess import InProcessClient
from millstream.wire import Fault
from millstream.wire.faults import ResourceInUseException, ResourceNotFoundException

log = logging.getLogger("millstream.demo")

STREAM_NAME = "kinesis-analytics-demo-stream"
SHARD_COUNT = 2
TICKS_PER_PUT = 8
PUT_INTERVAL_S = 0.25
RETRY_S = 2.0
POLL_S = 0.1
POLLS_MAX = 100

_THERE = ("AlreadyExistsException", "ResourceAlreadyExistsException", "ResourceInUseException")

_TICKERS = {
    "ENERGY": {"WAVE": 88.0, "GRID": 41.5, "PETR": 63.2, "SOLX": 27.8},
    "FINANCIAL": {"BNKA": 34.1, "LEND": 19.6, "VALT": 112.4, "INSR": 55.9},
    "HEALTHCARE": {"CURE": 76.3, "GENE": 143.0, "MEDI": 31.7, "VITA": 22.4},
    "RETAIL": {"CART": 61.8, "SHOP": 97.5, "MART": 14.2, "BUYR": 8.9},
    "TECHNOLOGY": {"CHIP": 205.6, "CLWD": 129.9, "MILL": 45.66, "QBIT": 12.3},
}
_CHANGE_DEVIATION = 0.01  # of the price, each tick
_PRICE_MIN = 1.0


class Market:
    """A random walk of the prices of some twenty shares that do not exist."""

    def __init__(self, generator: random.Random) -> None:
        self._generator = generator
        self._sectors = {symbol: sector for sector, prices in _TICKERS.items() for symbol in prices}
        self._prices = {symbol: price for prices in _TICKERS.values() for symbol, price in prices.items()}

    def tick(self) -> dict[str, Any]:
        """The next trade."""
        symbol = self._generator.choice(list(self._prices))
        before = self._prices[symbol]
        price = max(_PRICE_MIN, round(before * (1 + self._generator.gauss(0, _CHANGE_DEVIATION)), 2))
        self._prices[symbol] = price
        change = round(price - before, 2)
        return {"TICKER_SYMBOL": symbol, "SECTOR": self._sectors[symbol], "CHANGE": change, "PRICE": price}


async def run_demo(client: InProcessClient, market: Market, note: Callable[[list[dict[str, Any]]], None]) -> None:
    """Feed the demo stream, which is made if it is not there, until cancelled or until the stream is deleted.

    `note` is told of the ticks.
    """
    await _ensure_stream(client)
    while True:
        try:
            ticks = [market.tick() for _ in range(TICKS_PER_PUT)]
            note(ticks)
            await _put(client, ticks)
        except ResourceNotFoundException:
            log.warning("%s was deleted: the demo ends", STREAM_NAME)
            return
        except Fault as fault:
            log.info("the demo waits: %s", fault)
            await asyncio.sleep(RETRY_S)
        await asyncio.sleep(PUT_INTERVAL_S)


async def _ensure_stream(client: InProcessClient) -> None:
    with suppress(ResourceInUseException):  # it is there from an earlier run
        await client.call("CreateStream", StreamName=STREAM_NAME, ShardCount=SHARD_COUNT)
    while True:
        summary = await client.call("DescribeStreamSummary", StreamName=STREAM_NAME)
        if summary["StreamDescriptionSummary"]["StreamStatus"] in ("ACTIVE", "UPDATING"):
            return
        await asyncio.sleep(PUT_INTERVAL_S)


async def _put(client: InProcessClient, ticks: list[dict[str, Any]]) -> None:
    """Put ticks; those that are throttled are dropped, as the market goes on."""
    records = [
        {"Data": base64.b64encode(json.dumps(tick).encode()).decode(), "PartitionKey": tick["TICKER_SYMBOL"]}
        for tick in ticks
    ]
    await client.call("PutRecords", StreamName=STREAM_NAME, Records=records)


async def stream_arn(kinesis: InProcessClient) -> str:
    """The demo stream's ARN, once the demo has made it and it can be a source. Raises Faults."""
    for _ in range(POLLS_MAX):
        with suppress(ResourceNotFoundException):
            if (arn := await _arn_if_active(kinesis)) is not None:
                return arn
        await asyncio.sleep(POLL_S)
    raise ResourceNotFoundException(f"{STREAM_NAME} is not there")


async def _arn_if_active(kinesis: InProcessClient) -> str | None:
    output = await kinesis.call("DescribeStreamSummary", StreamName=STREAM_NAME)
    summary: dict[str, Any] = output["StreamDescriptionSummary"]
    return summary["StreamARN"] if summary["StreamStatus"] in ("ACTIVE", "UPDATING") else None


async def ensure(client: InProcessClient, operation: str, **params: Any) -> None:
    """Make something unless it is there. Raises Faults."""
    try:
        await client.call(operation, **params)
    except Fault as fault:
        if fault.code not in _THERE:
            raise
