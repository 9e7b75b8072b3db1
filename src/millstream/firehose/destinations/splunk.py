"""Splunk's HTTP event collector (HEC) as the destination, with indexer acknowledgement.

    POST /services/collector/raw  ─► {"text":"Success","code":0,"ackId":7}
    POST /services/collector/ack {"acks":[7]}  ─► {"acks":{"7":false}}, and later {"acks":{"7":true}}

Records are delivered once they are acknowledged. Source: Splunk's "HTTP Event Collector REST API endpoints" and
"About HTTP Event Collector Indexer Acknowledgment"; Firehose developer guide, "Handle data delivery failures".
"""

from __future__ import annotations

import asyncio
import uuid
from http import HTTPStatus

import msgspec

from millstream.base.units import MIB
from millstream.firehose.configuration import Splunk
from millstream.firehose.destinations.batches import Batch, batches, stepwise
from millstream.firehose.destinations.exchange import Answer, Exchange, Fault, NoAnswer, Patience, Refused
from millstream.firehose.destinations.ledger import MESSAGE_CHARACTERS_MAX, Ledger
from millstream.firehose.ports import Parcel, Report, Surroundings

ANSWER_S_MAX = 60.0
_ANSWER_BYTES_MAX = MIB
_REQUEST_BYTES_MAX = 5 * MIB
_RECORDS_MAX = 100_000
_POLL_S = 1.0
_POLL_S_MAX = 10.0

_MESSAGES = {
    "Splunk.AckTimeout": "Did not receive an acknowledgement from HEC before the HEC acknowledgement timeout expired. "
    "Despite the acknowledgement timeout, it's possible the data was indexed successfully in Splunk.",
    "Splunk.ConnectionClosed": "Unable to send data to Splunk due to a connection failure.",
    "Splunk.ConnectionTimeout": "The connection to Splunk timed out.",
    "Splunk.DisabledAck": "Indexer acknowledgement is disabled for the HEC token. Enable it and try again.",
    "Splunk.DisabledToken": "The HEC token is disabled. Enable the token to allow data delivery to Splunk.",
    "Splunk.IndexerBusy": "The indexers are too busy to take data.",
    "Splunk.InvalidDataFormat": "The data is not formatted correctly for the HEC endpoint of the configured type.",
    "Splunk.InvalidEndpoint": "Could not connect to the HEC endpoint. Make sure that its URL is valid and reachable.",
    "Splunk.InvalidIndex": "The HEC token or input is configured with an invalid index.",
    "Splunk.InvalidToken": "The HEC token is invalid. Update the delivery stream with a valid HEC token.",
    "Splunk.ProxyWithoutStickySessions": "HEC does not know the channel. A proxy in front of HEC nodes must have "
    "sticky sessions to support acknowledgement.",
    "Splunk.SSLHandshake": "Could not connect to the HEC endpoint. Make sure that the certificate and the host are "
    "valid.",
    "Splunk.SSLUnverified": "Could not connect to the HEC endpoint. Its certificate is not trusted, or is not the "
    "host's.",
    "Splunk.ServerError": "Data delivery to Splunk failed due to a server error from the HEC node.",
}

_BY_FAULT = {
    Fault.UNREACHABLE: "Splunk.InvalidEndpoint",
    Fault.CERTIFICATE: "Splunk.SSLUnverified",
    Fault.HANDSHAKE: "Splunk.SSLHandshake",
    Fault.TIMEOUT: "Splunk.ConnectionTimeout",
    Fault.BROKEN: "Splunk.ConnectionClosed",
    Fault.OVERLONG: "Splunk.ServerError",
}

_BY_HEC_CODE = {
    1: "Splunk.DisabledToken",
    2: "Splunk.InvalidToken",
    3: "Splunk.InvalidToken",
    4: "Splunk.InvalidToken",
    5: "Splunk.InvalidDataFormat",
    6: "Splunk.InvalidDataFormat",
    7: "Splunk.InvalidIndex",
    9: "Splunk.IndexerBusy",
    10: "Splunk.ProxyWithoutStickySessions",
    11: "Splunk.ProxyWithoutStickySessions",
    12: "Splunk.InvalidDataFormat",
    13: "Splunk.InvalidDataFormat",
    14: "Splunk.DisabledAck",
    15: "Splunk.InvalidDataFormat",
    26: "Splunk.IndexerBusy",
    27: "Splunk.IndexerBusy",
}
"""HEC's codes, from its "Possible error codes"; all others are Splunk.ServerError."""


