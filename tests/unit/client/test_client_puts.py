"""Putting until everything is in."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from millstream.client.errors import CallError, Unreachable
from millstream.client.pace import CALL_S, Pace
from millstream.client.puts import (
    Backoff,
    DeliveryEntry,
    Outcome,
    StreamEntry,
    into_delivery_stream,
    into_stream,
    put_all,
    put_once,
)

QUICK = Backoff(0, 0)
THROTTLE = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"}


class Scripted:
    """A connection that answers as it was told to, and keeps what it was sent."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.sent: list[list[str]] = []

    async def call_encoded(self, operation: str, body: bytes) -> bytes:
        request = msgspec.json.decode(body)
        self.sent.append([record["Data"] for record in request["Records"]])
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, bytes) else msgspec.json.encode(answer)


def scripted(*answers: Any) -> Any:
    return Scripted(*answers)


def results(*failed: bool) -> dict[str, Any]:
    records = [THROTTLE if fails else {"SequenceNumber": "1", "ShardId": "s"} for fails in failed]
    return {"FailedRecordCount": sum(failed), "Records": records}


ENTRIES = [StreamEntry(data, "k") for data in (b"a", b"b", b"c")]
A, B, C = "YQ==", "Yg==", "Yw=="


async def test_only_what_failed_is_put_again_in_order() -> None:
    connection = scripted(results(False, True, True), results(True, False), results(False))
    told: list[tuple[list[int], list[int]]] = []

    def note(sent: Any, outcome: Outcome) -> None:
        told.append((list(sent), list(outcome.failed)))

    await put_all(connection, into_stream("s"), ENTRIES, backoff=QUICK, on_attempt=note)
    assert connection.sent == [[A, B, C], [B, C], [B]]
    assert told == [([0, 1, 2], [1, 2]), ([1, 2], [1]), ([1], [])]


async def test_whole_requests_that_may_pass_are_put_again() -> None:
    throttled = CallError("PutRecords", "ThrottlingException", "", 400)
    connection = scripted(
        Unreachable("no"), throttled, CallError("PutRecords", "InternalFailure", "", 500), results(False, False, False)
    )
    await put_all(connection, into_stream("s"), ENTRIES, backoff=QUICK)
    assert connection.sent == [[A, B, C]] * 4


async def test_what_will_not_pass_is_raised() -> None:
    connection = scripted(
        results(False, True, False), CallError("PutRecords", "ResourceNotFoundException", "gone", 400)
    )
    with pytest.raises(CallError, match="gone"):
        await put_all(connection, into_stream("s"), ENTRIES, backoff=QUICK)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"{",
        {"FailedRecordCount": 1},
        {"FailedRecordCount": 1, "Records": [THROTTLE]},
        {"FailedRecordCount": 2, "Records": [{}, {}, {}]},
        {"FailedRecordCount": "x"},
    ],
)
async def test_answers_that_tell_nothing_count_as_none(answer: Any) -> None:
    outcome = await put_once(scripted(answer), into_stream("s"), ENTRIES)
    assert list(outcome.failed) == [0, 1, 2]
    assert isinstance(outcome.problem, Unreachable)


async def test_delivery_streams_name_things_otherwise() -> None:
    answer = {
        "FailedPutCount": 1,
        "RequestResponses": [{"RecordId": "1"}, {"ErrorCode": "ServiceUnavailableException"}],
    }
    entries = [DeliveryEntry(b"a"), DeliveryEntry(b"b")]
    outcome = await put_once(scripted(answer), into_delivery_stream("d"), entries)
    assert list(outcome.failed) == [1]
    assert isinstance(outcome.problem, CallError)
    assert outcome.problem.is_throttle


async def test_cancelling_breaks_it_off() -> None:
    connection = scripted(*[results(True, True, True)] * 3)
    putting = asyncio.create_task(put_all(connection, into_stream("s"), ENTRIES, backoff=Backoff(60_000)))
    while not connection.sent:
        await asyncio.sleep(0)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting


def test_backoff_doubles_up_to_its_most() -> None:
    exact = Backoff(100, 1000, 0)
    assert [exact.delay_ms(attempt) for attempt in (0, 1, 2, 3, 4, 99)] == [100, 200, 400, 800, 1000, 1000]
    assert all(70 <= Backoff().delay_ms(0) <= 130 for _ in range(50))


class Middling:
    """Chance without chance."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


def pace(call_s: float, idle_s_max: float = 1.0) -> Pace:
    chance: Any = Middling()
    return Pace(call_s, idle_s_max, chance)


def test_the_pace_on_aws_is_five_a_second_and_less_when_idle() -> None:
    aws = pace(CALL_S)
    assert aws.after_records(0.05, is_behind=True) == pytest.approx(0.15)
    waits = [aws.after_nothing(is_behind=False) for _ in range(8)]
    assert waits[0] == CALL_S
    assert waits == sorted(waits)
    assert waits[-1] == 1.0
    assert aws.after_records(0.0, is_behind=False) == CALL_S
    assert aws.after_nothing(is_behind=False) == CALL_S


def test_a_backlog_at_home_is_read_without_waiting_until_it_is_too_much() -> None:
    home = pace(0.0)
    assert home.after_records(0.01, is_behind=True) == 0.0
    assert home.after_nothing(is_behind=True) == 0.0
    first, second = home.after_throttle(), home.after_throttle()
    assert CALL_S <= first < second
    waits = [home.after_records(0.0, is_behind=True) for _ in range(60)]
    assert waits == sorted(waits, reverse=True)
    assert waits[-1] < 0.01
