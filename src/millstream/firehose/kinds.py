"""Kinds of destinations: which members of requests configure them, and how those become descriptions.

A kind is what stands before `DestinationConfiguration`, `DestinationUpdate` and `DestinationDescription` in the API's
names. All that is kept of a destination has the shape of its description, with its secrets apart (see `secrets`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from millstream.firehose import secrets
from millstream.wire.faults import InvalidArgumentException

Params = Mapping[str, Any]

SERVED = (
    "ExtendedS3",
    "Redshift",
    "Elasticsearch",
    "Amazonopensearchservice",
    "AmazonOpenSearchServerless",
    "HttpEndpoint",
    "Splunk",
    "Iceberg",
)
SEARCH = frozenset({"Elasticsearch", "Amazonopensearchservice", "AmazonOpenSearchServerless"})
SEARCH_PLACES = frozenset({"ClusterEndpoint", "CollectionEndpoint", "DomainARN"})

_KINDS = {"S3": "ExtendedS3", "Snowflake": "Snowflake", **{kind: kind for kind in SERVED}}
"""The kind that a member configures, by what stands before `DestinationConfiguration` or `DestinationUpdate`."""

_RENAMED = {
    "S3Configuration": "S3DestinationDescription",
    "S3Update": "S3DestinationDescription",
    "S3BackupConfiguration": "S3BackupDescription",
    "S3BackupUpdate": "S3BackupDescription",
}

_VPC_ID = "vpc-00000000000000000"
"""Every cluster is reached over the network that the server has: the VPC that a description must name is made up."""


class Given(NamedTuple):
    """What a request says of a destination: only what it says, in the shape of a description, secrets at the top."""

    kind: str
    configuration: dict[str, Any]


def given_configuration(params: Params) -> Given:
    """The destination that a CreateDeliveryStream configures. Raises InvalidArgumentException unless it is one."""
    found = _found(params, "DestinationConfiguration")
    if len(found) != 1:
        raise InvalidArgumentException("Exactly one destination configuration is supported for a Firehose")
    return _given(*found[0])


def given_update(params: Params) -> Given:
    """What an UpdateDestination says. Raises InvalidArgumentException unless it is for one destination."""
    found = _found(params, "DestinationUpdate")
    if len(found) != 1:
        raise InvalidArgumentException("Exactly one destination update is supported for a Firehose")
    return _given(*found[0])


def _found(params: Params, suffix: str) -> list[tuple[str, Params]]:
    names = [(kind, prefix + suffix) for prefix, kind in _KINDS.items()]
    return [(kind, params[name]) for kind, name in names if name in params]


def _given(kind: str, params: Params) -> Given:
    if kind == "Snowflake":
        raise InvalidArgumentException(
            "Millstream does not deliver to Snowflake. Deliver to S3, and have Snowflake load from there."
        )
    configuration = {_RENAMED.get(name, name): value for name, value in params.items()}
    _refuse_secrets_manager(kind, configuration)
    vpc = configuration.pop("VpcConfiguration", None)
    if vpc is not None:
        configuration["VpcConfigurationDescription"] = {**vpc, "VpcId": _VPC_ID}
    if kind == "HttpEndpoint" and "EndpointConfiguration" in configuration:
        endpoint = configuration["EndpointConfiguration"] = dict(configuration["EndpointConfiguration"])
        if "AccessKey" in endpoint:
            configuration["AccessKey"] = endpoint.pop("AccessKey")
    return Given(kind, configuration)


def _refuse_secrets_manager(kind: str, configuration: dict[str, Any]) -> None:
    secrets_manager = configuration.pop("SecretsManagerConfiguration", None)
    if secrets_manager is not None and secrets_manager["Enabled"]:
        raise InvalidArgumentException(
            f"Millstream has no Secrets Manager. Give {secrets.NAMES.get(kind, 'the credentials')} in the "
            "destination's configuration instead: it is kept encrypted."
        )
