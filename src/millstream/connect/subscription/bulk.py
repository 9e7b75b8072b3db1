"""The bulk protocol of Elasticsearch and OpenSearch for events, without I/O. A document's id is its event's.

    {"index":{"_index":"cwl-2026.11.23","_id":"<event id>"}}
    {"@id":…,"@timestamp":…,"@message":…,…}

Source: the Bulk API's reference, OpenSearch 2 and Elasticsearch 7 and 8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from millstream.base.units import MIB
from millstream.connect.subscription.connector import ConnectorError
from millstream.connect.subscription.documents import Document, index_name
from millstream.connect.subscription.messages import LogEvent

BODY_BYTES_MAX = 5 * MIB
_REFUSED = range(400, 429)  # what will not fit the next time either; 429 and 5xx may


class Request(NamedTuple):
    """A request's body and the events in it."""

    body: bytes
    events: list[LogEvent]


class Verdict(NamedTuple):
    """What an answer says of a request's events."""

    refused: list[LogEvent]
    waiting: list[LogEvent]
    problem: str
    """Of the first that did not get in."""


def requests(
    events: Sequence[LogEvent], index: str, make_document: Callable[[LogEvent], Document]
) -> Iterator[Request]:
    """The events as requests of at most about BODY_BYTES_MAX; `index` as `documents.index_name` takes it."""
    lines: list[bytes] = []
    some: list[LogEvent] = []
    size_bytes = 0
    for event in events:
        action = {"index": {"_index": index_name(index, event.time_ms), "_id": event.id}}
        pair = b"%b\n%b\n" % (msgspec.json.encode(action), msgspec.json.encode(make_document(event)))
        if some and size_bytes + len(pair) > BODY_BYTES_MAX:
            yield Request(b"".join(lines), some)
            lines, some, size_bytes = [], [], 0
        lines.append(pair)
        some.append(event)
        size_bytes += len(pair)
    if some:
        yield Request(b"".join(lines), some)


class _Item(msgspec.Struct):
    status: int
    error: msgspec.Raw = msgspec.Raw(b"")


class _Answer(msgspec.Struct):
    items: list[dict[str, _Item]]


def verdict(answer: bytes, events: Sequence[LogEvent]) -> Verdict:
    """What an answer of status 200 says. Raises ConnectorError for one that cannot be believed."""
    try:
        items = [item for entry in msgspec.json.decode(answer, type=_Answer).items for item in entry.values()]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConnectorError(f"the answer to a bulk request is malformed: {error}", is_passing=True) from error
    if len(items) != len(events):
        message = f"the answer to a bulk request of {len(events)} documents tells of {len(items)}"
        raise ConnectorError(message, is_passing=True)
    told = [(event, item) for event, item in zip(events, items, strict=True) if not 200 <= item.status < 300]
    problem = bytes(told[0][1].error).decode("utf-8", "replace")[:500] if told else ""
    refused = [event for event, item in told if item.status in _REFUSED]
    return Verdict(refused, [event for event, item in told if item.status not in _REFUSED], problem)
