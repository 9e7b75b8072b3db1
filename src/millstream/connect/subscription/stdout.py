"""The connector `stdout`: a line of JSON an event."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

import msgspec

from millstream.connect.subscription.connector import ConnectorError, Settings
from millstream.connect.subscription.documents import full_document, iso_time
from millstream.connect.subscription.messages import LogEvent


class Stdout:
    """Prints events: as documents, or as a person reads a log."""

    def __init__(self, *, as_text: bool) -> None:
        self._as_text = as_text

    async def write(self, events: Sequence[LogEvent]) -> None:
        """Returns once the text is with the kernel: a pipe that nobody reads holds it up."""
        lines = [self._line(event) for event in events]
        await asyncio.to_thread(_print, b"".join(lines))

    async def close(self) -> None:
        """Nothing is held."""

    def _line(self, event: LogEvent) -> bytes:
        if not self._as_text:
            return msgspec.json.encode(full_document(event)) + b"\n"
        text = f"{iso_time(event.time_ms)} {event.log_group} {event.log_stream} {event.message.rstrip()}\n"
        return text.encode("utf-8", "replace")


def _print(text: bytes) -> None:
    try:
        while text:
            text = text[os.write(sys.stdout.fileno(), text) :]
    except OSError as error:
        raise ConnectorError(f"standard output is closed: {error.strerror}") from error


def make(settings: Settings) -> Stdout:
    """The connector. Settings: format (json, text)."""
    form = settings.take("format", "json")
    if form not in ("json", "text"):
        raise ConnectorError(f"format={form}: it should be json or text")
    return Stdout(as_text=form == "text")
