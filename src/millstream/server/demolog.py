"""The demo's log group: a line for every share whose price has moved much at once, as a program would log it.

{"level": "WARN", "event": "price_jump", "ticker": "CHIP", "percent": -2.31, "price": 200.85}
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

from millstream.server.demo import ensure
from millstream.server.inprocess import InProcessClient
from millstream.wire import Fault

log = logging.getLogger("millstream.demo")

GROUP_NAME = "/millstream/demo"
STREAM_NAME = "market"
RETENTION_DAYS = 1
INTERVAL_S = 1.0
JUMP_PERCENT = 2.0
_LINES_MAX = 1000


class DemoLog:
    """Notes jumps of prices and writes them to the log group, which is made if it is not there."""

    def __init__(self, client: InProcessClient) -> None:
        self._client = client
        self._lines: list[dict[str, Any]] = []

    def note(self, ticks: list[dict[str, Any]]) -> None:
        """Look at ticks."""
        for tick in ticks:
            before = tick["PRICE"] - tick["CHANGE"]
            percent = round(100 * tick["CHANGE"] / before, 2) if before > 0 else 0.0
            if abs(percent) >= JUMP_PERCENT and len(self._lines) < _LINES_MAX:
                line = {"level": "WARN", "event": "price_jump", "ticker": tick["TICKER_SYMBOL"], "percent": percent}
                message = json.dumps(line | {"price": tick["PRICE"]})
                self._lines.append({"timestamp": time.time_ns() // 1_000_000, "message": message})

    async def run(self) -> None:
        """Write what was noted every second, until cancelled or until the log group is deleted."""
        await ensure(self._client, "CreateLogGroup", logGroupName=GROUP_NAME)
        await ensure(self._client, "CreateLogStream", logGroupName=GROUP_NAME, logStreamName=STREAM_NAME)
        await self._client.call("PutRetentionPolicy", logGroupName=GROUP_NAME, retentionInDays=RETENTION_DAYS)
        while True:
            await asyncio.sleep(INTERVAL_S)
            if self._lines:
                lines, self._lines = self._lines, []
                where = {"logGroupName": GROUP_NAME, "logStreamName": STREAM_NAME}
                try:
                    await self._client.call("PutLogEvents", **where, logEvents=lines)
                except Fault as fault:
                    if fault.code == "ResourceNotFoundException":
                        log.warning("%s was deleted: the demo logs nothing any more", GROUP_NAME)
                        return
                    log.info("the demo's log leaves out %d lines: %s", len(lines), fault)