class SplunkDestination:
    """A HEC node, or a proxy with sticky sessions (cookies are kept) in front of several.

    Records are sent one after the other with nothing between them. Any failure is tried again while the retry
    duration lasts, which is counted from the first failure and without the time that Splunk takes to answer and
    acknowledge. What is sent again after a lost acknowledgement is twice in Splunk: it has no ids.
    """

    parcels_max = 4

    def __init__(
        self, configuration: Splunk, surroundings: Surroundings, *, answer_s_max: float = ANSWER_S_MAX
    ) -> None:
        self._configuration = configuration
        self._surroundings = surroundings
        self._exchange = Exchange(timeout_s=answer_s_max, answer_bytes_max=_ANSWER_BYTES_MAX)
        channel = str(uuid.uuid5(uuid.NAMESPACE_URL, surroundings.stream_arn))
        base = configuration.endpoint.rstrip("/") + "/services/collector"
        self._collector_url = f"{base}/{configuration.endpoint_type.lower()}?channel={channel}"
        self._ack_url = f"{base}/ack?channel={channel}"
        self._headers = {
            "Authorization": b"Splunk " + configuration.token.encode(),
            "X-Splunk-Request-Channel": channel.encode(),
        }

    def plan(self, parcel: Parcel) -> str:  # noqa: ARG002 - there are no keys in Splunk
        """Nothing: events have no keys."""
        return ""

    async def deliver(self, parcel: Parcel) -> Report:
        """Send the parcel's records, and wait until they are acknowledged."""
        ledger = Ledger("splunk-failed", parcel.first_arrival_ms, self._surroundings.scratch)
        patience = Patience(self._surroundings, self._configuration.retry.duration_s)
        cut = batches(parcel, bytes_max=_REQUEST_BYTES_MAX, count_max=_RECORDS_MAX)
        async for batch in stepwise(self._surroundings.threads, cut):
            await self._send(batch, parcel.parcel_id, ledger, patience)
        return ledger.report()

    async def close(self) -> None:
        """Close connections."""
        await self._exchange.close()

    async def _send(self, batch: Batch, parcel_id: str, ledger: Ledger, patience: Patience) -> None:
        """Have a batch acknowledged, or give it up."""
        failure = await patience.persist(lambda: self._index(b"".join(batch.records)))
        if failure is None:
            return ledger.delivered(len(batch.records), batch.size_bytes)
        for ordinal, data in enumerate(batch.records, batch.first_ordinal):
            ledger.failed(data, failure, EventId=f"{parcel_id}.{ordinal}")
        return None

    async def _index(self, body: bytes) -> None:
        """Send events once, and wait for their acknowledgement. Raises Refused."""
        if not body:
            return  # HEC refuses a request without data
        ack_id = await self._collect(body)
        clock = self._surroundings.clock
        deadline_s = clock.monotonic() + self._configuration.acknowledgment_timeout_s
        pause_s = _POLL_S
        while not await self._acknowledged(ack_id, max(_POLL_S, deadline_s - clock.monotonic())):
            left_s = deadline_s - clock.monotonic()
            if left_s <= 0:
                raise _refused("Splunk.AckTimeout")
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(_POLL_S_MAX, pause_s * 2)

    async def _collect(self, body: bytes) -> int:
        """Send events; the id by which their acknowledgement can be asked for."""
        try:
            answer = await self._exchange.post(self._collector_url, body, self._headers)
        except NoAnswer as error:
            raise _refused(_BY_FAULT[error.fault], f"({error})") from error
        said = _said(answer)
        if said.ack_id is None:
            raise _refused("Splunk.DisabledAck")
        return said.ack_id

    async def _acknowledged(self, ack_id: int, timeout_s: float) -> bool:
        """Ask once. A question that is not answered is no failure yet: the acknowledgement may still be had."""
        body = msgspec.json.encode({"acks": [ack_id]})
        headers = self._headers | {"Content-Type": b"application/json"}
        try:
            answer = await self._exchange.post(self._ack_url, body, headers, timeout_s=timeout_s)
        except NoAnswer:
            return False
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return False
        return _said(answer).acks.get(str(ack_id), False)


class _Said(msgspec.Struct):
    """HEC's answers, to events and to questions for acknowledgements. An id that HEC does not know may be left out."""

    code: int = 0
    ack_id: int | None = msgspec.field(name="ackId", default=None)
    acks: dict[str, bool] = {}


def _said(answer: Answer) -> _Said:
    """What HEC says. Raises Refused if that is not success."""
    text = answer.text[:MESSAGE_CHARACTERS_MAX]
    try:
        said = msgspec.json.decode(answer.body, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        code = "Splunk.IndexerBusy" if answer.status == HTTPStatus.SERVICE_UNAVAILABLE else "Splunk.ServerError"
        raise _refused(code, f"(HTTP status {answer.status}: {text})") from error
    if answer.status != HTTPStatus.OK or said.code != 0:
        raise _refused(_BY_HEC_CODE.get(said.code, "Splunk.ServerError"), f"(HTTP status {answer.status}: {text})")
    return said


def _refused(code: str, detail: str = "") -> Refused:
    return Refused(code, f"{_MESSAGES[code]} {detail}".rstrip())
