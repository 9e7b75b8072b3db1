"""A destination of the agent's that answers as a test wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from millstream.client.errors import CallError
from millstream.client.transport import Connection

Answer = Callable[[Sequence[str]], Sequence[str | None]]
"""From the data of a request's entries to an error code, or None, for each. May raise a ClientError."""


class ScriptedConnection(Connection):
    """Stands in for a connection to Firehose: `requests` has the data of each request, `taken` what got in."""

    def __init__(self, *answers: Answer) -> None:
        """The last answer is given for ever."""
        self.requests: list[list[str]] = []
        self.taken: list[str] = []
        self._answers = list(answers)

    async def call_encoded(self, operation: str, body: bytes) -> bytes:
        """As Connection's."""
        entries: list[dict[str, Any]] = msgspec.json.decode(body)["Records"]
        data = [msgspec.convert(entry["Data"], bytes, strict=False).decode() for entry in entries]
        self.requests.append(data)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        codes = answer(data)
        self.taken += [each for each, code in zip(data, codes, strict=True) if code is None]
        failed = sum(code is not None for code in codes)
        results = [{} if code is None else {"ErrorCode": code, "ErrorMessage": "no"} for code in codes]
        return msgspec.json.encode({"FailedPutCount": failed, "RequestResponses": results})


def takes_all(data: Sequence[str]) -> list[str | None]:
    """Everything gets in."""
    return [None] * len(data)


def fails(*names: str) -> Answer:
    """Entries with this data are throttled."""
    return lambda data: ["ServiceUnavailableException" if each in names else None for each in data]


def refuses(code: str, status: int = 400, name: str | None = None) -> Answer:
    """The request fails as a whole; with `name`, only if it has an entry with this data."""

    def answer(data: Sequence[str]) -> list[str | None]:
        if name is None or name in data:
            raise CallError("PutRecordBatch", code, "no", status)
        return takes_all(data)

    return answer
