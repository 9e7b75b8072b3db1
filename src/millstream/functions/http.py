"""Calling Lambda functions over HTTP, by Lambda's Invoke operation, at any endpoint that has it."""

from __future__ import annotations

import asyncio
from urllib.parse import quote, urlencode

import httpx

from millstream.base.units import MIB
from millstream.functions.port import FunctionError

REPLY_BYTES_MAX = 6 * MIB
"""Lambda's limit of a synchronous invocation, either way."""

_CONNECT_TIMEOUT_S = 10.0
_EXPLANATION_BYTES = 2048
_TIMED_OUT = b"Task timed out"

# Delivery streams bound their own calls: no limit here, or functions that hang would keep others from being called.
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)

_HEADERS = {
    "Content-Type": "application/json",
    "Accept-Encoding": "identity",
    "X-Amz-Invocation-Type": "RequestResponse",
    "X-Amz-Log-Type": "None",
}

_STATUS_CODES = {
    401: (
        "Lambda.InvokeAccessDenied",
        "Access was denied. Ensure that the access policy allows access to the function.",
    ),
    403: (
        "Lambda.InvokeAccessDenied",
        "Access was denied. Ensure that the access policy allows access to the function.",
    ),
    404: ("Lambda.ResourceNotFound", "The specified Lambda function does not exist. Use a function that does exist."),
    413: ("Lambda.RequestTooLarge", "The invocation is too large for the function's endpoint. Lower BufferSizeInMBs."),
    429: ("Lambda.InvokeLimitExceeded", "The Lambda concurrent execution limit is exceeded. Increase it."),
}

FUNCTION_ERROR = "The Lambda function was successfully invoked but it returned an error result."
FUNCTION_TIMED_OUT = "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function."


class HttpFunctions:
    """`Functions` at a Lambda endpoint, such as http://localhost:3001; without one every call says how to set it."""

    def __init__(self, endpoint: str | None) -> None:
        self._endpoint = endpoint.rstrip("/") if endpoint else None
        self._client: httpx.AsyncClient | None = None

    async def invoke(self, arn: str, payload: bytes, timeout_s: float) -> bytes:
        """See Functions.invoke. The codes are those of "AWS Lambda invocation errors" in the Firehose guide."""
        if self._endpoint is None:
            raise FunctionError(
                "Lambda.ResourceNotFound",
                f"{arn} cannot be called: set lambda_endpoint to the URL of a Lambda endpoint",
            )
        try:
            async with asyncio.timeout(timeout_s):
                return await self._post(_path(self._endpoint, arn), payload)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise FunctionError("Lambda.FunctionTimedOut", FUNCTION_TIMED_OUT) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"The Lambda endpoint {self._endpoint} did not answer: {error or type(error).__name__}"
            raise FunctionError("Lambda.ConnectionError", message) from error

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _post(self, url: str, payload: bytes) -> bytes:
        if self._client is None:
            timeout = httpx.Timeout(None, connect=_CONNECT_TIMEOUT_S)
            self._client = httpx.AsyncClient(timeout=timeout, limits=_LIMITS, trust_env=False, headers=_HEADERS)
        async with self._client.stream("POST", url, content=payload) as response:
            body = await _read(response)
        if response.status_code != httpx.codes.OK:
            raise _refusal(response.status_code, body)
        if "X-Amz-Function-Error" in response.headers:
            if _TIMED_OUT in body:
                raise FunctionError("Lambda.FunctionTimedOut", FUNCTION_TIMED_OUT)
            raise FunctionError("Lambda.FunctionError", f"{FUNCTION_ERROR} {_explanation(body)}".rstrip())
        return body


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > REPLY_BYTES_MAX:
            message = f"The function answered more than {REPLY_BYTES_MAX} bytes. Lower BufferSizeInMBs."
            raise FunctionError("Lambda.ResponseTooLarge", message)
    return bytes(body)


def _refusal(status: int, body: bytes) -> FunctionError:
    known = _STATUS_CODES.get(status)
    if known is not None:
        return FunctionError(*known)
    code = "Lambda.ServiceException" if status >= httpx.codes.INTERNAL_SERVER_ERROR else "Lambda.InvocationError"
    return FunctionError(code, f"The Lambda endpoint answered with status {status}: {_explanation(body)}")


def _explanation(body: bytes) -> str:
    return body[:_EXPLANATION_BYTES].decode("utf-8", "replace")


def _path(endpoint: str, arn: str) -> str:
    """The URL of a function. By its name: not every endpoint understands ARNs."""
    parts = arn.split(":")
    name, qualifier = arn, ""
    if arn.startswith("arn:") and len(parts) >= 7:
        name, qualifier = parts[6], ":".join(parts[7:])
    query = "?" + urlencode({"Qualifier": qualifier}) if qualifier else ""
    return f"{endpoint}/2015-03-31/functions/{quote(name, safe='')}/invocations{query}"
