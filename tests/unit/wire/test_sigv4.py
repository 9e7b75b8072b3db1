"""Our signatures beside those of botocore, for the same request."""

from __future__ import annotations

import datetime as dt
from typing import Any
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SdkCredentials
from hypothesis import given
from hypothesis import strategies as st

from millstream.wire.sigv4 import Credentials, sign, signing_key

NOW = dt.datetime(2026, 11, 23, 4, 5, 6, tzinfo=dt.UTC)
BODIES = st.binary(max_size=300)
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


class FixedTime(dt.datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return NOW

    @classmethod
    def utcnow(cls) -> Any:
        return NOW.replace(tzinfo=None)


def by_botocore(
    credentials: Credentials,
    service: str,
    region: str,
    endpoint: str,
    headers: dict[str, str],
    body: bytes,
    path: str = "/",
) -> str:
    """The Authorization header that botocore makes."""
    request = AWSRequest("POST", f"{endpoint}{path}", headers=headers, data=body)
    signer = SigV4Auth(SdkCredentials(*credentials), service, region)
    with (
        patch("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: NOW.replace(tzinfo=None)),
        patch("botocore.auth.datetime", FixedTime, create=True),
    ):
        signer.add_auth(request)
    authorization: str = request.headers["Authorization"]
    return authorization


@given(BODIES, SECRETS, VALUES, st.sampled_from([None, "token=="]))
def test_signatures_are_botocores(body: bytes, secret: str, value: str, token: str | None) -> None:
    credentials = Credentials("AKIDEXAMPLE", secret, token)
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"Kinesis_20131202.{value.strip()}"}
    signed = sign(
        credentials, service="kinesis", region="eu-west-1", host="localhost:4566", headers=headers, body=body, now=NOW
    )
    expected = by_botocore(credentials, "kinesis", "eu-west-1", "http://localhost:4566", headers, body)
    assert signed["authorization"] == expected
    assert signed["x-amz-date"] == "20261123T040506Z"
    assert signed.get("x-amz-security-token") == token
    assert headers.keys() <= signed.keys()


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://kinesis.us-east-1.amazonaws.com", "kinesis.us-east-1.amazonaws.com"),
        ("https://streams.example:8443", "streams.example:8443"),
    ],
)
def test_hosts(endpoint: str, host: str) -> None:
    credentials = Credentials("AKID", "secret")
    signed = sign(credentials, service="dynamodb", region="us-east-1", host=host, headers={}, body=b"{}", now=NOW)
    assert signed["authorization"] == by_botocore(credentials, "dynamodb", "us-east-1", endpoint, {}, b"{}")


def test_paths() -> None:
    credentials, host, path = Credentials("AKID", "secret"), "search.example", "/es/_bulk"
    signed = sign(credentials, service="es", region="us-east-1", host=host, headers={}, body=b"{}", now=NOW, path=path)
    expected = by_botocore(credentials, "es", "us-east-1", f"https://{host}", {}, b"{}", path)
    assert signed["authorization"] == expected


def test_the_key_of_a_day() -> None:
    """The example in AWS's General Reference."""
    key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam")
    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
