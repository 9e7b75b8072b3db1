"""The connector `elasticsearch`: events into Elasticsearch or OpenSearch, a document each, an index a day."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Sequence
from urllib.parse import unquote, urlsplit

import aiohttp

from millstream.client.errors import ClientError
from millstream.client.target import Api, Target, credentials_of, find_target
from millstream.connect.subscription import bulk
from millstream.connect.subscription.connector import ConnectorError, Settings
from millstream.connect.subscription.documents import Document, full_document, plain_document
from millstream.connect.subscription.messages import LogEvent
from millstream.wire.sigv4 import sign

log = logging.getLogger("millstream.connect")

_TIMEOUT = aiohttp.ClientTimeout(total=120.0, sock_connect=5.0)
_PASSING = frozenset({408, 429})
_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)


class Cluster:
    """A cluster that takes bulk requests at `url`, with basic authentication or signed as `signer` says."""

    def __init__(self, url: str, index: str, auth: aiohttp.BasicAuth | None, signer: Target | None) -> None:
        self._url = url
        self._index = index
        self._auth = auth
        self._signer = signer
        self._session: aiohttp.ClientSession | None = None

    async def write(self, events: Sequence[LogEvent]) -> None:
        """Returns once every event is indexed.

        An event whose fields do not fit the index's mapping is indexed without them; one that is refused even so is
        logged and left out: no other event waits for it.
        """
        refused = await self._index_all(events, full_document)
        if refused:
            for event in await self._index_all(refused, plain_document):
                log.error("event %s of %s is left out: the index refuses it", event.id, event.log_group)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _index_all(
        self, events: Sequence[LogEvent], make_document: Callable[[LogEvent], Document]
    ) -> list[LogEvent]:
        """Index events; returns those that the index refuses. Raises ConnectorError."""
        refused: list[LogEvent] = []
        for request in bulk.requests(events, self._index, make_document):
            waiting = request
            for pause_s in (*_PAUSES_S, None):
                verdict = bulk.verdict(await self._post(waiting.body), waiting.events)
                if verdict.refused:
                    log.warning("%d events do not fit the index: %s", len(verdict.refused), verdict.problem)
                refused += verdict.refused
                if not verdict.waiting:
                    break
                if pause_s is None:
                    raise ConnectorError(f"the cluster does not keep up: {verdict.problem}", is_passing=True)
                (waiting,) = bulk.requests(verdict.waiting, self._index, make_document)
                await asyncio.sleep(pause_s)
        return refused

    async def _post(self, body: bytes) -> bytes:
        headers = {"content-type": "application/x-ndjson"}
        if self._signer is not None:
            headers = await _signed(self._signer, f"{urlsplit(self._url).path}/_bulk", headers, body)
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True)
        try:
            url = f"{self._url}/_bulk"
            async with self._session.post(url, data=body, headers=headers, auth=self._auth) as reply:
                answer = await reply.read()
                status = reply.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ConnectorError(f"{self._url}: {error or type(error).__name__}", is_passing=True) from error
        if status != 200:
            text = answer[:300].decode("utf-8", "replace")
            message = f"{self._url} answered HTTP {status}: {text}"
            raise ConnectorError(message, is_passing=status >= 500 or status in _PASSING)
        return answer


async def _signed(signer: Target, path: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
    try:
        credentials = await credentials_of(signer)
    except ClientError as error:
        raise ConnectorError(str(error)) from error
    return sign(
        credentials,
        service="es",
        region=signer.region,
        host=signer.host,
        headers=headers,
        body=body,
        now=dt.datetime.now(dt.UTC),
        path=path,
    )


def make(settings: Settings) -> Cluster:
    """The connector. Settings: url, index (cwl-yyyy.MM.dd), sign (yes: as Amazon OpenSearch Service wants it)."""
    given = settings.take("url")
    index = settings.take("index", "cwl-yyyy.MM.dd")
    signs = settings.take("sign", "no")
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConnectorError("url: it should look like http://127.0.0.1:9200")
    host = parts.netloc.rpartition("@")[2]
    url = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
    auth = None
    if parts.username is not None:
        auth = aiohttp.BasicAuth(unquote(parts.username), unquote(parts.password or ""), encoding="utf-8")
    if signs not in ("yes", "no"):
        raise ConnectorError(f"sign={signs}: it should be yes or no")
    try:
        signer = find_target(Api("es", ""), endpoint=url) if signs == "yes" else None
    except ClientError as error:
        raise ConnectorError(str(error)) from error
    return Cluster(url, index, auth, signer)
