"""A small client of the public API for the commands: JSON over HTTP/1.1, with retries where a retry is safe to expect.

Requests name the account and region of the caller's AWS environment in a credential scope, as every AWS SDK does; the
signature in it is not one, so no secret key is needed.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import random
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import msgspec

from millstream.cli.errors import CommandError

DEFAULT_ENDPOINT = "http://127.0.0.1:4566"
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "MILLSTREAM_ENDPOINT")
THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "ThrottlingException",
        "KMSThrottlingException",
        "ServiceUnavailableException",
    }
)

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_BACK_OFF_S = 0.1
_BACK_OFF_S_MAX = 2.0


class Api(NamedTuple):
    """A service of the endpoint: its name in credential scopes, and what stands before an operation in X-Amz-Target."""

    name: str
    target_prefix: str


KINESIS = Api("kinesis", "Kinesis_20131202")
FIREHOSE = Api("firehose", "Firehose_20150804")
GLUE = Api("glue", "AWSGlue")
ANALYTICS = Api("kinesisanalytics", "KinesisAnalytics_20150814")
LOGS = Api("logs", "Logs_20140328")
MILLSTREAM = Api("millstream", "Millstream_20261101")


class CallError(CommandError):
    """The server refused a call; `code` is AWS's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})" if message else code)
        self.code = code

    @property
    def is_passing(self) -> bool:
        """Whether the same call may succeed a little later."""
        return self.code in THROTTLES or self.code in (
            "InternalFailure",
            "InternalFailureException",
            "ServiceUnavailable",
        )


class Unreachable(CommandError):
    """Nobody answers at the endpoint."""


class Target(NamedTuple):
    """Where calls go and in whose name."""

    endpoint: str
    access_key_id: str
    region: str | None
    ca_bundle: str | None

    @classmethod
    def find(cls, endpoint: str | None, environment: Mapping[str, str], api: Api = KINESIS) -> Target:
        """The target for `api` that options and environment name. Raises CommandError for what is no URL."""
        for variable in (f"AWS_ENDPOINT_URL_{api.name.upper()}", *ENDPOINT_VARIABLES):
            endpoint = endpoint or environment.get(variable)
        endpoint = (endpoint or DEFAULT_ENDPOINT).rstrip("/")
        try:
            url = httpx.URL(endpoint)
        except httpx.InvalidURL:
            url = httpx.URL("")
        if url.scheme not in ("http", "https") or not url.host:
            raise CommandError(f"the endpoint {endpoint!r} is no URL: it should look like {DEFAULT_ENDPOINT}")
        return cls(
            endpoint,
            environment.get("AWS_ACCESS_KEY_ID") or "test",
            environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None,
            environment.get("AWS_CA_BUNDLE") or None,
        )


class Client:
    """Calls the operations of one service at one target."""

    def __init__(self, http: httpx.AsyncClient, target: Target, api: Api = KINESIS) -> None:
        self._http = http
        self._target = target
        self._api = api

    @property
    def target(self) -> Target:
        """Where calls go and in whose name."""
        return self._target

    def of(self, api: Api) -> Client:
        """A client of another service at the same endpoint, over the same connections."""
        return Client(self._http, self._target, api)

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """The operation's output, with blobs in base64; `params` may have them as bytes, and None for absent members.

        Raises CallError and Unreachable.
        """
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"{self._api.target_prefix}.{operation}",
        }
        if self._target.region is not None:
            headers["authorization"] = _credential_scope(self._target.access_key_id, self._target.region, self._api)
        body = msgspec.json.encode({name: value for name, value in params.items() if value is not None})
        try:
            reply = await self._http.post("/", content=body, headers=headers)
        except httpx.TransportError as error:
            raise Unreachable(_why_unreachable(self._target.endpoint, error)) from error
        return _output(reply)

    async def call_patiently(self, operation: str, **params: Any) -> dict[str, Any]:
        """`call`, again and again while it is throttled."""
        attempt = 0
        while True:
            try:
                return await self.call(operation, **params)
            except CallError as error:
                if error.code not in THROTTLES:
                    raise
            await back_off(attempt)
            attempt += 1

    async def pages(self, operation: str, key: str, **params: Any) -> list[Any]:
        """The members of list `key` of all pages of an operation that pages by NextToken alone."""
        output = await self.call_patiently(operation, **params)
        members: list[Any] = output[key]
        while token := output.get("NextToken"):
            output = await self.call_patiently(operation, NextToken=token)
            members += output[key]
        return members


@asynccontextmanager
async def connect(endpoint: str | None, environment: Mapping[str, str], api: Api = KINESIS) -> AsyncIterator[Client]:
    """A client of `api` for what options and environment name."""
    target = Target.find(endpoint, environment, api)
    async with httpx.AsyncClient(
        base_url=target.endpoint,
        timeout=_TIMEOUT,
        verify=_trust(target),
        trust_env=not _is_local(target.endpoint),
    ) as http:
        yield Client(http, target, api)


async def back_off(attempt: int) -> None:
    """Sleep before another attempt: longer each time, up to a limit, and at random so that clients spread."""
    ceiling = min(_BACK_OFF_S_MAX, _BACK_OFF_S * 2 ** min(attempt, 10))
    await asyncio.sleep(random.uniform(ceiling / 2, ceiling))  # noqa: S311 - no secret


def _output(reply: httpx.Response) -> dict[str, Any]:
    if reply.status_code == httpx.codes.OK:
        return msgspec.json.decode(reply.content) if reply.content else {}
    try:
        document = msgspec.json.decode(reply.content)
        code, message = document["__type"], document.get("message") or document.get("Message") or ""
    except (ValueError, KeyError, TypeError):
        raise CommandError(f"{reply.url} answered HTTP {reply.status_code}: is that a Kinesis endpoint?") from None
    raise CallError(code.rpartition("#")[2], message)


def _credential_scope(access_key_id: str, region: str, api: Api) -> str:
    date = dt.datetime.now(dt.UTC).strftime("%Y%m%d")
    return (
        f"AWS4-HMAC-SHA256 Credential={access_key_id}/{date}/{region}/{api.name}/aws4_request, "
        f"SignedHeaders=host, Signature={'0' * 64}"
    )


def _why_unreachable(endpoint: str, error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ConnectError) and "CERTIFICATE" in str(error):
        return f"the certificate of {endpoint} is not trusted: set AWS_CA_BUNDLE to the one that `millstream up` names"
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return f"no server at {endpoint}: start one with `millstream up`, or name another with --endpoint"
    return f"{endpoint} does not answer: {error or type(error).__name__}"


def _trust(target: Target) -> ssl.SSLContext | bool:
    if not target.endpoint.startswith("https"):
        return False  # nothing to verify, and reading the machine's certificates takes a while
    if target.ca_bundle is None:
        return True
    try:
        return ssl.create_default_context(cafile=target.ca_bundle)
    except OSError as error:
        raise CommandError(f"AWS_CA_BUNDLE {target.ca_bundle} cannot be used: {error}") from error


def _is_local(endpoint: str) -> bool:
    """Whether the endpoint is on this machine, so that no proxy of the environment may come between."""
    host = httpx.URL(endpoint).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
