"""HTTP endpoints as destinations.

Source: Firehose developer guide, "HTTP endpoint delivery request and response specifications".
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
import pybase64
from isal import igzip

from millstream.base.units import MIB
from millstream.firehose.configuration import HttpEndpoint
from millstream.firehose.destinations.batches import Batch, batches, parcels_max, stepwise
from millstream.firehose.destinations.exchange import Answer, Exchange, Fault, NoAnswer, Patience, Refused
from millstream.firehose.destinations.ledger import MESSAGE_CHARACTERS_MAX, Ledger
from millstream.firehose.ports import Parcel, Report, Surroundings

ANSWER_S_MAX = 180.0
_ANSWER_BYTES_MAX = MIB
_RECORDS_MAX = 10_000
_DATA_BYTES_MAX = 47 * MIB  # as base64, with what stands around 10,000 records, just below the 64 MiB of a body
_GZIP_LEVEL = 1
_CODES = {
    Fault.UNREACHABLE: "HttpEndpoint.ConnectionFailed",
    Fault.CERTIFICATE: "HttpEndpoint.SSLHandshakeFailure",
    Fault.HANDSHAKE: "HttpEndpoint.SSLHandshakeFailure",
    Fault.TIMEOUT: "HttpEndpoint.RequestTimeout",
    Fault.BROKEN: "HttpEndpoint.ConnectionReset",
    Fault.OVERLONG: "HttpEndpoint.ResponseTooLarge",
}


class HttpDestination:
    """An endpoint that takes records by the documented protocol.

    A request has at most as many bytes of records as the buffer's size, and its id is the same however often it is
    made. The retry duration is counted from the first failure, without the time that answers take. 413 is final, as
    documented; but where AWS then drops the records, they are error output here.
    """

    def __init__(
        self, configuration: HttpEndpoint, surroundings: Surroundings, *, answer_s_max: float = ANSWER_S_MAX
    ) -> None:
        self._configuration = configuration
        self._surroundings = surroundings
        self._headers = _headers(configuration, surroundings)
        self._gzip = configuration.request.content_encoding == "GZIP"
        self._bytes_max = min(configuration.buffering.size_bytes, _DATA_BYTES_MAX)
        self._exchange = Exchange(timeout_s=answer_s_max, answer_bytes_max=_ANSWER_BYTES_MAX)
        self.parcels_max = parcels_max(configuration.buffering.size_bytes)

    def plan(self, parcel: Parcel) -> str:  # noqa: ARG002 - there are no keys at an endpoint
        """Nothing: requests have ids, which follow from the parcel's."""
        return ""

    async def deliver(self, parcel: Parcel) -> Report:
        """Send the parcel's records in requests, one after the other."""
        ledger = Ledger("http-endpoint-failed", parcel.first_arrival_ms, self._surroundings.scratch)
        patience = Patience(self._surroundings, self._configuration.retry.duration_s)
        cut = batches(parcel, bytes_max=self._bytes_max, count_max=_RECORDS_MAX)
        async for batch in stepwise(self._surroundings.threads, cut):
            await self._send(batch, parcel.parcel_id, ledger, patience)
        return ledger.report()

    async def close(self) -> None:
        """Close connections."""
        await self._exchange.close()

    async def _send(self, batch: Batch, parcel_id: str, ledger: Ledger, patience: Patience) -> None:
        """Have the endpoint take a batch, or give it up."""
        request_id = str(uuid.uuid5(uuid.UUID(parcel_id), str(batch.first_ordinal)))
        headers = self._headers | {"X-Amz-Firehose-Request-Id": request_id.encode()}
        body = await asyncio.get_running_loop().run_in_executor(
            self._surroundings.threads, self._body, request_id, batch.records
        )
        failure = await patience.persist(lambda: self._post(request_id, body, headers))
        if failure is None:
            return ledger.delivered(len(batch.records), batch.size_bytes)
        for ordinal, data in enumerate(batch.records, batch.first_ordinal):
            ledger.failed(data, failure, subsequenceNumber=0, dataId=f"{parcel_id}.{ordinal}")
        return None

    def _body(self, request_id: str, records: list[bytes]) -> bytes:
        opening = b'{"requestId":"%b","timestamp":%d,"records":[' % (
            request_id.encode(),
            self._surroundings.clock.now_ms(),
        )
        body = opening + b",".join([b'{"data":"%b"}' % pybase64.b64encode(record) for record in records]) + b"]}"
        return bytes(igzip.compress(body, _GZIP_LEVEL)) if self._gzip else body

    async def _post(self, request_id: str, body: bytes, headers: Mapping[str, bytes]) -> None:
        """Make a request once. Raises Refused."""
        try:
            answer = await self._exchange.post(self._configuration.endpoint.url, body, headers)
        except NoAnswer as error:
            raise Refused(_CODES[error.fault], f"The endpoint did not answer: {error}.") from error
        if answer.status != HTTPStatus.OK:
            raise Refused(
                "HttpEndpoint.DestinationException",
                f"The following response was received from the endpoint destination. {answer.status}: "
                f"{answer.text[:MESSAGE_CHARACTERS_MAX]}",
                final=answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        if fault := _fault(answer, request_id):
            raise Refused(
                "HttpEndpoint.InvalidResponseFromDestination",
                f"The response received from the specified endpoint is invalid: {fault}.",
            )


class _Taken(msgspec.Struct):
    """The answer to a request that was taken. The documentation has timestamps as numbers, once as text."""

    request_id: str = msgspec.field(name="requestId")
    timestamp: int | str


def _fault(answer: Answer, request_id: str) -> str | None:
    """What is wrong with an answer of status 200, if anything is."""
    content_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        return f"its content type is {content_type or 'not given'}, not application/json"
    if "Content-Encoding" in answer.headers:
        return "its body is encoded"
    try:
        taken = msgspec.json.decode(answer.body, type=_Taken)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"its body is not as specified ({error})"
    return None if taken.request_id == request_id else "its requestId is not the request's"


def _headers(configuration: HttpEndpoint, surroundings: Surroundings) -> dict[str, bytes]:
    headers = {
        "X-Amz-Firehose-Protocol-Version": b"1.0",
        "X-Amz-Firehose-Source-Arn": surroundings.stream_arn.encode(),
        "Content-Type": b"application/json",
    }
    if configuration.access_key:
        headers["X-Amz-Firehose-Access-Key"] = configuration.access_key.encode()
    if configuration.request.common_attributes:
        attributes = {attribute.name: attribute.value for attribute in configuration.request.common_attributes}
        headers["X-Amz-Firehose-Common-Attributes"] = json.dumps({"commonAttributes": attributes}).encode()
    if configuration.request.content_encoding == "GZIP":
        headers["Content-Encoding"] = b"gzip"
    return headers
