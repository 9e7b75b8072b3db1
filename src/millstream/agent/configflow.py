"""A flow of agent.json: its values, and what they say only together with where the flow goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from millstream.agent.config import FlowConfig
from millstream.agent.configkeys import FLOW
from millstream.agent.configsettings import Findings, read_settings
from millstream.agent.configvalues import shown
from millstream.agent.javaregex import RegexError, compile_bytes
from millstream.agent.processors import check_options
from millstream.agent.tail.pattern import FilePattern, PatternError
from millstream.base.units import KIB, MIB

_DELIVERY_BYTES_MAX = 4 * MIB
_STREAM_BYTES_MAX = 5 * MIB
_RECORD_BYTES_MAX = 1000 * KIB
_OPTIONS = "dataProcessingOptions"

Settings = Mapping[str, Any]
Found = Iterator[tuple[str, str]]
"""Keys, each with a dot before it ("": the flow as such), and what is wrong with them."""


def read_flow(flow: Any, place: str, findings: Findings) -> FlowConfig | None:
    """The flow that stands at `place`, or None with what is wrong in `findings`."""
    if not isinstance(flow, dict):
        findings.refuse(place, f"{shown(flow)} must be an object: " + '{"filePattern": …, "deliveryStream": …}')
        return None
    problems_before = len(findings.problems)
    settings = read_settings(flow, FLOW, f"{place}.", findings, also=(_OPTIONS,))
    for key, reason in chain(_missing(flow), *(check(settings) for check in _CHECKS)):
        findings.refuse(f"{place}{key}", reason)
    options = _read_options(flow.get(_OPTIONS), place, findings)
    _warn_of_oddities(settings, place, findings)
    if len(findings.problems) > problems_before:
        return None
    if "kinesis_stream" in settings:
        settings.setdefault("max_buffer_size_bytes", _STREAM_BYTES_MAX)
    return FlowConfig(**settings, data_processing_options=options)


def _missing(flow: Mapping[str, Any]) -> Found:
    if not flow.get("filePattern"):
        yield ".filePattern", "is missing: which files, as in /var/log/app/*.log"
    said = [key for key in ("deliveryStream", "kinesisStream") if flow.get(key)]
    if not said:
        yield "", "goes nowhere: name a deliveryStream or a kinesisStream"
    elif len(said) == 2:
        yield "", "names a deliveryStream and a kinesisStream: make it two flows, one for each"


def _pattern(settings: Settings) -> Found:
    if (pattern := settings.get("file_pattern")) is not None:
        try:
            FilePattern(pattern)
        except PatternError as error:
            yield ".filePattern", str(error)


def _buffer(settings: Settings) -> Found:
    size_bytes = settings.get("max_buffer_size_bytes", 0)
    if "delivery_stream" in settings and size_bytes > _DELIVERY_BYTES_MAX:
        yield ".maxBufferSizeBytes", f"{size_bytes:,} must be 1 to {_DELIVERY_BYTES_MAX:,} for a delivery stream"


def _backoff(settings: Settings) -> Found:
    first, last = settings.get("retry_initial_backoff_ms", 100), settings.get("retry_max_backoff_ms", 10_000)
    if first > last:
        yield ".retryInitialBackoffMillis", f"{first:,} is more than retryMaxBackoffMillis, {last:,}"


def _terminator(settings: Settings) -> Found:
    if len(settings.get("truncated_record_terminator", "").encode()) >= _RECORD_BYTES_MAX:
        yield ".truncatedRecordTerminator", f"has to be shorter than a record: {_RECORD_BYTES_MAX:,} bytes"


def _expressions(settings: Settings) -> Found:
    for key in ("multiLineStartPattern", "fileFooterPattern"):
        pattern = settings.get(FLOW[key].field)
        if pattern is None:
            continue
        try:
            compile_bytes(pattern)
        except RegexError as error:
            yield f".{key}", f"{shown(pattern)}: {error}"


def _aggregation(settings: Settings) -> Found:
    if settings.get("aggregation") and "delivery_stream" in settings:
        yield ".aggregation", "is for data streams; delivery streams have aggregatedRecordSizeBytes"


_CHECKS = (_pattern, _buffer, _backoff, _terminator, _expressions, _aggregation)


def _read_options(value: Any, place: str, findings: Findings) -> tuple[dict[str, Any], ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(option, dict) for option in value):
        findings.refuse(f"{place}.{_OPTIONS}", f"{shown(value)} must be a list of objects, each with an optionName")
        return ()
    problems, warnings = check_options(tuple(value))
    for problem in problems:
        findings.refuse("", f"{place}.{problem}")
    for warning in warnings:
        findings.warn("", f"{place}.{warning}")
    return tuple(value)


def _warn_of_oddities(settings: Mapping[str, Any], place: str, findings: Findings) -> None:
    if "delivery_stream" in settings and "partition_key_option" in settings:
        findings.warn(f"{place}.partitionKeyOption", "means nothing here: only data streams have partition keys")
    if (
        "kinesis_stream" in settings
        and settings.get("aggregated_record_size_bytes")
        and not settings.get("aggregation")
    ):
        findings.warn(
            f"{place}.aggregatedRecordSizeBytes", 'means nothing for a data stream without "aggregation": true'
        )
    size_bytes = settings.get("max_buffer_size_bytes", _RECORD_BYTES_MAX)
    if size_bytes < _RECORD_BYTES_MAX:
        findings.warn(f"{place}.maxBufferSizeBytes", f"{size_bytes:,}: records longer than that are cut off or split")
