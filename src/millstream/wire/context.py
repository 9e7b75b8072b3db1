"""What an operation is told about the call, beside its parameters."""

from __future__ import annotations

from enum import Enum

import msgspec


class Codec(Enum):
    """How a body is encoded; a reply is in the codec of its request."""

    JSON = "application/x-amz-json-1.1"
    CBOR = "application/x-amz-cbor-1.1"

    @property
    def content_type(self) -> str:
        """The content type that a reply in this codec bears."""
        return self.value


class CallContext(msgspec.Struct, frozen=True, gc=False):
    """One call: whose account, which region, and the id under which it is answered and logged."""

    operation: str
    account: str
    region: str
    request_id: str
    codec: Codec
