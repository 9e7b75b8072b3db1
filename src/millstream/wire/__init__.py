"""Wire: AWS's protocols, from bytes to validated parameters and from results and faults to bytes.

In come the heads and bodies of requests; out come validated parameters for operation handlers, or faults in AWS's own
words; results come in again and go out as bodies in the codec of their request. Whatever the bytes, nothing but a Fault
is raised. Shapes, limits and patterns are read from botocore's service models.

Imports base only, and does no I/O but reading the service models at start.

    request.parse_head -> RequestHead -> Service.find -> Service.decode -> handler -> Service.encode
                 \\______________________________\\___________________\\_____> Fault -> reply.error_reply
"""

from millstream.wire.context import CallContext, Codec
from millstream.wire.faults import Fault
from millstream.wire.operation import Encoded, EventStream, Operation, Result
from millstream.wire.reply import Reply, error_reply, event_stream_headers, success_headers
from millstream.wire.request import RequestHead, codec_of, new_request_id, parse_head
from millstream.wire.service import Service

__all__ = [
    "CallContext",
    "Codec",
    "Encoded",
    "EventStream",
    "Fault",
    "Operation",
    "Reply",
    "RequestHead",
    "Result",
    "Service",
    "codec_of",
    "error_reply",
    "event_stream_headers",
    "new_request_id",
    "parse_head",
    "success_headers",
]
