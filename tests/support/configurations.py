"""Configurations of destinations as CreateDeliveryStream takes them: the least that each kind needs."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/firehose"
LAKE = "arn:aws:s3:::lake"
DESTINATION_ID = "destinationId-000000000001"

S3: dict[str, Any] = {"RoleARN": ROLE, "BucketARN": LAKE}
LEAST: dict[str, dict[str, Any]] = {
    "S3": S3,
    "ExtendedS3": S3,
    "Redshift": {
        "RoleARN": ROLE,
        "ClusterJDBCURL": "jdbc:redshift://cluster.example.redshift.amazonaws.com:5439/dev",
        "CopyCommand": {"DataTableName": "orders", "CopyOptions": "json 'auto'"},
        "Username": "loader",
        "Password": "secret-1",
        "S3Configuration": S3,
    },
    "Elasticsearch": {
        "RoleARN": ROLE,
        "DomainARN": "arn:aws:es:us-east-1:123456789012:domain/orders",
        "IndexName": "orders",
        "S3Configuration": S3,
    },
    "Amazonopensearchservice": {
        "RoleARN": ROLE,
        "ClusterEndpoint": "https://search.example.com",
        "IndexName": "orders",
        "S3Configuration": S3,
    },
    "AmazonOpenSearchServerless": {
        "RoleARN": ROLE,
        "CollectionEndpoint": "https://search.example.com",
        "IndexName": "orders",
        "S3Configuration": S3,
    },
    "HttpEndpoint": {
        "EndpointConfiguration": {"Url": "https://example.com/in", "Name": "ours", "AccessKey": "secret-1"},
        "S3Configuration": S3,
    },
    "Splunk": {
        "HECEndpoint": "https://splunk.example.com:8088",
        "HECEndpointType": "Raw",
        "HECToken": "secret-1",
        "S3Configuration": S3,
    },
    "Iceberg": {
        "RoleARN": ROLE,
        "CatalogConfiguration": {"CatalogARN": "arn:aws:glue:us-east-1:123456789012:catalog"},
        "DestinationTableConfigurationList": [{"DestinationDatabaseName": "shop", "DestinationTableName": "orders"}],
        "AppendOnly": True,
        "S3Configuration": S3,
    },
}

CONVERSION: dict[str, Any] = {
    "SchemaConfiguration": {"RoleARN": ROLE, "DatabaseName": "demo", "TableName": "ticks"},
    "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
    "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
}

PARTITIONED: dict[str, Any] = {
    "Prefix": "sector=!{partitionKeyFromQuery:sector}/",
    "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
    "DynamicPartitioningConfiguration": {"Enabled": True},
}


def configured(kind: str, **members: Any) -> dict[str, Any]:
    """The member of a CreateDeliveryStream that has the least configuration of a kind, with `members` changed."""
    configuration = {**deepcopy(LEAST[kind]), **members}
    return {f"{kind}DestinationConfiguration": {name: v for name, v in configuration.items() if v is not None}}


def with_s3(kind: str, **members: Any) -> dict[str, Any]:
    """The same, with members of the bucket's configuration changed."""
    return configured(kind, S3Configuration={**S3, **members})


def processing(*processors: dict[str, Any]) -> dict[str, Any]:
    """A ProcessingConfiguration."""
    return {"Enabled": True, "Processors": list(processors)}


def processor(kind: str, **parameters: str) -> dict[str, Any]:
    """A processor with its parameters."""
    given = [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]
    return {"Type": kind, "Parameters": given}


def extraction(query: str) -> dict[str, Any]:
    """The processor that partitions by a jq query."""
    return processor("MetadataExtraction", MetadataExtractionQuery=query, JsonParsingEngine="JQ-1.6")
