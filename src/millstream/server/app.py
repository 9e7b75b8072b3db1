"""The application that Granian calls for each request (RSGI): head, body, operation, reply.

    parse_head ─► Service.find ─► Intake ─► Service.decode ─► handler ─► Service.encode ─► a reply or an event stream

The path of a request is flat on purpose: at ten thousand small calls a second every layer is paid for.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from types import CoroutineType
from typing import Any, cast

from millstream.base.errors import MillstreamError
from millstream.server.intake import ClientGone, Intake
from millstream.server.listener import STREAMS_MAX
from millstream.server.streaming import send_messages, send_parts
from millstream.wire import (
    Encoded,
    EventStream,
    Fault,
    Service,
    codec_of,
    error_reply,
    event_stream_headers,
    new_request_id,
    parse_head,
    success_headers,
)
from millstream.wire.faults import (
    InternalFailure,
    ServiceUnavailable,
    UnknownOperationException,
)

log = logging.getLogger("millstream.server")

_BACK_OFF = ("retry-after", "1")
_CLOSE = ("connection", "close")


class Application:
    """Answers the requests for some services. Made once, called for every request."""

    def __init__(
        self,
        services: Iterable[Service],
        intake: Intake,
        *,
        health: Callable[[], dict[str, Any]],
        default_region: str,
    ) -> None:
        self._services = {service.target_prefix: service for service in services}
        self._intake = intake
        self._health = health
        self._region = default_region
        self._streams: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Any, proto: Any) -> None:
        """Answer one request. Raises nothing: what goes wrong is answered, and logged where it is our fault."""
        request_id = new_request_id()
        headers = scope.headers.get
        intake = self._intake
        body = b""
        try:
            path = scope.path
            if path == "/health" and scope.method in ("GET", "HEAD"):
                self._answer_health(proto)
                return
            body = await intake.take(proto, headers("content-length"))
            if query := scope.query_string:
                path = f"{path}?{query}"
            head = parse_head(scope.method, path, headers, default_region=self._region, request_id=request_id)
            service = self._services.get(head.service)
            if service is None:
                raise UnknownOperationException
            operation = service.find(head.operation)
            result = operation.handler(head.context(), service.decode(operation, head.codec, body))
            if isinstance(result, CoroutineType):
                result = await result
            if isinstance(result, EventStream):
                await self._answer_events(proto, result, request_id)
            elif isinstance(result, Encoded):
                await send_parts(proto, success_headers(head.codec, request_id), result.parts)
            else:
                payload = service.encode(operation, head.codec, cast("dict[str, Any] | None", result))
                proto.response_bytes(200, success_headers(head.codec, request_id), payload)
        except Fault as fault:
            await self._answer_fault(scope, proto, fault, request_id)
        except ClientGone:
            log.debug("request %s: the client hung up", request_id)
            proto.response_empty(400, [_CLOSE])  # it may still listen, and Granian would answer 500
        except asyncio.CancelledError:
            log.debug("request %s: broken off", request_id)
        except MillstreamError as error:
            log.error("request %s (%s) failed: %s", request_id, headers("x-amz-target"), error)
            await self._answer_fault(scope, proto, InternalFailure(), request_id)
        except Exception:  # the last resort: nothing that a caller sends should get here
            log.exception("request %s (%s) failed", request_id, headers("x-amz-target"))
            await self._answer_fault(scope, proto, InternalFailure(), request_id)
        finally:
            intake.release(body)

    def end_streams(self) -> None:
        """Break off every event stream that has not ended by itself: the server stops."""
        for task in self._streams:
            task.cancel()

    async def _answer_events(self, proto: Any, stream: EventStream, request_id: str) -> None:
        messages = cast("AsyncGenerator[bytes]", stream.messages)
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        if len(self._streams) >= STREAMS_MAX:
            async with aclosing(messages):
                await anext(messages)  # what was never begun would not be closed either
                raise ServiceUnavailable(f"This server already has {STREAMS_MAX} event streams under way.")
        self._streams.add(task)
        try:
            await send_messages(proto, event_stream_headers(request_id), messages)
        finally:
            self._streams.discard(task)

    def _answer_health(self, proto: Any) -> None:
        body = json.dumps(self._health()).encode()
        proto.response_bytes(200, [("content-type", "application/json"), ("cache-control", "no-store")], body)

    async def _answer_fault(self, scope: Any, proto: Any, fault: Fault, request_id: str) -> None:
        codec = codec_of(scope.headers.get("content-type")) if scope.method == "POST" else None
        status, headers, body = error_reply(fault, codec, request_id)
        if fault.status in (408, 413):
            headers.append(_CLOSE)
        elif fault.status == 503:
            headers.append(_BACK_OFF)
        proto.response_bytes(status, headers, body)
        if fault.status == 413:
            await self._intake.discard(proto)
