"""Where calls go and in whose name: endpoints, region and credentials, from arguments and the AWS environment."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from millstream.client.errors import ConfigurationError
from millstream.wire.sigv4 import Credentials

LOCAL_ENDPOINT = "http://127.0.0.1:4566"
LOCAL_REGION = "us-east-1"
LOCAL_CREDENTIALS = Credentials("test", "test")


class Api(NamedTuple):
    """A service: its name in signatures and host names, what stands before an operation in X-Amz-Target, its JSON."""

    name: str
    target_prefix: str
    json_version: str = "1.1"


KINESIS = Api("kinesis", "Kinesis_20131202")
FIREHOSE = Api("firehose", "Firehose_20150804")
LOGS = Api("logs", "Logs_20140328")
DYNAMODB = Api("dynamodb", "DynamoDB_20120810", "1.0")
CLOUDWATCH = Api("monitoring", "GraniteServiceVersion20100801", "1.0")
MILLSTREAM = Api("millstream", "Millstream_20261101")

GetCredentials = Callable[[], Credentials]
"""Blocking, if they have to be fetched: credentials that are valid now. May raise ConfigurationError."""


class Target(NamedTuple):
    """Where the calls of one service go and in whose name."""

    endpoint: str
    """Without a trailing slash: http://127.0.0.1:4566"""
    region: str
    credentials: GetCredentials
    ca_bundle: str | None = None

    @property
    def is_aws(self) -> bool:
        """Whether AWS itself is there, rather than somebody's own platform."""
        return is_aws(self.endpoint)

    @property
    def host(self) -> str:
        """As the Host header has it."""
        return urlsplit(self.endpoint).netloc.rpartition("@")[2]


def find_target(
    api: Api,
    *,
    endpoint: str | None = None,
    region: str | None = None,
    credentials: Credentials | GetCredentials | None = None,
    environment: Mapping[str, str] | None = None,
    default_endpoint: str | None = LOCAL_ENDPOINT,
) -> Target:
    """The target for `api`: what the arguments say, else what the AWS environment says, else `default_endpoint`.

    `endpoint` may be a host name alone, as in agent.json: then it is HTTPS. With `default_endpoint` None, AWS's own for
    the region is the last resort. Raises ConfigurationError.
    """
    environment = os.environ if environment is None else environment
    region = region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None
    for variable in (f"AWS_ENDPOINT_URL_{api.name.upper()}", "AWS_ENDPOINT_URL", "MILLSTREAM_ENDPOINT"):
        endpoint = endpoint or environment.get(variable)
    endpoint = endpoint or default_endpoint or _aws_endpoint(api, region)
    endpoint = _checked(endpoint)
    region = region or _region_in(endpoint) or LOCAL_REGION
    if isinstance(credentials, Credentials):
        found: GetCredentials = _always(credentials)
    else:
        found = credentials or _credentials_of(environment, is_local=not is_aws(endpoint))
    return Target(endpoint, region, found, environment.get("AWS_CA_BUNDLE") or None)


def is_aws(endpoint: str) -> bool:
    """Whether an endpoint is one of AWS's own."""
    host = urlsplit(endpoint).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint is on this machine, so that no proxy of the environment may come between."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def credentials_of(target: Target) -> Credentials:
    """The target's credentials; fetching them does not hold up the event loop."""
    return await asyncio.to_thread(target.credentials)


def _checked(endpoint: str) -> str:
    if "://" not in endpoint:
        endpoint = f"https://{endpoint}"
    try:
        parts = urlsplit(endpoint)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(f"the endpoint {endpoint!r} is no URL: it should look like {LOCAL_ENDPOINT}")
    return endpoint.rstrip("/")


def _aws_endpoint(api: Api, region: str | None) -> str:
    if region is None:
        raise ConfigurationError(f"neither an endpoint nor a region for {api.name}: set AWS_REGION or AWS_ENDPOINT_URL")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{api.name}.{region}.{suffix}"


def _region_in(endpoint: str) -> str | None:
    """The region in a host name of AWS's: kinesis.eu-west-1.amazonaws.com."""
    labels = (urlsplit(endpoint).hostname or "").split(".")
    return labels[1] if is_aws(endpoint) and len(labels) > 3 else None


def _always(credentials: Credentials) -> GetCredentials:
    return lambda: credentials


def _credentials_of(environment: Mapping[str, str], *, is_local: bool) -> GetCredentials:
    """As AWS's SDKs find them; a platform of one's own is content with any, if there are none."""
    if (access := environment.get("AWS_ACCESS_KEY_ID")) and (secret := environment.get("AWS_SECRET_ACCESS_KEY")):
        return _always(Credentials(access, secret, environment.get("AWS_SESSION_TOKEN") or None))
    if is_local and not any(environment.get(name) for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")):
        return _always(LOCAL_CREDENTIALS._replace(access_key_id=environment.get("AWS_ACCESS_KEY_ID") or "test"))
    return _SdkCredentials()


class _SdkCredentials:
    """Credentials as botocore finds and renews them: profiles, web identities, containers, instances."""

    def __init__(self) -> None:
        self._found: Any = None

    def __call__(self) -> Credentials:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - slow to load, and often not needed
        from botocore.session import Session  # noqa: PLC0415

        try:
            if self._found is None:
                self._found = Session().get_credentials()
            if self._found is not None:
                frozen = self._found.get_frozen_credentials()
                return Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        except BotoCoreError as error:
            raise ConfigurationError(f"no AWS credentials: {error}") from error
        raise ConfigurationError("no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
