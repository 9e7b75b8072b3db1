"""The records that subscriptions put: gzip JSON, in CloudWatch Logs' format. Pure functions; they take CPU time.

    {"messageType": "DATA_MESSAGE", "owner": account, "logGroup": …, "logStream": …, "subscriptionFilters": [name],
     "logEvents": [{"id": 56 digits, "timestamp": ms, "message": …, "extractedFields": {…}}, …]}

A record has events of one log stream, in order, and is smaller than any destination's limit. Source: the user guide,
"Log group-level subscription filters"; the control message as observed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from hashlib import md5
from secrets import token_hex
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from millstream.base.units import KIB
from millstream.logs.model import LogGroup
from millstream.logs.patterns import Pattern
from millstream.logs.store import EventRun
from millstream.logs.subscriptions.model import RANDOM, SubscriptionFilter
from millstream.logs.subscriptions.ports import Kind, Outgoing

RECORD_BYTES_MAX = 900 * KIB
"""A delivery stream takes 1,000 KiB, a stream 1 MiB with its partition key."""

_JSON_BYTES = 768 * KIB  # about how much JSON goes into one record: compressed it is a tenth or so
_EVENT_BYTES = 120  # of JSON around an event's message
_DATA, _CONTROL = "DATA_MESSAGE", "CONTROL_MESSAGE"
_CONTROL_OWNER = "CloudwatchLogs"
_CONTROL_TEXTS = {
    Kind.STREAM: "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream.",
    Kind.DELIVERY_STREAM: "CWL CONTROL MESSAGE: Checking health of destination Firehose.",
}

_log = logging.getLogger(__name__)


class Event(msgspec.Struct, gc=False, rename="camel"):
    """A member of `logEvents`."""

    id: str
    timestamp: int
    message: str
    extracted_fields: Mapping[str, str] | UnsetType = UNSET


class _Envelope(msgspec.Struct, rename="camel"):
    message_type: str
    owner: str
    log_group: str
    log_stream: str
    subscription_filters: list[str]
    log_events: list[Event]


class Rendered(NamedTuple):
    """A record, and the log stream whose order it must keep."""

    log_stream: str
    record: Outgoing


_encode = msgspec.json.Encoder().encode


def control_record(kind: Kind, now_ms: int) -> Outgoing:
    """The record that is put first, to see whether the destination is there."""
    event = Event("", now_ms, _CONTROL_TEXTS[kind])
    data = _compress(_encode(_Envelope(_CONTROL, _CONTROL_OWNER, "", "", [], [event])))
    return Outgoing(token_hex(16), data)


def render(wanted: SubscriptionFilter, pattern: Pattern, group: LogGroup, runs: Iterable[EventRun]) -> list[Rendered]:
    """The records of the matching events; those of one log stream are in order."""
    events: dict[str, list[Event]] = {}
    for run in runs:
        matching = _matching(pattern, group, run)
        if matching:
            events.setdefault(run.log_stream, []).extend(matching)
    return [
        Rendered(log_stream, record)
        for log_stream, of_stream in events.items()
        for record in _records(wanted, log_stream, of_stream)
    ]


def _matching(pattern: Pattern, group: LogGroup, run: EventRun) -> list[Event]:
    messages = [message.decode(errors="replace") for message in run.messages]
    found = [(place, match) for place, match in enumerate(map(pattern.match, messages)) if match is not None]
    if not found:
        return []
    ids = run.ids(group)
    return [Event(ids[place], run.times_ms[place], messages[place], match.fields or UNSET) for place, match in found]


def _records(wanted: SubscriptionFilter, log_stream: str, events: list[Event]) -> Iterator[Outgoing]:
    for part in _parts(events):
        for data in _data(wanted, log_stream, part):
            yield Outgoing(_partition_key(wanted, log_stream), data)


def _parts(events: list[Event]) -> Iterator[list[Event]]:
    """The events in order, as many at a time as give about _JSON_BYTES."""
    part: list[Event] = []
    size_bytes = 0
    for event in events:
        event_bytes = _size_bytes(event)
        if part and size_bytes + event_bytes > _JSON_BYTES:
            yield part
            part, size_bytes = [], 0
        part.append(event)
        size_bytes += event_bytes
    yield part


def _size_bytes(event: Event) -> int:
    fields = 0 if event.extracted_fields is UNSET else sum(map(len, event.extracted_fields.values()))
    return _EVENT_BYTES + len(event.message) + fields


def _data(wanted: SubscriptionFilter, log_stream: str, events: list[Event]) -> Iterator[bytes]:
    """The events as records' data: one, or several where compression makes less of them than it is wont to."""
    envelope = _Envelope(_DATA, wanted.account, wanted.group_name, log_stream, [wanted.name], events)
    data = _compress(_encode(envelope))
    if len(data) <= RECORD_BYTES_MAX:
        yield data
    elif len(events) > 1:
        middle = len(events) // 2
        yield from _data(wanted, log_stream, events[:middle])
        yield from _data(wanted, log_stream, events[middle:])
    else:
        yield from _data(wanted, log_stream, [_shortened(wanted, events[0])])


def _shortened(wanted: SubscriptionFilter, event: Event) -> Event:
    """Half of an event that no destination could take: better than none of it, and better than to stop here."""
    _log.warning(
        "subscription filter %s: the message of event %s is cut: no record could hold it", wanted.name, event.id
    )
    return Event(event.id, event.timestamp, event.message[: len(event.message) // 2])


def _partition_key(wanted: SubscriptionFilter, log_stream: str) -> str:
    if wanted.distribution == RANDOM:
        return token_hex(16)
    return md5(f"{wanted.group_id}/{log_stream}".encode(errors="replace"), usedforsecurity=False).hexdigest()


def _compress(data: bytes) -> bytes:
    from isal import igzip  # noqa: PLC0415 - who has no subscription need not load it

    compressed: bytes = igzip.compress(data, compresslevel=1)
    return compressed
