"""The error log of a delivery stream: AWS's error events, in the log group that its logging options name.

    {"deliveryStreamARN": "arn:aws:firehose:…", "destination": "arn:aws:s3:::lake", "deliveryStreamVersionId": 1,
     "message": "…", "errorCode": "S3.AccessDenied"}

A destination that is down fails every few seconds for hours: the same error code is told at most once in `THIN_MS`,
with how often it came meanwhile (`repetitions`, a member of ours). Source: Data Firehose Developer Guide, "Monitor
Amazon Data Firehose Using CloudWatch Logs".
"""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import msgspec

from millstream.base.clock import Clock, monotonic_ms
from millstream.base.units import SECOND_MS
from millstream.firehose.configuration import LoggingOptions
from millstream.firehose.model import DeliveryStream
from millstream.firehose.targets import target_identifier
from millstream.telemetry import Outbox, OutboxError

THIN_MS = 10 * SECOND_MS
_CODES_MAX = 100  # error codes are few; but some come from servers, who might make them up

_log = logging.getLogger("millstream.firehose")


class _Thinned:
    """When an error code was told last, and how often it came since."""

    def __init__(self, told_ms: int) -> None:
        self.told_ms = told_ms
        self.untold = 0


def logging_options(stream: DeliveryStream) -> LoggingOptions:
    """Where the delivery stream's errors are to be logged."""
    options = stream.destination.configuration.get("CloudWatchLoggingOptions") or {}
    return msgspec.convert(options, LoggingOptions)


def event_mark(stream: DeliveryStream) -> str:
    """What stands in the text of every event of the delivery stream, at whatever version, and in no other's."""
    return json.dumps({"deliveryStreamARN": stream.arn})[1:-1]


class StreamErrorLog:
    """The `ErrorLog` of a delivery stream at one version; may be used from any thread, and never fails."""

    def __init__(self, stream: DeliveryStream, logs: Outbox | None, clock: Clock) -> None:
        """`logs` None: errors are told to the process's own log only."""
        self.last_error: str | None = None
        self.last_error_ms: int | None = None
        self._stream = stream
        self._options = logging_options(stream)
        self._destination = target_identifier(stream.destination)
        self._logs = logs
        self._clock = clock
        self._lock = threading.Lock()
        self._thinned: dict[str, _Thinned] = {}

    def report(self, code: str, message: str, **details: Any) -> None:
        """Tell of an error, now; the same code again within THIN_MS is only counted."""
        now_ms = self._clock.now_ms()
        with self._lock:
            self.last_error, self.last_error_ms = f"{code}: {message}", now_ms
            repetitions = self._admit(code)
        if repetitions is None:
            return
        if repetitions:
            details["repetitions"] = repetitions
        _log.warning("delivery stream %s to %s: %s: %s", self._stream.name, self._destination, code, message)
        self._append(now_ms, code, message, details)

    def _admit(self, code: str) -> int | None:
        """How often the code came untold, now that it may be told again; None if it may not."""
        now_ms = monotonic_ms(self._clock)
        thinned = self._thinned.get(code)
        if thinned is None:
            if len(self._thinned) >= _CODES_MAX:
                self._thinned.clear()
            self._thinned[code] = _Thinned(now_ms)
            return 0
        if now_ms - thinned.told_ms < THIN_MS:
            thinned.untold += 1
            return None
        untold = thinned.untold
        self._thinned[code] = _Thinned(now_ms)
        return untold

    def _append(self, now_ms: int, code: str, message: str, details: dict[str, Any]) -> None:
        options, stream = self._options, self._stream
        if self._logs is None or not options.enabled or not options.group or not options.stream:
            return
        event = {
            "deliveryStreamARN": stream.arn,
            "destination": self._destination,
            "deliveryStreamVersionId": stream.version,
            "message": message,
            "errorCode": code,
            **details,
        }
        text = json.dumps(event, ensure_ascii=False, default=str).encode(errors="replace").decode()  # half surrogates
        try:
            self._logs.append(stream.account, stream.region, options.group, options.stream, [(now_ms, text)])
        except OutboxError as error:
            _log.warning("delivery stream %s: its error log cannot be written: %s", stream.name, error)
