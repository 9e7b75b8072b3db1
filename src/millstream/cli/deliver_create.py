"""`millstream deliver create`: from a short command line to CreateDeliveryStream.

What the API insists on and a short command line leaves out is filled in: roles, logging, error prefixes, buffering
hints that fit the format, the bucket for what is on its way or failed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from millstream.cli.errors import CommandError, UsageError

SIDE_BUCKET = "millstream-deliveries"
"""Holds what is on its way to a warehouse, and what other destinations refused."""

_BUFFER = re.compile(r"(?:(\d+) ?Mi?B)?/?(?:(\d+) ?s)?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_]\w*")
_LARGE_MB = 128  # the default where objects have columns or partitions, which the API wants in at least 64 MB
_PLAIN_MB = 5
_INTERVAL_S = 300

Members = dict[str, Any]


class Buffer(NamedTuple):
    """Buffering hints; None: the default."""

    size_mb: int | None = None
    interval_s: int | None = None

    def hints(self, default_mb: int = _PLAIN_MB) -> dict[str, int]:
        """BufferingHints, which the API takes whole only."""
        return {
            "SizeInMBs": default_mb if self.size_mb is None else self.size_mb,
            "IntervalInSeconds": _INTERVAL_S if self.interval_s is None else self.interval_s,
        }


class Wanted(NamedTuple):
    """What the command line asks for. `columns` is the format, PARQUET or ORC, and the table; `to` a URL."""

    name: str
    to: str
    account: str
    source_arn: str | None = None
    compression: str | None = None
    columns: tuple[str, str] | None = None
    buffer: Buffer = Buffer()
    partitions: tuple[tuple[str, str], ...] = ()
    newline: bool = False
    error_prefix: str | None = None
    side: str = f"s3://{SIDE_BUCKET}"
    search_index: str | None = None

    @property
    def role_arn(self) -> str:
        """The role that the API wants; nobody assumes it."""
        return f"arn:aws:iam::{self.account}:role/firehose"


def parse_buffer(text: str) -> Buffer:
    """The buffering hints that `--buffer` names. Raises CommandError."""
    found = _BUFFER.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise CommandError(f"--buffer {text!r} is not allowed; it must be like 5MB/60s, 5MB or 60s")
    size, interval = found.groups()
    return Buffer(int(size) if size else None, int(interval) if interval else None)


def parse_partition(text: str) -> tuple[str, str]:
    """The key and the query that a `--partition` names. Raises CommandError."""
    key, equals, query = text.partition("=")
    if not equals or not _NAME.fullmatch(key.strip()) or not query.strip():
        raise CommandError(
            f"--partition {text!r} is not allowed; it must be like 'sector=.SECTOR' (a name, a jq query)"
        )
    return key.strip(), query.strip()


def split_table(text: str) -> tuple[str, str]:
    """Database and table of `database.table`. Raises CommandError."""
    database, _, table = text.rpartition(".")
    if not database or not table:
        raise CommandError(f"{text!r} is no table; it must be like demo.ticks (`millstream tables list` shows them)")
    return database, table


def request_of(wanted: Wanted) -> Members:
    """The members of CreateDeliveryStream. Raises CommandError for what cannot be delivered to, or not so."""
    member, make = _destination_of(wanted)
    request: Members = {"DeliveryStreamName": wanted.name, "DeliveryStreamType": "DirectPut"}
    if wanted.source_arn is not None:
        request["DeliveryStreamType"] = "KinesisStreamAsSource"
        request["KinesisStreamSourceConfiguration"] = {
            "KinesisStreamARN": wanted.source_arn,
            "RoleARN": wanted.role_arn,
        }
    request[member] = make(wanted)
    return request


def _destination_of(wanted: Wanted) -> tuple[str, Callable[[Wanted], Members]]:
    scheme = wanted.to.partition(":")[0].lower()
    if scheme == "s3":
        if wanted.search_index is not None:
            raise UsageError("--index is for Elasticsearch and OpenSearch: --to https://host:9200 --index NAME")
        return "ExtendedS3DestinationConfiguration", _extended_s3
    if wanted.partitions or wanted.columns or wanted.newline:
        raise UsageError("--partition, --parquet, --orc and --newline are for objects: --to s3://bucket/prefix")
    if scheme in ("http", "https"):
        if wanted.search_index is not None:
            return "AmazonopensearchserviceDestinationConfiguration", _search
        return "HttpEndpointDestinationConfiguration", _http
    if scheme in ("duckdb", "postgresql", "redshift"):
        return "RedshiftDestinationConfiguration", _redshift
    raise CommandError(
        f"--to {wanted.to!r} is not allowed; it must be s3://bucket/prefix, https://host/path, https://host:9200 with "
        "--index, duckdb:table, postgresql://user:password@host/database/table or redshift://…"
    )


def _extended_s3(wanted: Wanted) -> Members:
    bucket, prefix = _bucket_and_prefix(wanted.to)
    for key, _ in wanted.partitions:
        expression = f"!{{partitionKeyFromQuery:{key}}}"
        if expression not in prefix:
            prefix += f"{key}={expression}/"
    processors = _processors(wanted)
    members: Members = {
        "BucketARN": f"arn:aws:s3:::{bucket}",
        "RoleARN": wanted.role_arn,
        "Prefix": prefix,
        "ErrorOutputPrefix": wanted.error_prefix or f"errors/{wanted.name}/!{{firehose:error-output-type}}/",
        "BufferingHints": wanted.buffer.hints(_LARGE_MB if wanted.columns or wanted.partitions else _PLAIN_MB),
        "CompressionFormat": wanted.compression or "UNCOMPRESSED",
        "CloudWatchLoggingOptions": _logging(wanted),
    }
    if wanted.columns:
        members["DataFormatConversionConfiguration"] = _conversion(wanted, *wanted.columns)
    if wanted.partitions:
        members["DynamicPartitioningConfiguration"] = {"Enabled": True}
    if processors:
        members["ProcessingConfiguration"] = {"Enabled": True, "Processors": processors}
    return members


def _processors(wanted: Wanted) -> list[Members]:
    processors = []
    if wanted.partitions:
        query = "{" + ",".join(f"{key}:{query}" for key, query in wanted.partitions) + "}"
        processors.append(_processor("MetadataExtraction", MetadataExtractionQuery=query, JsonParsingEngine="JQ-1.6"))
    if wanted.newline:
        processors.append(_processor("AppendDelimiterToRecord", Delimiter="\\n"))
    return processors


def _processor(type_: str, **parameters: str) -> Members:
    listed = [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]
    return {"Type": type_, "Parameters": listed}


def _conversion(wanted: Wanted, format_: str, table: str) -> Members:
    database, name = split_table(table)
    serializer = {"PARQUET": "ParquetSerDe", "ORC": "OrcSerDe"}[format_]
    return {
        "Enabled": True,
        "SchemaConfiguration": {"RoleARN": wanted.role_arn, "DatabaseName": database, "TableName": name},
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": {serializer: {}}},
    }


def _search(wanted: Wanted) -> Members:
    return {
        "RoleARN": wanted.role_arn,
        "ClusterEndpoint": wanted.to,
        "IndexName": wanted.search_index,
        "BufferingHints": wanted.buffer.hints(),
        "S3BackupMode": "FailedDocumentsOnly",
        "S3Configuration": _side(wanted),
        "CloudWatchLoggingOptions": _logging(wanted),
    }


def _http(wanted: Wanted) -> Members:
    return {
        "EndpointConfiguration": {"Url": wanted.to, "Name": wanted.name},
        "RequestConfiguration": {"ContentEncoding": "GZIP" if wanted.compression == "GZIP" else "NONE"},
        "RoleARN": wanted.role_arn,
        "BufferingHints": wanted.buffer.hints(),
        "S3BackupMode": "FailedDataOnly",
        "S3Configuration": _side(wanted),
        "CloudWatchLoggingOptions": _logging(wanted),
    }


def _redshift(wanted: Wanted) -> Members:
    cluster_url, table, user = _warehouse(wanted.to)
    copy_options = "json 'auto'" + (" gzip" if wanted.compression == "GZIP" else "")
    return {
        "RoleARN": wanted.role_arn,
        "ClusterJDBCURL": cluster_url,
        "CopyCommand": {"DataTableName": table, "CopyOptions": copy_options},
        "S3Configuration": _side(wanted) | {"CompressionFormat": wanted.compression or "UNCOMPRESSED"},
        "CloudWatchLoggingOptions": _logging(wanted),
        **user,
    }


def _warehouse(url: str) -> tuple[str, str, Members]:
    """ClusterJDBCURL, table, and who connects. Raises CommandError."""
    if url.startswith("duckdb:"):
        file, _, table = url.removeprefix("duckdb:").rpartition("/")
        if not table:
            raise CommandError(
                f"--to {url!r} names no table; it must be duckdb:table, duckdb:name/table or duckdb:///path/file/table"
            )
        return f"duckdb:{file}", table, {}
    parts = urlsplit(url)
    database, _, table = parts.path.strip("/").rpartition("/")
    if not parts.hostname or not database or not parts.username or not parts.password:
        raise CommandError(
            f"--to {parts.scheme}://… is incomplete; it must be {parts.scheme}://user:password@host:port/database/table"
        )
    port = parts.port or {"postgresql": 5432, "redshift": 5439}[parts.scheme]
    cluster_url = f"jdbc:{parts.scheme}://{parts.hostname}:{port}/{database}"
    return cluster_url, table, {"Username": unquote(parts.username), "Password": unquote(parts.password)}


def _side(wanted: Wanted) -> Members:
    bucket, prefix = _bucket_and_prefix(wanted.side)
    return {
        "BucketARN": f"arn:aws:s3:::{bucket}",
        "RoleARN": wanted.role_arn,
        "Prefix": f"{prefix}{wanted.name}/",
        "BufferingHints": wanted.buffer.hints(),
    }


def _bucket_and_prefix(url: str) -> tuple[str, str]:
    """Bucket and prefix; a prefix that is a name becomes a directory. Raises CommandError."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise CommandError(f"{url!r} is no place for objects; it must be like s3://bucket/prefix")
    return bucket, prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


def _logging(wanted: Wanted) -> Members:
    return {
        "Enabled": True,
        "LogGroupName": f"/aws/kinesisfirehose/{wanted.name}",
        "LogStreamName": "DestinationDelivery",
    }
