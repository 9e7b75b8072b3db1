"""The head of a request: which operation of which service is called, in which codec, for whose account and region.

Sans-IO, and on the path of every call: what recurs from call to call (content types, targets, credential scopes) is
parsed once and remembered, by value and within bounds.

Which faults answer which malformed head is as recorded from AWS by kinesalite's tests, with two liberties: requests
need not be signed, and `application/x-amz-json-1.0` and `application/json` are taken as JSON 1.1.
"""

from __future__ import annotations

import random
import re
from base64 import b32decode
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import NamedTuple
from urllib.parse import parse_qs
from uuid import UUID

import msgspec

from millstream.wire.context import CallContext, Codec
from millstream.wire.faults import (
    AccessDeniedException,
    IncompleteSignatureException,
    InvalidSignatureException,
    UnknownOperationException,
)

DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"

_CONTENT_TYPES = {
    "application/x-amz-json-1.1": Codec.JSON,
    "application/x-amz-json-1.0": Codec.JSON,
    "application/json": Codec.JSON,
    "application/x-amz-cbor-1.1": Codec.CBOR,
}

_PROCESS_ID = str(UUID(int=random.getrandbits(128), version=4))[:23]
_calls = count(random.getrandbits(40))

_UNDETERMINED = "Unable to determine service/operation name to be authorized"

_REGION = re.compile(r"[a-zA-Z0-9-]{1,64}")

_HEADER_PARAMETERS = ("Credential", "Signature", "SignedHeaders")
_QUERY_PARAMETERS = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")

Headers = Callable[[str], str | None]
"""Finds the value of a header by its name in lower case."""


class RequestHead(msgspec.Struct, frozen=True, gc=False):
    """A request before its body is looked at. `service` is the target prefix, as `Kinesis_20131202`."""

    service: str
    operation: str
    codec: Codec
    account: str
    region: str
    request_id: str

    def context(self) -> CallContext:
        """The call's context for the operation's handler."""
        return CallContext(self.operation, self.account, self.region, self.request_id, self.codec)


class Signer(NamedTuple):
    """Who signed a request, for which region; taken at their word here."""

    account: str
    region: str


def parse_head(
    method: str, path: str, headers: Headers, *, request_id: str, default_region: str = DEFAULT_REGION
) -> RequestHead:
    """The head of a request for `path`, which may have a query; it is answered under `request_id`.

    Requests without a signature belong to account 000000000000 and `default_region`. Raises a Fault, which is
    answered in the codec that `codec_of` says.
    """
    if method != "POST":
        raise AccessDeniedException(_UNDETERMINED)
    codec, service, operation = _named(headers("content-type"), headers("x-amz-target"))
    if codec is None:
        if not operation:
            raise AccessDeniedException(_UNDETERMINED)
        raise UnknownOperationException
    if not operation:
        raise UnknownOperationException
    signer = _signer(path, headers) or Signer(DEFAULT_ACCOUNT, default_region)
    return RequestHead(service, operation, codec, signer.account, signer.region, request_id)


@lru_cache(maxsize=256)
def codec_of(content_type: str | None) -> Codec | None:
    """The codec that a Content-Type header names; None if it names none that AWS's protocols know."""
    if content_type is None:
        return None
    return _CONTENT_TYPES.get(content_type.partition(";")[0].strip().lower())


def new_request_id() -> str:
    """A fresh request id, in the form of a UUID: this process, then a count of its requests."""
    return f"{_PROCESS_ID}-{next(_calls):012x}"


@lru_cache(maxsize=1024)
def account_of(access_key_id: str) -> str:
    """The account that an access key id belongs to.

    A 12-digit id is the account. Ids that AWS issues hold their account in 40 bits after the prefix, if their fifth
    character is Q or later (older ones do not). Others, such as `test`, belong to account 000000000000.
    """
    if len(access_key_id) == 12 and access_key_id.isascii() and access_key_id.isdigit():
        return access_key_id
    if len(access_key_id) != 20 or access_key_id[:4] not in ("AKIA", "ASIA"):
        return DEFAULT_ACCOUNT
    try:
        bits = int.from_bytes(b32decode(access_key_id[4:])[:6], "big")
    except ValueError:
        return DEFAULT_ACCOUNT
    account = (bits >> 7) & ((1 << 40) - 1)
    return f"{account:012}" if bits >> 47 and account < 10**12 else DEFAULT_ACCOUNT


@lru_cache(maxsize=1024)
def _named(content_type: str | None, target: str | None) -> tuple[Codec | None, str, str]:
    """Codec, service and operation; empty where the target names none."""
    service, _, operation = (target or "").partition(".")
    return codec_of(content_type), service if operation else "", operation if service else ""


def _signer(path: str, headers: Headers) -> Signer | None:
    authorization = headers("authorization")
    query = path.partition("?")[2]
    presigned = "X-Amz-Algorithm" in query
    if authorization is None:
        return _scope(_query_credential(query)) if presigned else None
    if presigned:
        raise InvalidSignatureException(
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
        )
    start = authorization.find("Credential=")
    if start < 0:
        raise _incomplete_header(authorization, headers)
    end = authorization.find(",", start)
    return _scope(authorization[start + 11 : end if end > 0 else len(authorization)])


@lru_cache(maxsize=1024)
def _scope(credential: str) -> Signer:
    """Who a credential scope names: access key id, date, region, service and `aws4_request`, by slashes."""
    parts = credential.split(maxsplit=1)[0].split("/") if credential.strip() else []
    if len(parts) != 5:
        raise IncompleteSignatureException(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential}'"
        )
    if not _REGION.fullmatch(parts[2]):
        raise InvalidSignatureException(f"Credential should be scoped to a valid region, not '{parts[2]}'. ")
    return Signer(account_of(parts[0]), parts[2])


def _query_credential(query: str) -> str:
    found = parse_qs(query)
    if "X-Amz-Credential" in found:
        return found["X-Amz-Credential"][0]
    missing = (name for name in _QUERY_PARAMETERS if name not in found)
    lacks = "".join(f"AWS query-string parameters must include '{name}'. " for name in missing)
    raise IncompleteSignatureException(f"{lacks}Re-examine the query-string parameters.")


def _incomplete_header(authorization: str, headers: Headers) -> IncompleteSignatureException:
    missing = (name for name in _HEADER_PARAMETERS if f"{name}=" not in authorization)
    lacks = "".join(f"Authorization header requires '{name}' parameter. " for name in missing)
    if headers("x-amz-date") is None and headers("date") is None:
        lacks += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
    return IncompleteSignatureException(f"{lacks}Authorization={authorization}")
