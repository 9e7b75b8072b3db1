"""Calls of AWS's JSON protocols: signed, over connections that stay open. Retries are the callers'."""

from __future__ import annotations

import datetime as dt
import io
import logging
import ssl
import time
from types import TracebackType
from typing import Any

import aiohttp
import msgspec

from millstream.client.errors import CallError, ConfigurationError, Unreachable
from millstream.client.target import Api, Target, credentials_of, is_loopback
from millstream.wire.sigv4 import Credentials, sign

log = logging.getLogger("millstream.client")

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=60.0)
_PIECE_BYTES_MAX = 1 << 20
_CREDENTIALS_S = 60.0  # credentials are looked at again this often: they may expire


class Connection:
    """Connections to one service; may be used by any number of tasks at once. Close it, or use it in `async with`."""

    def __init__(self, api: Api, target: Target, *, connections_max: int = 64) -> None:
        self.api = api
        self.target = target
        self._connections_max = connections_max
        self._session: aiohttp.ClientSession | None = None
        self._credentials: Credentials | None = None
        self._credentials_s = float("-inf")
        self._skew = dt.timedelta()
        self._date: str | None = None

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; what is under way fails."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def served_ms(self) -> int:
        """When the service last answered, by its clock, which tells whole seconds; else a minute ago by ours."""
        there = _parsed_date(self._date)
        return time.time_ns() // 1_000_000 - 60_000 if there is None else round(there.timestamp() * 1000)

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """The operation's output, with blobs in base64; `params` may have them as bytes, and None for absent members.

        Raises CallError, Unreachable, ConfigurationError.
        """
        body = msgspec.json.encode({name: value for name, value in params.items() if value is not None})
        reply = await self.call_encoded(operation, body)
        try:
            return msgspec.json.decode(reply, type=dict[str, Any]) if reply else {}
        except msgspec.DecodeError as error:
            raise Unreachable(f"{operation}: {self.target.endpoint} answered with broken JSON: {error}") from error

    async def call_encoded(self, operation: str, body: bytes) -> bytes:
        """The reply's body to a request whose body is made already. Raises as `call`."""
        status, reply, headers = await self._post(operation, body)
        if status == 200:
            return reply
        error = _call_error(operation, self.target.endpoint, status, reply)
        if error.code in ("InvalidSignatureException", "RequestTimeTooSkewed", "SignatureDoesNotMatch"):
            self._note_skew(headers.get("date"))
        if error.is_passing or status in (400, 401, 403):
            self._credentials_s = float("-inf")  # they may have been renewed
        raise error

    async def _post(self, operation: str, body: bytes) -> tuple[int, bytes, Any]:
        headers = {
            "content-type": f"application/x-amz-json-{self.api.json_version}",
            "x-amz-target": f"{self.api.target_prefix}.{operation}",
        }
        target = self.target
        signed = sign(
            await self._current_credentials(),
            service=self.api.name,
            region=target.region,
            host=target.host,
            headers=headers,
            body=body,
            now=dt.datetime.now(dt.UTC) + self._skew,
        )
        try:
            async with self._open().post(f"{target.endpoint}/", data=_sendable(body), headers=signed) as reply:
                content = await reply.content.read(-1)
                self._date = reply.headers.get("date")
                return reply.status, content, reply.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{operation}: {_why_unreachable(target.endpoint, error)}") from error

    async def _current_credentials(self) -> Credentials:
        now_s = time.monotonic()
        if self._credentials is None or now_s - self._credentials_s > _CREDENTIALS_S:
            try:
                self._credentials = await credentials_of(self.target)
            except ConfigurationError as error:
                if self._credentials is None:
                    raise
                raise Unreachable(f"the credentials could not be renewed: {error}") from error
            self._credentials_s = now_s
        return self._credentials

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            endpoint = self.target.endpoint
            connector = aiohttp.TCPConnector(limit=self._connections_max, ssl=_trust(self.target))
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=_TIMEOUT,
                trust_env=not is_loopback(endpoint),
                read_bufsize=1 << 20,
                auto_decompress=True,
            )
        return self._session

    def _note_skew(self, date: str | None) -> None:
        """Sign with the service's time from now on, if this machine's clock is wrong."""
        there = _parsed_date(date)
        if there is None:
            return
        skew = there - dt.datetime.now(dt.UTC)
        if abs(skew) > dt.timedelta(minutes=4):
            log.warning("this machine's clock and that of %s differ by %s", self.target.endpoint, skew)
            self._skew = skew


def _parsed_date(date: str | None) -> dt.datetime | None:
    """The time in a Date header."""
    try:
        return dt.datetime.strptime(date or "", "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def _sendable(body: bytes) -> bytes | io.BytesIO:
    """aiohttp warns of large bodies in one piece: they would be copied to the socket in one go."""
    return body if len(body) <= _PIECE_BYTES_MAX else io.BytesIO(body)


def _trust(target: Target) -> ssl.SSLContext | bool:
    if not target.endpoint.startswith("https") or target.ca_bundle is None:
        return True
    try:
        return ssl.create_default_context(cafile=target.ca_bundle)
    except OSError as error:
        raise ConfigurationError(f"AWS_CA_BUNDLE {target.ca_bundle} cannot be used: {error}") from error


def _call_error(operation: str, endpoint: str, status: int, reply: bytes) -> CallError:
    try:
        document = msgspec.json.decode(reply, type=dict[str, Any])
        code, message = str(document["__type"]), str(document.get("message") or document.get("Message") or "")
    except (msgspec.MsgspecError, KeyError):
        return CallError(operation, f"HTTP {status}", f"{endpoint} did not answer as a Kinesis endpoint does", status)
    return CallError(operation, code.rpartition("#")[2].partition(":")[0], message, status)


def _why_unreachable(endpoint: str, error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return f"the certificate of {endpoint} is not trusted: set AWS_CA_BUNDLE to the one that `millstream up` names"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no server at {endpoint}: start one with `millstream up`, or name another endpoint"
    return f"{endpoint} does not answer: {error or type(error).__name__}"
