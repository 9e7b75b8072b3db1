"""The bulk protocol of Elasticsearch and OpenSearch, without I/O: records into requests, answers into verdicts.

A request is a line of action and a line of document for each record:

    {"index":{"_index":"ticks-2026-11-23","_id":"<parcel id>.0"}}
    {"ticker":"AMZN","price":181.2}

Source: the Bulk API's reference, OpenSearch 2 and Elasticsearch 5 to 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from millstream.base.units import MIB
from millstream.firehose.destinations.batches import batches
from millstream.firehose.destinations.ledger import MESSAGE_CHARACTERS_MAX
from millstream.firehose.ports import Parcel

QUERY = "_bulk?filter_path=errors,items.*.status,items.*.error"
"""What is appended to the endpoint. The answer says of each document only what became of it."""

_SLICE_BYTES_MAX = 5 * MIB
_SLICE_DOCUMENTS_MAX = 10_000
_DELIVERED = range(200, 300)


class Document(NamedTuple):
    """A record to be indexed: as it came, and as the line that is sent."""

    ordinal: int  # among the parcel's records, from 0
    data: bytes
    line: bytes


class Unfit(NamedTuple):
    """A record that is not a document."""

    ordinal: int
    data: bytes
    reason: str


class Slice(NamedTuple):
    """As much of a parcel as one request holds."""

    documents: list[Document]
    unfit: list[Unfit]


class Verdict(NamedTuple):
    """What became of a document. `code` is an HTTP status, or a word where there was none."""

    delivered: bool
    final: bool  # trying again will not help
    code: str
    message: str


class Target(NamedTuple):
    """Where documents go. `id_prefix` makes their ids, with the ordinal; None leaves ids to the cluster."""

    index_name: str
    type_name: str | None
    id_prefix: str | None

    def document_id(self, document: Document | Unfit) -> str:
        """The document's id, the same whenever it is sent; "" if the cluster gives it one."""
        return f"{self.id_prefix}.{document.ordinal}" if self.id_prefix is not None else ""


def slices(parcel: Parcel) -> Iterator[Slice]:
    """Blocking. The parcel in slices, the same ones each time."""
    for batch in batches(parcel, bytes_max=_SLICE_BYTES_MAX, count_max=_SLICE_DOCUMENTS_MAX):
        piece = Slice([], [])
        for ordinal, data in enumerate(batch.records, batch.first_ordinal):
            try:
                piece.documents.append(Document(ordinal, data, document_line(data)))
            except ValueError as error:
                piece.unfit.append(Unfit(ordinal, data, str(error)))
        yield piece


def document_line(data: bytes) -> bytes:
    """The JSON object that a record is, on one line; white space between its tokens goes, its values stay as they are.

    Raises ValueError for what a cluster would refuse, or would take for more than one line of the request.
    """
    try:
        if not data.isascii():
            data.decode()
        line = msgspec.json.format(data, indent=-1)
    except UnicodeDecodeError as error:
        raise ValueError(f"The record is not UTF-8: {error.reason} at byte {error.start}.") from error
    except msgspec.DecodeError as error:
        raise ValueError(f"The record is not a single JSON object: {error}.") from error
    except RecursionError as error:
        raise ValueError("The record is nested too deeply.") from error
    if not line.startswith(b"{"):
        raise ValueError("The record is JSON, but not an object.")
    return line


def request_body(documents: Iterable[Document], target: Target) -> bytes:
    """The body of a request that indexes documents. With ids, a document that is sent again replaces itself."""
    names = {"_index": target.index_name} | ({"_type": target.type_name} if target.type_name else {})
    fixed = msgspec.json.encode({"index": names})
    if target.id_prefix is None:
        lines = [line for document in documents for line in (fixed, document.line)]
    else:
        opening = fixed[:-2] + b',"_id":"' + target.id_prefix.encode() + b"."
        lines = [line for document in documents for line in (b'%b%d"}}' % (opening, document.ordinal), document.line)]
    return b"\n".join([*lines, b""])


class _Outcome(msgspec.Struct):
    status: int
    error: msgspec.Raw = msgspec.Raw(b"null")


class _Answer(msgspec.Struct):
    items: list[dict[str, _Outcome]]


def verdicts(body: bytes, count: int) -> list[Verdict]:
    """What an answer of status 200 says of the `count` documents sent, in their order.

    Raises ValueError for an answer that cannot be believed: not JSON, or not one outcome for each document.
    """
    try:
        outcomes = [outcome for item in msgspec.json.decode(body, type=_Answer).items for outcome in item.values()]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"The answer to a bulk request is malformed: {error}.") from error
    if len(outcomes) != count:
        raise ValueError(f"The answer to a bulk request of {count} documents tells of {len(outcomes)}.")
    return [_verdict(outcome) for outcome in outcomes]


def _verdict(outcome: _Outcome) -> Verdict:
    """400 is final: a document that does not fit the index's mapping never will, and holding up others would not help.

    The rest is tried again: 429 and 5xx pass, and 403 and 404 (an index that is blocked, or cannot be made) may be
    mended by someone. The documentation tells only that documents are tried again for the retry duration.
    """
    message = bytes(outcome.error).decode(errors="replace").removeprefix("null")[:MESSAGE_CHARACTERS_MAX]
    delivered = outcome.status in _DELIVERED and not message
    return Verdict(delivered, outcome.status == HTTPStatus.BAD_REQUEST, str(outcome.status), message)
