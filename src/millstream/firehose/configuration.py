"""A destination's configuration, typed: what the worker works by.

`parse` reads what `Destination` keeps in the shape of the API's descriptions. What the API has checked is not checked
again here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import field

from millstream.base.units import MIB
from millstream.firehose.model import Destination
from millstream.firehose.secrets import reveal

KEEPS_ALL = frozenset({"Enabled", "AllDocuments", "AllData", "AllEvents"})
"""The S3BackupModes in which all records are delivered to a bucket, too."""


class BufferingHints(msgspec.Struct, frozen=True):
    """When a buffer is delivered: at so much data or so long after its first record, whichever comes first."""

    size_mib: float = field(name="SizeInMBs", default=5)
    interval_s: int = field(name="IntervalInSeconds", default=300)

    @property
    def size_bytes(self) -> int:
        """The size in bytes."""
        return int(self.size_mib * MIB)


class RetryOptions(msgspec.Struct, frozen=True):
    """How long a failed delivery is tried again."""

    duration_s: int = field(name="DurationInSeconds", default=300)


class LoggingOptions(msgspec.Struct, frozen=True):
    """Where delivery errors are logged."""

    enabled: bool = field(name="Enabled", default=False)
    group: str | None = field(name="LogGroupName", default=None)
    stream: str | None = field(name="LogStreamName", default=None)


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of a processor."""

    name: str = field(name="ParameterName")
    value: str = field(name="ParameterValue")


class Processor(msgspec.Struct, frozen=True):
    """A processor: its type as in the API, and its parameters."""

    type: str = field(name="Type")
    parameters: list[Parameter] = field(name="Parameters", default=[])

    def parameter(self, name: str) -> str | None:
        """The value of a parameter; None if it is not given."""
        return next((parameter.value for parameter in self.parameters if parameter.name == name), None)


class Processing(msgspec.Struct, frozen=True):
    """What happens to records before they are buffered."""

    enabled: bool = field(name="Enabled", default=False)
    processors: list[Processor] = field(name="Processors", default=[])


class Partitioning(msgspec.Struct, frozen=True):
    """Dynamic partitioning."""

    enabled: bool = field(name="Enabled", default=False)
    retry: RetryOptions = field(name="RetryOptions", default=RetryOptions())


class Schema(msgspec.Struct, frozen=True):
    """The table that has the columns of converted records."""

    role_arn: str | None = field(name="RoleARN", default=None)
    catalog_id: str | None = field(name="CatalogId", default=None)
    database: str = field(name="DatabaseName", default="")
    table: str = field(name="TableName", default="")
    region: str | None = field(name="Region", default=None)
    version: str = field(name="VersionId", default="LATEST")


class Conversion(msgspec.Struct, frozen=True):
    """Record format conversion; `input` and `output` are as in the API: {"Deserializer": {…}}, {"Serializer": {…}}."""

    enabled: bool = field(name="Enabled", default=True)
    schema: Schema = field(name="SchemaConfiguration", default=Schema())
    input: dict[str, Any] = field(name="InputFormatConfiguration", default={})
    output: dict[str, Any] = field(name="OutputFormatConfiguration", default={})


class KmsEncryption(msgspec.Struct, frozen=True):
    """The key that objects are encrypted with."""

    key_arn: str = field(name="AWSKMSKeyARN")


class ObjectEncryption(msgspec.Struct, frozen=True):
    """Encryption of objects: {"NoEncryptionConfig": "NoEncryption"} or a key."""

    none: str | None = field(name="NoEncryptionConfig", default=None)
    kms: KmsEncryption | None = field(name="KMSEncryptionConfig", default=None)


