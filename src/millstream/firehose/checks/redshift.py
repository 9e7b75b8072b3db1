"""Checks of Redshift destinations: the cluster URL, the COPY command, and objects that COPY can read.

Source: API reference, RedshiftDestinationConfiguration; developer guide, "Understand custom prefixes for Amazon S3
objects". Which cluster URLs there are beside Redshift's: `warehouse.clusterurl`.
"""

from __future__ import annotations

import re
from typing import Any

from millstream.firehose.checks.buckets import check_backup, check_bucket, check_logging, check_prefixes, violated
from millstream.firehose.checks.processors import check_processing
from millstream.firehose.ports import DeliveryError
from millstream.firehose.warehouse.clusterurl import ClusterUrlError, DuckDbFile, Server, parse_cluster_url
from millstream.firehose.warehouse.copyoptions import CopyOptions, CopyOptionsError, parse_copy_options
from millstream.firehose.warehouse.names import parse_columns, parse_table
from millstream.wire.faults import InvalidArgumentException

Description = dict[str, Any]

_WHERE = "RedshiftDestinationConfiguration"
_READABLE = ("UNCOMPRESSED", "GZIP")
_CREDENTIALS = re.compile(r"[?&;](user|username|uid|password|pwd)=", re.IGNORECASE)


def check_redshift(configuration: Description, limits_aws: bool, *, warehouse_paths: bool) -> None:
    """Check a whole Redshift destination. `warehouse_paths`: a warehouse file may be anywhere."""
    _check_cluster(configuration, warehouse_paths)
    options = _check_copy(configuration["CopyCommand"])
    _check_intermediate(configuration["S3DestinationDescription"], options)
    check_logging(configuration, _WHERE)
    if check_processing(configuration).has("MetadataExtraction"):
        raise InvalidArgumentException("The MetadataExtraction processor cannot be used with Redshift destinations.")
    check_backup(configuration, limits_aws)


def _check_cluster(configuration: Description, warehouse_paths: bool) -> None:
    url = configuration["ClusterJDBCURL"]
    if _CREDENTIALS.search(url):
        raise InvalidArgumentException(
            "Invalid ClusterJDBCURL: it must have no user and password among its parameters. Use Username and Password."
        )
    try:
        cluster = parse_cluster_url(url)
    except ClusterUrlError as error:
        raise InvalidArgumentException(str(error)) from error
    if isinstance(cluster, DuckDbFile) and cluster.path is not None and not warehouse_paths:
        # whoever may call the API could have any file of the server's owner written
        raise InvalidArgumentException(
            "Invalid ClusterJDBCURL: this server takes duckdb: and duckdb:name, which are files in its data directory. "
            "Files elsewhere need its setting warehouse_paths."
        )
    if isinstance(cluster, Server) and not (cluster.user or configuration.get("Username")):
        raise InvalidArgumentException("Username must be specified: there is no Secrets Manager that would have it.")


def _check_copy(command: Description) -> CopyOptions:
    try:
        parse_table(command["DataTableName"])
        parse_columns(command.get("DataTableColumns", ""))
        return parse_copy_options(command.get("CopyOptions", ""))
    except CopyOptionsError as error:
        raise InvalidArgumentException(f"CopyOptions: {error}") from error
    except DeliveryError as error:
        raise InvalidArgumentException(str(error)) from error


def _check_intermediate(s3: Description, options: CopyOptions) -> None:
    check_bucket(s3, "S3Configuration")
    compression = s3["CompressionFormat"]
    if compression not in _READABLE:
        raise InvalidArgumentException(
            f"CompressionFormat {compression} cannot be specified in {_WHERE}.S3Configuration because the Amazon "
            "Redshift COPY operation that reads from the S3 bucket doesn't support it. Use GZIP or UNCOMPRESSED."
        )
    if (compression == "GZIP") != options.gzip:
        raise InvalidArgumentException(
            "CopyOptions must have GZIP if and only if the CompressionFormat of S3Configuration is GZIP: it is "
            f"{compression}."
        )
    if check_prefixes(s3).has_expressions:
        raise violated("Prefix cannot contain expressions when the destination is Amazon Redshift")
    if s3.get("ErrorOutputPrefix"):
        raise violated("ErrorOutputPrefix must be null when the destination is Amazon Redshift")
