"""What a destination is, in a line: for people, and for the error log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.firehose.model import Destination

Description = dict[str, Any]


def describe_target(destination: Destination) -> str:
    """Where data goes, as one would write it: `s3://bucket/prefix`, `duckdb:table`, … Has no secrets."""
    return _TARGETS[destination.kind](destination.configuration)


def target_identifier(destination: Destination) -> str:
    """How AWS's error logs name a destination: an ARN or a URL. Has no secrets."""
    configuration = destination.configuration
    if destination.kind == "ExtendedS3":
        return str(configuration["BucketARN"])
    return str(configuration.get("DomainARN") or describe_target(destination))


def without_secrets(url: str) -> str:
    """A URL without its user name, password and query, of whatever scheme."""
    scheme, separator, rest = url.rpartition("://")
    authority, slash, path = rest.partition("/")
    return scheme + separator + authority.rpartition("@")[2] + slash + path.partition("?")[0]


def _s3(configuration: Description) -> str:
    return f"s3://{configuration['BucketARN'].rpartition(':::')[2]}/{configuration.get('Prefix') or ''}"


def _redshift(configuration: Description) -> str:
    url = without_secrets(configuration["ClusterJDBCURL"].removeprefix("jdbc:"))
    return f"{url}{'' if url.endswith(':') else '/'}{configuration['CopyCommand']['DataTableName']}"


def _search(configuration: Description) -> str:
    names = ("ClusterEndpoint", "CollectionEndpoint", "DomainARN")
    node = next((configuration[name] for name in names if configuration.get(name)), "")
    return f"{without_secrets(node).rstrip('/')}/{configuration['IndexName']}"


def _http(configuration: Description) -> str:
    return without_secrets(configuration["EndpointConfiguration"]["Url"])


def _splunk(configuration: Description) -> str:
    return without_secrets(configuration["HECEndpoint"])


def _iceberg(configuration: Description) -> str:
    tables = configuration.get("DestinationTableConfigurationList") or []
    names = [f"{table['DestinationDatabaseName']}.{table['DestinationTableName']}" for table in tables]
    return f"iceberg {', '.join(names)}".rstrip()


_TARGETS: dict[str, Callable[[Description], str]] = {
    "ExtendedS3": _s3,
    "Redshift": _redshift,
    "Elasticsearch": _search,
    "Amazonopensearchservice": _search,
    "AmazonOpenSearchServerless": _search,
    "HttpEndpoint": _http,
    "Splunk": _splunk,
    "Iceberg": _iceberg,
}
