"""Calling operations without HTTP, through the same decoding, validation and encoding as everybody else's calls."""

from __future__ import annotations

import json
from types import CoroutineType
from typing import Any, cast

from millstream.wire import CallContext, Codec, Encoded, Service, new_request_id
from millstream.wire.request import DEFAULT_ACCOUNT


class InProcessClient:
    """Calls one service in the default account and one region."""

    def __init__(self, service: Service, region: str) -> None:
        self._service = service
        self._region = region

    async def call(self, operation_name: str, **params: Any) -> dict[str, Any]:
        """The operation's output, as JSON has it. Raises Faults."""
        operation = self._service.find(operation_name)
        context = CallContext(operation_name, DEFAULT_ACCOUNT, self._region, new_request_id(), Codec.JSON)
        result = operation.handler(context, self._service.decode(operation, Codec.JSON, json.dumps(params).encode()))
        if isinstance(result, CoroutineType):
            result = await result
        if not isinstance(result, Encoded):
            result = Encoded([self._service.encode(operation, Codec.JSON, cast("dict[str, Any] | None", result))])
        return json.loads(result.body) if result.body else {}
