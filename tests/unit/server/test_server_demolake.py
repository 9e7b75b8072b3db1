"""The demo's lake is made once the stream is there, is left alone when it is, and never stops the demo."""

from __future__ import annotations

from typing import Any

import pytest

from millstream.server import demo
from millstream.server.demolake import Clients, ensure_lake
from millstream.wire import Fault
from millstream.wire.faults import InvalidArgumentException, ResourceInUseException, ResourceNotFoundException

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/kinesis-analytics-demo-stream"


class AlreadyExistsException(Fault):
    """As Glue has it."""


class Api:
    """Stands for the in-process clients: the next answer of an operation is given, or {}; calls are noted."""

    def __init__(self, **answers: list[Any]) -> None:
        self._answers = {"DescribeStreamSummary": [summary("ACTIVE")], **answers}
        self.made: list[str] = []
        self.params: dict[str, dict[str, Any]] = {}

    async def call(self, operation_name: str, **params: Any) -> Any:
        answer = self._answers.get(operation_name, [{}]).pop(0)
        if isinstance(answer, Fault):
            raise answer
        if operation_name.startswith("Create"):
            self.made.append(operation_name)
        self.params[operation_name] = params
        return answer


def summary(status: str) -> dict[str, Any]:
    return {"StreamDescriptionSummary": {"StreamStatus": status, "StreamARN": ARN}}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "POLL_S", 0)


def clients(api: Api) -> Clients:
    return Clients(api, api, api)  # type: ignore[arg-type]


async def test_it_waits_for_the_stream_and_makes_everything() -> None:
    api = Api(DescribeStreamSummary=[ResourceNotFoundException(), summary("CREATING"), summary("ACTIVE")])
    await ensure_lake(clients(api))
    assert api.made == ["CreateDatabase", "CreateTable", "CreateDeliveryStream"]
    assert api.params["CreateDeliveryStream"]["KinesisStreamSourceConfiguration"]["KinesisStreamARN"] == ARN


async def test_what_is_there_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    there = [AlreadyExistsException()]
    api = Api(CreateDatabase=[*there], CreateTable=[*there], CreateDeliveryStream=[ResourceInUseException()])
    await ensure_lake(clients(api))
    assert api.made == []
    assert caplog.text == ""


async def test_a_fault_is_told_and_the_demo_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    await ensure_lake(clients(Api(CreateDeliveryStream=[InvalidArgumentException("no")])))
    assert "the demo's ticks are not delivered: no" in caplog.text
