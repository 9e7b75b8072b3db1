"""How an S3-compatible store is reached, and as whom: the clients of both libraries, made of the same settings."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.config
import botocore.exceptions
import botocore.session
from obstore.store import S3Store

from millstream.objects.s3errors import from_botocore

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

    from millstream.objects.settings import StoreSettings

_CONNECT_TIMEOUT_S = 5.0
_CREDENTIALS_FOR = timedelta(minutes=5)  # then they are looked up again


class Access:
    """How the service is reached, and as whom."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._session = botocore.session.Session()
        self._lock = threading.Lock()
        self._client: Any = None
        self._endpoint = settings.s3_endpoint or f"https://s3.{settings.s3_region}.amazonaws.com"
        self.store = lru_cache(maxsize=256)(self._open)
        """obstore's store for (bucket, KMS key ARN or None)."""

    def client(self) -> Any:
        """botocore's client, for all buckets and threads."""
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def check_credentials(self, where: str) -> None:
        """Raise StoreError where there are none: obstore would only say that a strange host does not answer."""
        try:
            if self._session_credentials() is None:
                raise botocore.exceptions.NoCredentialsError
        except botocore.exceptions.BotoCoreError as error:
            raise from_botocore(error, where) from error

    def _make_client(self) -> Any:
        settings = self._settings
        return self._session.create_client(
            "s3",
            endpoint_url=self._endpoint,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key_id,
            aws_secret_access_key=settings.s3_secret_access_key,
            config=botocore.config.Config(
                connect_timeout=_CONNECT_TIMEOUT_S,
                read_timeout=settings.s3_timeout_s,
                retries={"total_max_attempts": 2, "mode": "standard"},
                s3={"addressing_style": "path" if settings.s3_path_style else "virtual"},
                # what other stores do not know, and AWS does not ask for
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def _open(self, bucket: str, kms_key_arn: str | None) -> S3Store:
        config: S3Config = {
            "bucket": bucket,
            "region": self._settings.s3_region,
            "aws_endpoint_url_s3": self._bucket_endpoint(bucket),
            "virtual_hosted_style_request": not self._settings.s3_path_style,
        }
        if kms_key_arn:
            config |= {"server_side_encryption": "aws:kms", "sse_kms_key_id": kms_key_arn}
        timeout = timedelta(seconds=self._settings.s3_timeout_s)
        connect_timeout = timedelta(seconds=_CONNECT_TIMEOUT_S)
        client: ClientConfig = {"allow_http": True, "timeout": timeout, "connect_timeout": connect_timeout}
        if authority := self._session.get_config_variable("ca_bundle"):  # AWS_CA_BUNDLE; botocore heeds it by itself
            client["root_certificate"] = Path(authority).read_bytes()
        retries: RetryConfig = {"max_retries": 1, "retry_timeout": timedelta(seconds=10)}
        return S3Store(
            config=config, client_options=client, retry_config=retries, credential_provider=self._credentials
        )

    def _bucket_endpoint(self, bucket: str) -> str:
        if self._settings.s3_path_style:
            return self._endpoint
        scheme, _, host = self._endpoint.partition("://")
        return f"{scheme}://{bucket}.{host}"

    def _session_credentials(self) -> Any:
        if self._settings.s3_access_key_id:
            return self._settings
        with self._lock:
            return self._session.get_credentials()

    def _credentials(self) -> S3Credential:
        settings = self._settings
        if settings.s3_access_key_id and settings.s3_secret_access_key:
            return _credential(settings.s3_access_key_id, settings.s3_secret_access_key, None)
        found = self._session_credentials().get_frozen_credentials()
        return _credential(found.access_key, found.secret_key, found.token)


def _credential(access_key: str, secret_key: str, token: str | None) -> S3Credential:
    return {
        "access_key_id": access_key,
        "secret_access_key": secret_key,
        "token": token,
        "expires_at": datetime.now(UTC) + _CREDENTIALS_FOR,
    }
