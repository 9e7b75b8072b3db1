"""Checks of HTTP endpoint and Splunk destinations.

Source: API reference, HttpEndpointDestinationConfiguration and SplunkDestinationConfiguration.
"""

from __future__ import annotations

from typing import Any

from millstream.firehose.checks.buckets import check_bucket, check_logging, check_prefixes
from millstream.firehose.checks.processors import Processors, check_processing
from millstream.firehose.checks.urls import check_url
from millstream.wire.faults import InvalidArgumentException

Description = dict[str, Any]


def check_http_endpoint(configuration: Description, _limits_aws: bool) -> None:
    """Check a whole HTTP endpoint destination."""
    check_url(configuration["EndpointConfiguration"]["Url"], "EndpointConfiguration.Url")
    attributes = [entry["AttributeName"] for entry in configuration["RequestConfiguration"]["CommonAttributes"]]
    if len(set(attributes)) != len(attributes):
        raise InvalidArgumentException("The names of CommonAttributes must differ from each other.")
    check_common(configuration, "HttpEndpointDestinationConfiguration")


def check_splunk(configuration: Description, _limits_aws: bool) -> None:
    """Check a whole Splunk destination."""
    check_url(configuration["HECEndpoint"], "HECEndpoint")
    if not configuration.get("HECToken"):
        raise InvalidArgumentException("HECToken must be specified for a Splunk destination.")
    check_common(configuration, "SplunkDestinationConfiguration")


def check_common(configuration: Description, where: str) -> Processors:
    """Check what most destinations have: logging, processors, which are returned, and the bucket for what fails."""
    check_logging(configuration, where)
    check_bucket(configuration["S3DestinationDescription"], "S3Configuration")
    check_prefixes(configuration["S3DestinationDescription"])
    processors = check_processing(configuration)
    if processors.has("MetadataExtraction") and where != "IcebergDestinationConfiguration":
        raise InvalidArgumentException(
            "The MetadataExtraction processor can only be used with S3 destinations that have Dynamic Partitioning "
            "enabled, and with Iceberg destinations."
        )
    return processors
