"""What goes back: a status, headers and a body, beside what operations answer."""

from __future__ import annotations

import random
from base64 import b64encode
from html import escape
from typing import NamedTuple

from millstream.wire import codecs, eventstream
from millstream.wire.context import Codec
from millstream.wire.faults import Fault, UnknownOperationException

_EXTENDED_ID = b64encode(random.randbytes(48)).decode("ascii")  # noqa: S311 - a name, not a secret

_CONTENT_TYPE = {codec: ("content-type", codec.content_type) for codec in Codec}

ReplyHeaders = list[tuple[str, str]]


class Reply(NamedTuple):
    """A whole reply."""

    status: int
    headers: ReplyHeaders
    body: bytes


def success_headers(codec: Codec, request_id: str) -> ReplyHeaders:
    """The headers of a reply in `codec`, also of faults: Kinesis says what went wrong in the body alone."""
    return [*_id_headers(request_id), _CONTENT_TYPE[codec]]


def event_stream_headers(request_id: str) -> ReplyHeaders:
    """The headers of a reply that is an event stream."""
    return [*_id_headers(request_id), ("content-type", eventstream.CONTENT_TYPE)]


def error_reply(fault: Fault, codec: Codec | None, request_id: str) -> Reply:
    """A fault in the codec of the request, or as XML if that is not known (None), as AWS does."""
    if codec is None:
        return _xml_reply(fault, request_id)
    return Reply(fault.status, success_headers(codec, request_id), codecs.encode(codec, fault.document()))


def _xml_reply(fault: Fault, request_id: str) -> Reply:
    """AWS's answer to what is no request of its protocols; it bears no content type, and the status differs."""
    status = fault.status
    if status == 400:
        status = 404 if isinstance(fault, UnknownOperationException) else 403
    if fault.message:
        text = f"<{fault.code}>\n  <Message>{escape(fault.message, quote=False)}</Message>\n</{fault.code}>\n"
    else:
        text = f"<{fault.code}/>\n"
    return Reply(status, _id_headers(request_id), text.encode("utf-8", "replace"))


def _id_headers(request_id: str) -> ReplyHeaders:
    extended = _EXTENDED_ID + request_id.replace("-", "")  # this process, then this request: all base64 digits
    return [("x-amzn-RequestId", request_id), ("x-amz-id-2", extended)]
