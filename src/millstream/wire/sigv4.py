"""AWS Signature Version 4: the signature of a request whose body is at hand.

    canonical request = method \\n path \\n query \\n headers \\n signed header names \\n SHA-256 of the body
    string to sign    = AWS4-HMAC-SHA256 \\n time \\n date/region/service/aws4_request \\n SHA-256 of the above
    signing key       = HMAC of date, region, service, "aws4_request" in turn, from "AWS4" + secret

Source: AWS General Reference, "Signature Version 4 signing process".
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from functools import lru_cache
from typing import NamedTuple

ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """Who signs; `token` goes with credentials that expire."""

    access_key_id: str
    secret_access_key: str
    token: str | None = None


def sign(
    credentials: Credentials,
    *,
    service: str,
    region: str,
    host: str,
    headers: dict[str, str],
    body: bytes,
    now: dt.datetime,
    path: str = "/",
) -> dict[str, str]:
    """`headers` (names in lower case) of a POST to `path` with those that sign it: x-amz-date, authorization, …

    `host` is as the Host header has it: with the port, unless it is the scheme's own. `now` is in UTC. `path` has
    nothing in it that a URL would escape, and no query.
    """
    time = now.strftime("%Y%m%dT%H%M%SZ")
    signed = {**headers, "host": host, "x-amz-date": time}
    if credentials.token is not None:
        signed["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(signed))
    listed = "".join(f"{name}:{' '.join(signed[name].split())}\n" for name in sorted(signed))
    canonical = f"POST\n{path}\n\n{listed}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{time[:8]}/{region}/{service}/aws4_request"
    text = f"{ALGORITHM}\n{time}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = signing_key(credentials.secret_access_key, time[:8], region, service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    signed["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return signed


@lru_cache(maxsize=64)
def signing_key(secret_access_key: str, date: str, region: str, service: str) -> bytes:
    """The key that signs all requests of one day (YYYYMMDD) to one service of one region."""
    key = f"AWS4{secret_access_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
