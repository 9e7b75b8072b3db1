"""Elasticsearch, OpenSearch and OpenSearch Serverless as destinations.

Documents are indexed by bulk requests; those that fail are tried again, alone, for the retry duration, and are error
output after that. Collections of OpenSearch Serverless are served as far as they take requests without a signature
(behind a proxy that signs).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from millstream.base.units import MIB
from millstream.firehose.configuration import Search
from millstream.firehose.destinations.batches import parcels_max, stepwise
from millstream.firehose.destinations.bulk import (
    QUERY,
    Document,
    Slice,
    Target,
    Unfit,
    Verdict,
    request_body,
    slices,
    verdicts,
)
from millstream.firehose.destinations.exchange import Exchange, Fault, NoAnswer, Patience
from millstream.firehose.destinations.ledger import MESSAGE_CHARACTERS_MAX, Failure, Ledger
from millstream.firehose.destinations.rotation import index_name
from millstream.firehose.ports import DeliveryError, Parcel, Report, Surroundings

ANSWER_S_MAX = 60.0
_ANSWER_BYTES_MAX = 64 * MIB
_HEADERS = {"Content-Type": b"application/x-ndjson"}
_CODES = {
    HTTPStatus.UNAUTHORIZED: "AccessDenied",
    HTTPStatus.FORBIDDEN: "AccessDenied",
    HTTPStatus.NOT_FOUND: "ResourceNotFound",
}


class _Delivery(NamedTuple):
    """One parcel on its way."""

    url: str
    target: Target
    ledger: Ledger
    patience: Patience


class SearchDestination:
    """A cluster as the destination; user and password may stand in its URL.

    `plan` names the index, by the arrival of the parcel's oldest record, so that a parcel delivered again, also after
    the index was renamed, goes where a part of it may be. Ids are made of the parcel's id and the record's ordinal.
    """

    def __init__(
        self,
        configuration: Search,
        surroundings: Surroundings,
        *,
        error_kind: str = "AmazonOpenSearchService-failed",
        answer_s_max: float = ANSWER_S_MAX,
    ) -> None:
        self._configuration = configuration
        self._surroundings = surroundings
        self._error_kind = error_kind
        self._serverless = configuration.collection_endpoint is not None
        self._service = "AOSS" if self._serverless else "ES" if error_kind.startswith("elasticsearch") else "OS"
        self._exchange = Exchange(timeout_s=answer_s_max, answer_bytes_max=_ANSWER_BYTES_MAX)
        self.parcels_max = parcels_max(configuration.buffering.size_bytes)

    def plan(self, parcel: Parcel) -> str:
        """The name of the parcel's index."""
        return index_name(self._configuration.index, self._configuration.rotation, parcel.first_arrival_ms)

    async def deliver(self, parcel: Parcel) -> Report:
        """Index the parcel's records. Raises DeliveryError if only an ARN tells where the cluster is."""
        with_ids = self._configuration.document_id.format == "FIREHOSE_DEFAULT"
        delivery = _Delivery(
            url=f"{self._endpoint()}/{QUERY}",
            target=Target(parcel.key, self._configuration.type_name, parcel.parcel_id if with_ids else None),
            ledger=Ledger(self._error_kind, parcel.first_arrival_ms, self._surroundings.scratch),
            patience=Patience(self._surroundings, self._configuration.retry.duration_s),
        )
        async for piece in stepwise(self._surroundings.threads, slices(parcel)):
            self._refuse(delivery, piece)
            if piece.documents:
                await self._send(delivery, piece.documents)
        return delivery.ledger.report()

    async def close(self) -> None:
        """Close connections."""
        await self._exchange.close()

    def _endpoint(self) -> str:
        configuration = self._configuration
        url = configuration.cluster_endpoint or configuration.collection_endpoint
        if not url:
            raise DeliveryError(
                f"{self._service}.ResourceNotFound",
                f"No endpoint is known for the domain {configuration.domain_arn}: give the delivery stream the "
                "ClusterEndpoint instead of the DomainARN, by UpdateDestination.",
            )
        return (url if "://" in url else f"https://{url}").rstrip("/")

    def _refuse(self, delivery: _Delivery, piece: Slice) -> None:
        for unfit in piece.unfit:
            self._give_up(delivery, unfit, Verdict(False, True, str(HTTPStatus.BAD_REQUEST.value), unfit.reason), 0)
        if piece.unfit:
            self._surroundings.errors.report(f"{self._service}.MalformedDocument", piece.unfit[0].reason)

    async def _send(self, delivery: _Delivery, documents: list[Document]) -> None:
        """Index documents, or give them up. A request that is too large for the cluster is halved."""
        failed = [(document, Verdict(False, False, "", "")) for document in documents]
        attempt = 0
        async for attempt in delivery.patience.attempts():
            waiting = [document for document, _ in failed]
            said = await self._bulk(delivery, waiting)
            if len(waiting) > 1 and all(_too_large(verdict) for verdict in said):
                await self._send(delivery, waiting[: len(waiting) // 2])
                return await self._send(delivery, waiting[len(waiting) // 2 :])
            failed = self._settle(delivery, waiting, said, attempt)
            if len(failed) < len(waiting):
                delivery.patience.succeeded()
            if not failed:
                return None
            delivery.patience.failed()
        for document, verdict in failed:
            self._give_up(delivery, document, verdict, attempt)
        return None

    async def _bulk(self, delivery: _Delivery, documents: list[Document]) -> list[Verdict]:
        """One request, and what became of each document: the same for all of them if the whole request failed."""
        body = request_body(documents, delivery.target)
        try:
            answer = await self._exchange.post(delivery.url, body, _HEADERS)
            if answer.status == HTTPStatus.OK:
                return verdicts(answer.body, len(documents))
            failure = Verdict(False, False, str(answer.status), answer.text[:MESSAGE_CHARACTERS_MAX])
        except NoAnswer as error:
            code = "RequestTimeout" if error.fault is Fault.TIMEOUT else "ConnectionFailed"
            failure = Verdict(False, False, code, f"The cluster did not answer: {error}.")
        except ValueError as error:
            failure = Verdict(False, False, "InvalidResponse", str(error))
        return [failure] * len(documents)

    def _settle(
        self, delivery: _Delivery, documents: list[Document], said: list[Verdict], attempt: int
    ) -> list[tuple[Document, Verdict]]:
        """Count what is delivered, give up what is hopeless, and return what is worth another attempt."""
        failed: list[tuple[Document, Verdict]] = []
        worst: Verdict | None = None
        for document, verdict in zip(documents, said, strict=True):
            if verdict.delivered:
                delivery.ledger.delivered(1, len(document.data))
                continue
            worst = verdict
            if verdict.final or _too_large(verdict):
                self._give_up(delivery, document, verdict, attempt)
            else:
                failed.append((document, verdict))
        if worst is not None:
            self._tell(worst)
        return failed

    def _tell(self, verdict: Verdict) -> None:
        status = int(verdict.code) if verdict.code.isdecimal() else None
        code = _CODES.get(HTTPStatus(status), "ServiceException") if status in set(HTTPStatus) else verdict.code
        self._surroundings.errors.report(f"{self._service}.{code}", verdict.message or f"HTTP status {verdict.code}")

    def _give_up(self, delivery: _Delivery, document: Document | Unfit, verdict: Verdict, attempts_made: int) -> None:
        failure = Failure(verdict.code, verdict.message, attempts_made, self._surroundings.clock.now_ms())
        target = delivery.target
        document_id = target.document_id(document)
        if self._serverless:
            names = {"osDocumentId": document_id, "osIndexName": target.index_name}
        else:
            names = {
                "esDocumentId": document_id,
                "esIndexName": target.index_name,
                "esTypeName": target.type_name or "",
            }
        delivery.ledger.failed(document.data, failure, **names)


def _too_large(verdict: Verdict) -> bool:
    return verdict.code == str(HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value)
