"""Destinations: how parcels get where they are to go. Each is imported, with its library, when one is first needed."""
# ruff: noqa: PLC0415 - the worker must not load DuckDB or PyArrow for a delivery stream that does not use them

from __future__ import annotations

from millstream.firehose.configuration import (
    S3,
    Configuration,
    ExtendedS3,
    HttpEndpoint,
    Iceberg,
    Redshift,
    Search,
    Splunk,
)
from millstream.firehose.ports import Destination, Surroundings


def build_destination(kind: str, configuration: Configuration | S3, surroundings: Surroundings) -> Destination:
    """The destination of a delivery stream, or of a backup. Raises MillstreamErrors for what cannot be made."""
    match configuration:
        case Redshift():
            from millstream.firehose.destinations.redshift import RedshiftDestination

            return RedshiftDestination(configuration, surroundings)
        case Search():
            from millstream.firehose.destinations.search import SearchDestination

            error_kind = "elasticsearch-failed" if kind == "Elasticsearch" else "AmazonOpenSearchService-failed"
            return SearchDestination(configuration, surroundings, error_kind=error_kind)
        case HttpEndpoint():
            from millstream.firehose.destinations.http import HttpDestination

            return HttpDestination(configuration, surroundings)
        case Splunk():
            from millstream.firehose.destinations.splunk import SplunkDestination

            return SplunkDestination(configuration, surroundings)
        case Iceberg():
            from millstream.firehose.destinations.iceberg import IcebergDestination

            return IcebergDestination(configuration, surroundings)
        case ExtendedS3() | S3():
            from millstream.firehose.destinations.s3 import S3Destination

            return S3Destination(configuration, surroundings)
