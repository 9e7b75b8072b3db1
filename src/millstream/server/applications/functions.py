"""The preprocessing function of an input: Lambda's contract for Kinesis Data Analytics.

    event  {invocationId, applicationArn, streamArn, records: [{recordId, data, kinesisStreamRecordMetadata}]}
    reply  {records: [{recordId, result: Ok | Dropped | ProcessingFailed, data}]}

Source: "Preprocessing Data Using a Lambda Function" of the developer guide.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable

import msgspec

from millstream.analytics.engine.ports import Transformed, TransformRecord
from millstream.base.units import MIB
from millstream.functions import FunctionError, Functions

_FUNCTION_S_MAX = 300.0
_PAUSE_S = 0.2
_PAUSE_S_MAX = 10.0
_DOUBLINGS_MAX = 10
_RECORDS_MAX = 500
_BYTES_MAX = 3 * MIB


class _Answer(msgspec.Struct):
    """One record of a function's answer."""

    result: str
    record_id: str = msgspec.field(name="recordId")
    data: bytes = b""


class _Answers(msgspec.Struct):
    """A function's answer."""

    records: list[_Answer]


class Preprocessor:
    """Calls the function of one application."""

    def __init__(self, functions: Functions, application_arn: str, stream_arn: str, *, by_stream: bool) -> None:
        self._functions = functions
        self._application_arn = application_arn
        self._stream_arn = stream_arn
        self._by_stream = by_stream

    async def invoke(self, arn: str, records: list[TransformRecord]) -> list[Transformed]:
        """The records as the function returns them, in their order. Raises FunctionError."""
        results: list[Transformed] = []
        for batch in _batches(records):
            content = await self._functions.invoke(arn, self._event(batch), _FUNCTION_S_MAX)
            results += _results(content, len(batch))
        return results

    async def insist(
        self, arn: str, records: list[TransformRecord], tell: Callable[[str, str], None]
    ) -> list[Transformed]:
        """As `invoke`, again and again until the function answers; `tell` is told when it does not."""
        attempt = 0
        while True:
            try:
                return await self.invoke(arn, records)
            except FunctionError as error:
                attempt += 1
                if attempt in (1, 5) or attempt % 30 == 0:
                    tell("ERROR", f"the preprocessing function {arn} fails: {error.code}: {error}")
                await asyncio.sleep(min(_PAUSE_S_MAX, _PAUSE_S * 2 ** min(attempt, _DOUBLINGS_MAX)))

    def _event(self, records: list[TransformRecord]) -> bytes:
        first = records[0]
        event = {
            "invocationId": f"{first.shard}-{first.offset}-{first.arrival_ms}",
            "applicationArn": self._application_arn,
            "streamArn": self._stream_arn,
            "records": [self._entry(number, record) for number, record in enumerate(records)],
        }
        return json.dumps(event).encode()

    def _entry(self, number: int, record: TransformRecord) -> dict[str, object]:
        entry: dict[str, object] = {"recordId": str(number), "data": base64.b64encode(record.data).decode()}
        if self._by_stream:
            entry["kinesisStreamRecordMetadata"] = {
                "partitionKey": record.key.decode("utf-8", "replace"),
                "shardId": f"shardId-{record.shard:012d}",
                "sequenceNumber": f"{record.offset}",
                "approximateArrivalTimestamp": record.arrival_ms,
            }
        else:
            entry["kinesisFirehoseRecordMetadata"] = {"approximateArrivalTimestamp": record.arrival_ms}
        return entry


def _batches(records: list[TransformRecord]) -> list[list[TransformRecord]]:
    batches: list[list[TransformRecord]] = [[]]
    size = 0
    for record in records:
        if batches[-1] and (size + len(record.data) > _BYTES_MAX or len(batches[-1]) >= _RECORDS_MAX):
            batches.append([])
            size = 0
        batches[-1].append(record)
        size += len(record.data)
    return batches if batches[-1] else []


def _results(content: bytes, count: int) -> list[Transformed]:
    """The results in the order of the records. Raises FunctionError for an answer that is not one."""
    try:
        answers = {answer.record_id: answer for answer in msgspec.json.decode(content, type=_Answers).records}
    except msgspec.MsgspecError as error:
        raise FunctionError("Lambda.InvalidResponse", f"the answer is not as the contract has it: {error}") from error
    return [_result(answers.get(str(number))) for number in range(count)]


def _result(answer: _Answer | None) -> Transformed:
    if answer is None:
        return Transformed(None, "the preprocessing function did not return the record")
    if answer.result == "Ok":
        return Transformed(answer.data)
    if answer.result == "Dropped":
        return Transformed(None)
    return Transformed(None, f"the preprocessing function returned the record with result {answer.result}")
