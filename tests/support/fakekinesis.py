"""A Kinesis endpoint that takes records and misbehaves as it is told: in this process, over a real socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Fault = Callable[[int], str]
"""Told the number of the request, says what happens to it: see `FakeKinesis.faults`."""


class FakeKinesis:
    """What was stored is in `stored`, as (partition key, data), in order.

    `faults` gives "" for a request that goes well; "cut" reads a part of it and breaks off; "lose" stores it and breaks
    off; "hang" never answers; "some" stores every other record and refuses the rest; a code refuses it.
    """

    def __init__(self) -> None:
        self.url = ""
        self.stored: list[tuple[str, bytes]] = []
        self.access_keys: list[str] = []
        self.faults: Fault = lambda number: ""
        self.requests = 0
        self._leaving = asyncio.Event()

    @property
    def data(self) -> list[bytes]:
        """The data of all that was stored, in order."""
        return [data for _, data in self.stored]

    async def handle(self, request: web.Request) -> web.Response:
        """Any call."""
        self.requests += 1
        fault = self.faults(self.requests)
        self.access_keys.append(request.headers["authorization"].partition("Credential=")[2].partition("/")[0])
        if fault == "hang":
            await self._leaving.wait()
        if fault == "cut":
            await request.content.read(100)
        if fault in ("cut", "hang"):
            return _break_off(request)
        if fault not in ("", "lose", "some"):
            return web.json_response({"__type": fault, "message": "as told"}, status=400)
        results = [self._take(i, record, fault) for i, record in enumerate((await request.json())["Records"])]
        if fault == "lose":
            return _break_off(request)
        failed = sum("ErrorCode" in result for result in results)
        return web.Response(text=json.dumps({"FailedRecordCount": failed, "Records": results}))

    def _take(self, index: int, record: dict[str, Any], fault: str) -> dict[str, str]:
        if fault == "some" and index % 2 == 0:
            return {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"}
        self.stored.append((record["PartitionKey"], base64.b64decode(record["Data"])))
        return {"SequenceNumber": "1", "ShardId": "s"}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeKinesis]:
        """At `url`, while the block lasts."""
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self._leaving.set()
            await runner.cleanup()


def _break_off(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