class S3(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket, and how objects in it are made: also of intermediate objects and backups."""

    bucket_arn: str = field(name="BucketARN")
    role_arn: str = field(name="RoleARN", default="")
    prefix: str = field(name="Prefix", default="")
    error_prefix: str = field(name="ErrorOutputPrefix", default="")
    buffering: BufferingHints = field(name="BufferingHints", default=BufferingHints())
    compression: str = field(name="CompressionFormat", default="UNCOMPRESSED")
    encryption: ObjectEncryption = field(name="EncryptionConfiguration", default=ObjectEncryption())
    logging: LoggingOptions = field(name="CloudWatchLoggingOptions", default=LoggingOptions())

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.bucket_arn.rpartition(":::")[2]


class ExtendedS3(S3, frozen=True, kw_only=True):
    """An object store as the destination."""

    processing: Processing = field(name="ProcessingConfiguration", default=Processing())
    backup_mode: str = field(name="S3BackupMode", default="Disabled")  # or Enabled
    backup: S3 | None = field(name="S3BackupDescription", default=None)
    conversion: Conversion | None = field(name="DataFormatConversionConfiguration", default=None)
    partitioning: Partitioning = field(name="DynamicPartitioningConfiguration", default=Partitioning())
    file_extension: str = field(name="FileExtension", default="")
    time_zone: str = field(name="CustomTimeZone", default="UTC")


class CopyCommand(msgspec.Struct, frozen=True):
    """What follows COPY."""

    table: str = field(name="DataTableName")
    columns: str = field(name="DataTableColumns", default="")
    options: str = field(name="CopyOptions", default="")


class Redshift(msgspec.Struct, frozen=True, kw_only=True):
    """A warehouse: objects are put into the intermediate bucket, then copied."""

    cluster_url: str = field(name="ClusterJDBCURL")
    copy: CopyCommand = field(name="CopyCommand")
    role_arn: str = field(name="RoleARN", default="")
    user: str = field(name="Username", default="")
    password: str = field(name="Password", default="")
    retry: RetryOptions = field(name="RetryOptions", default=RetryOptions(3600))
    s3: S3 = field(name="S3DestinationDescription")
    processing: Processing = field(name="ProcessingConfiguration", default=Processing())
    backup_mode: str = field(name="S3BackupMode", default="Disabled")
    backup: S3 | None = field(name="S3BackupDescription", default=None)
    logging: LoggingOptions = field(name="CloudWatchLoggingOptions", default=LoggingOptions())


class DocumentId(msgspec.Struct, frozen=True):
    """Who gives documents their ids: FIREHOSE_DEFAULT or NO_DOCUMENT_ID."""

    format: str = field(name="DefaultDocumentIdFormat", default="FIREHOSE_DEFAULT")


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Elasticsearch, OpenSearch, OpenSearch Serverless (its CollectionEndpoint is `endpoint`, too)."""

    domain_arn: str | None = field(name="DomainARN", default=None)
    cluster_endpoint: str | None = field(name="ClusterEndpoint", default=None)
    collection_endpoint: str | None = field(name="CollectionEndpoint", default=None)
    index: str = field(name="IndexName")
    type_name: str | None = field(name="TypeName", default=None)
    rotation: str = field(name="IndexRotationPeriod", default="OneDay")
    document_id: DocumentId = field(name="DocumentIdOptions", default=DocumentId())
    role_arn: str = field(name="RoleARN", default="")
    buffering: BufferingHints = field(name="BufferingHints", default=BufferingHints())
    retry: RetryOptions = field(name="RetryOptions", default=RetryOptions())
    backup_mode: str = field(name="S3BackupMode", default="FailedDocumentsOnly")  # or AllDocuments
    s3: S3 = field(name="S3DestinationDescription")
    processing: Processing = field(name="ProcessingConfiguration", default=Processing())
    logging: LoggingOptions = field(name="CloudWatchLoggingOptions", default=LoggingOptions())


class Endpoint(msgspec.Struct, frozen=True):
    """An HTTP endpoint."""

    url: str = field(name="Url")
    name: str = field(name="Name", default="")


class CommonAttribute(msgspec.Struct, frozen=True):
    """An attribute that every request carries."""

    name: str = field(name="AttributeName")
    value: str = field(name="AttributeValue")


class HttpRequest(msgspec.Struct, frozen=True):
    """How requests are made. `content_encoding`: NONE or GZIP."""

    content_encoding: str = field(name="ContentEncoding", default="NONE")
    common_attributes: list[CommonAttribute] = field(name="CommonAttributes", default=[])


class HttpEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP endpoint as the destination."""

    endpoint: Endpoint = field(name="EndpointConfiguration")
    access_key: str = field(name="AccessKey", default="")
    request: HttpRequest = field(name="RequestConfiguration", default=HttpRequest())
    role_arn: str = field(name="RoleARN", default="")
    buffering: BufferingHints = field(name="BufferingHints", default=BufferingHints())
    retry: RetryOptions = field(name="RetryOptions", default=RetryOptions())
    backup_mode: str = field(name="S3BackupMode", default="FailedDataOnly")  # or AllData
    s3: S3 = field(name="S3DestinationDescription")
    processing: Processing = field(name="ProcessingConfiguration", default=Processing())
    logging: LoggingOptions = field(name="CloudWatchLoggingOptions", default=LoggingOptions())


class Splunk(msgspec.Struct, frozen=True, kw_only=True):
    """Splunk's HTTP event collector as the destination."""

    endpoint: str = field(name="HECEndpoint")
    endpoint_type: str = field(name="HECEndpointType", default="Raw")  # or Event
    token: str = field(name="HECToken", default="")
    acknowledgment_timeout_s: int = field(name="HECAcknowledgmentTimeoutInSeconds", default=180)
    buffering: BufferingHints = field(name="BufferingHints", default=BufferingHints(5, 60))
    retry: RetryOptions = field(name="RetryOptions", default=RetryOptions())
    backup_mode: str = field(name="S3BackupMode", default="FailedEventsOnly")  # or AllEvents
    s3: S3 = field(name="S3DestinationDescription")
    processing: Processing = field(name="ProcessingConfiguration", default=Processing())
    logging: LoggingOptions = field(name="CloudWatchLoggingOptions", default=LoggingOptions())


class IcebergTable(msgspec.Struct, frozen=True):
    """A table that records may go to."""

    table: str = field(name="DestinationTableName")
    database: str = field(name="DestinationDatabaseName")
    unique_keys: list[str] = field(name="UniqueKeys", default=[])
    error_prefix: str = field(name="S3ErrorOutputPrefix", default="")


class Iceberg(msgspec.Struct, frozen=True, kw_only=True):
    """Iceberg tables as the destination."""

    tables: list[IcebergTable] = field(name="DestinationTableConfigurationList", default=[])
    catalog: dict[str, Any] = field(name="CatalogConfiguration", default={})
    role_arn: str = field(name="RoleARN", default="")
    append_only: bool = field(name="AppendOnly", default=False)
    buffering: BufferingHints = field(name="BufferingHints", default=BufferingHints())
    retry: RetryOptions = field(name="RetryOptions", default=RetryOptions())
    backup_mode: str = field(name="S3BackupMode", default="FailedDataOnly")
    s3: S3 = field(name="S3DestinationDescription")
    processing: Processing = field(name="ProcessingConfiguration", default=Processing())
    logging: LoggingOptions = field(name="CloudWatchLoggingOptions", default=LoggingOptions())


Configuration = ExtendedS3 | Redshift | Search | HttpEndpoint | Splunk | Iceberg

_TYPES: dict[str, type[Configuration]] = {
    "ExtendedS3": ExtendedS3,
    "Redshift": Redshift,
    "Elasticsearch": Search,
    "Amazonopensearchservice": Search,
    "AmazonOpenSearchServerless": Search,
    "HttpEndpoint": HttpEndpoint,
    "Splunk": Splunk,
    "Iceberg": Iceberg,
}


def parse(destination: Destination, open_secret: Callable[[str], str]) -> Configuration:
    """The typed configuration of a destination, its secrets opened. Raises KeyError for a kind that is not served."""
    secrets = {name: open_secret(sealed) for name, sealed in destination.secrets.items()}
    return msgspec.convert(reveal(destination.kind, destination.configuration, secrets), _TYPES[destination.kind])
