"""What the demo writes to its log group."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from millstream.server import demolog
from millstream.server.demolog import DemoLog
from millstream.wire.faults import InternalFailure, ResourceNotFoundException


class Logs:
    """Takes calls; refuses the puts it is told to."""

    def __init__(self, *refusals: Exception | None) -> None:
        self.calls: list[str] = []
        self.messages: list[Any] = []
        self._refusals = iter(refusals)

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        self.calls.append(operation)
        if operation == "PutLogEvents":
            if (refusal := next(self._refusals)) is not None:
                raise refusal
            self.messages += [json.loads(event["message"]) for event in params["logEvents"]]
        return {}


def tick(price: float, change: float) -> dict[str, Any]:
    return {"TICKER_SYMBOL": "CHIP", "SECTOR": "TECHNOLOGY", "PRICE": price, "CHANGE": change}


async def test_jumps_are_logged_until_the_group_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demolog, "INTERVAL_S", 0)
    logs = Logs(None, InternalFailure(), ResourceNotFoundException("gone"))
    log = DemoLog(logs)  # type: ignore[arg-type]
    log.note([tick(103.0, 3.0), tick(100.5, 0.5), tick(97.0, -3.0), tick(1.0, 1.0)])
    running = asyncio.create_task(log.run())
    for puts in (1, 2, 3):
        while logs.calls.count("PutLogEvents") < puts:
            log.note([tick(103.0, 3.0)] if puts > 1 else [])
            await asyncio.sleep(0)
    await running
    assert logs.calls[:3] == ["CreateLogGroup", "CreateLogStream", "PutRetentionPolicy"]
    assert [message["percent"] for message in logs.messages] == [3.0, -3.0]
    assert logs.messages[0] == {
        "level": "WARN",
        "event": "price_jump",
        "ticker": "CHIP",
        "percent": 3.0,
        "price": 103.0,
    }
