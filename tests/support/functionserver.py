"""Lambda's Invoke over HTTP, with functions that tests give."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from support.httpendpoint import Misconduct, Reply, Request
from support.peerthread import peer_in_thread

Transform = Callable[[bytes], dict[str, Any] | Misconduct]
"""What becomes of a record's data: members of the reply's record, of which `data` may be bytes."""


class FunctionServer:
    """Functions by name. `calls` counts invocations."""

    def __init__(self) -> None:
        self.url = ""
        self.functions: dict[str, Transform] = {}
        self.calls: dict[str, int] = {}

    @classmethod
    @contextmanager
    def serve(cls) -> Iterator[FunctionServer]:
        """A server until the block ends."""
        server = cls()
        with peer_in_thread(server._answer) as peer:
            server.url = peer.url
            yield server

    def add(self, name: str, transform: Transform) -> str:
        """Add a function; its ARN."""
        self.functions[name] = transform
        return f"arn:aws:lambda:us-east-1:000000000000:function:{name}"

    def _answer(self, request: Request) -> Reply | Misconduct:
        *_, name, invocations = urlsplit(request.target).path.split("/")
        assert invocations == "invocations", request.target
        if name not in self.functions:
            return Reply.of({"Message": f"Function not found: {name}"}, 404)
        self.calls[name] = self.calls.get(name, 0) + 1
        made = []
        for record in request.json()["records"]:
            result = self.functions[name](base64.b64decode(record["data"]))
            if isinstance(result, Misconduct):
                return result
            data = base64.b64encode(result.pop("data", b"")).decode()
            made.append({"recordId": record["recordId"], "result": "Ok", "data": data} | result)
        return Reply.of({"records": made})
