"""Splunk's HTTP event collector, as far as its documentation tells: tokens, channels, acknowledgements, its codes."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs, urlsplit

from support.httpendpoint import Reply, Request

TOKEN = "6a1c0e3e-5b8f-4c58-9d0f-0a7c5a1d2e3f"


class Collector:
    """A collector: a handler for `Peer`.

    An acknowledgement is true from the `polls_before_ack`th question on, and is told once. `busy` requests are first
    refused.
    """

    def __init__(self, *, polls_before_ack: int = 1, busy: int = 0, acks: bool = True, token: str = TOKEN) -> None:
        self.polls_before_ack = polls_before_ack
        self.busy = busy
        self.acks = acks
        self.token = token
        self.raw: list[bytes] = []
        self.events: list[bytes] = []
        self._waiting: dict[tuple[str, int], int] = {}

    def __call__(self, request: Request) -> Reply:
        url = urlsplit(request.target)
        authorization = request.headers.get("authorization", "")
        if not authorization.startswith("Splunk "):
            return _said(401, 3, "Invalid authorization")
        if authorization != f"Splunk {self.token}":
            return _said(403, 4, "Invalid token")
        channel = request.headers.get("x-splunk-request-channel") or parse_qs(url.query).get("channel", [""])[0]
        if not channel:
            return _said(400, 10, "Data channel is missing")
        try:
            uuid.UUID(channel)
        except ValueError:
            return _said(400, 11, "Invalid data channel")
        if url.path == "/services/collector/ack":
            return self._poll(channel, request)
        assert url.path in ("/services/collector/raw", "/services/collector/event"), url.path
        return self._take(channel, request, self.raw if url.path.endswith("raw") else self.events)

    def _take(self, channel: str, request: Request, kept: list[bytes]) -> Reply:
        if self.busy:
            self.busy -= 1
            return _said(503, 9, "Server is busy")
        if not request.body:
            return _said(400, 5, "No data")
        kept.append(request.body)
        if not self.acks:
            return Reply.of({"text": "Success", "code": 0})
        ack_id = len(self.raw) + len(self.events) - 1
        self._waiting[channel, ack_id] = self.polls_before_ack
        return Reply.of({"text": "Success", "code": 0, "ackId": ack_id})

    def _poll(self, channel: str, request: Request) -> Reply:
        if not self.acks:
            return _said(400, 14, "ACK is disabled")
        return Reply.of({"acks": {str(ack_id): self._acked(channel, ack_id) for ack_id in request.json()["acks"]}})

    def _acked(self, channel: str, ack_id: int) -> bool:
        left = self._waiting.get((channel, ack_id))
        if left is None:
            return False
        if left > 1:
            self._waiting[channel, ack_id] = left - 1
            return False
        del self._waiting[channel, ack_id]
        return True


def _said(status: int, code: int, text: str) -> Reply:
    return Reply.of({"text": text, "code": code}, status)
