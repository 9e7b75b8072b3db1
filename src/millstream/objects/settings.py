"""Where objects are kept, as the server's owner says it."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.base.errors import MillstreamError

LOCAL = "local"
S3 = "s3://"


class StoreSettingsInvalid(MillstreamError):
    """Settings that name no object store; the text says what is allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreSettings:
    """Where objects are kept.

    With `object_store` "s3://", buckets are those of the S3-compatible service at `s3_endpoint` (None: AWS). Without
    keys here, credentials come from where AWS's tools look: environment variables, files, the machine's role.
    """

    object_store: str = LOCAL
    s3_endpoint: str | None = None
    s3_region: str = "us-east-1"
    s3_path_style: bool = True  # http://host/bucket/key; False: http://bucket.host/key
    s3_access_key_id: str | None = None
    s3_secret_access_key: str | None = None
    s3_timeout_s: float = 60.0  # of one request, a part of at most 5 MiB included
