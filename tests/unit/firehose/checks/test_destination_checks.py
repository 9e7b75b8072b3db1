"""What destinations other than S3 may not be."""

from __future__ import annotations

from typing import Any

import pytest

from millstream.firehose.checks.urls import check_url
from millstream.wire.faults import InvalidArgumentException
from support.configurations import LEAST, S3, configured, extraction, processing, with_s3
from support.delivery_plane import DeliveryPlane

SECRETS_MANAGER = {"Enabled": True, "SecretARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:x"}
TABLE = {"DestinationDatabaseName": "shop", "DestinationTableName": "orders"}


@pytest.fixture
def plane() -> DeliveryPlane:
    return DeliveryPlane(limits_aws=True)


async def refused(plane: DeliveryPlane, **configuration: Any) -> str:
    refusal = await plane.refusal("CreateDeliveryStream", DeliveryStreamName="ticks", **configuration)
    assert refusal.code == "InvalidArgumentException", refusal
    return refusal.message


def copying(options: str = "", table: str = "orders", columns: str = "", **s3: Any) -> dict[str, Any]:
    command = {"DataTableName": table, "DataTableColumns": columns, "CopyOptions": options}
    return configured("Redshift", CopyCommand=command, S3Configuration={**S3, **s3})


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        (copying(CompressionFormat="Snappy"), "CompressionFormat Snappy cannot be specified"),
        (copying(CompressionFormat="ZIP"), "CompressionFormat ZIP cannot be specified"),
        (copying(CompressionFormat="GZIP"), "CopyOptions must have GZIP if and only if"),
        (copying("gzip"), "CopyOptions must have GZIP if and only if"),
        (copying("frobnicate"), "FROBNICATE"),
        (copying(table="orders; drop table orders"), "DataTableName is not the name of a table"),
        (copying(columns="a b"), "DataTableColumns is not a list of columns"),
        (
            copying(Prefix="!{timestamp:yyyy}/", ErrorOutputPrefix="!{firehose:error-output-type}"),
            "Prefix cannot contain expressions when the destination is Amazon Redshift",
        ),
        (copying(ErrorOutputPrefix="e/"), "ErrorOutputPrefix must be null when the destination is Amazon Redshift"),
        (configured("Redshift", ClusterJDBCURL="jdbc:mysql://h/d"), "Invalid ClusterJDBCURL"),
        (configured("Redshift", Username=None), "Username must be specified"),
        (configured("Redshift", S3BackupMode="Enabled"), "S3BackupConfiguration must be specified"),
        (configured("Redshift", ProcessingConfiguration=processing(extraction("{a}"))), "MetadataExtraction"),
        (configured("Redshift", SecretsManagerConfiguration=SECRETS_MANAGER), "Give Password"),
    ],
)
async def test_redshift(plane: DeliveryPlane, configuration: dict[str, Any], words: str) -> None:
    assert words in await refused(plane, **configuration)


@pytest.mark.parametrize("url", ["duckdb:", "duckdb:sales", "jdbc:postgresql://localhost:5432/dev"])
async def test_warehouses_of_ones_own(plane: DeliveryPlane, url: str) -> None:
    await plane.call("CreateDeliveryStream", DeliveryStreamName="a", **configured("Redshift", ClusterJDBCURL=url))


async def test_objects_that_copy_can_read(plane: DeliveryPlane) -> None:
    await plane.call("CreateDeliveryStream", DeliveryStreamName="a", **copying("json 'auto'", columns="a, b"))
    await plane.call("CreateDeliveryStream", DeliveryStreamName="b", **copying("GZIP", CompressionFormat="GZIP"))


@pytest.mark.parametrize(
    "index",
    ["Orders", "-a", "_a", "+a", "a b", "a/b", "a\\b", "a*", 'a"', "a<b", "a|b", "a,b", "a#b", "a:b", ".", ".."],
)
async def test_index_names(plane: DeliveryPlane, index: str) -> None:
    message = await refused(plane, **configured("Amazonopensearchservice", IndexName=index))
    assert message.startswith(f"IndexName {index} is not valid")


@pytest.mark.parametrize(
    "members",
    [
        {"ClusterEndpoint": None},
        {"DomainARN": LEAST["Elasticsearch"]["DomainARN"]},
    ],
)
async def test_one_place_to_search(plane: DeliveryPlane, members: dict[str, Any]) -> None:
    message = await refused(plane, **configured("Amazonopensearchservice", **members))
    assert message.startswith("Exactly one of ClusterEndpoint and DomainARN must be specified")


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        (configured("HttpEndpoint", EndpointConfiguration={"Url": "http://example.com/"}), "within the local network"),
        (configured("Splunk", HECEndpoint="splunk"), "HECEndpoint must be a URL that begins with https://"),
        (configured("Splunk", HECToken=""), "HECToken must be specified for a Splunk destination."),
        (configured("Splunk", HECToken=None), "HECToken must be specified for a Splunk destination."),
        (configured("Elasticsearch", DomainARN=None, ClusterEndpoint="http://example.com"), "ClusterEndpoint must"),
        (
            configured("HttpEndpoint", RequestConfiguration={"CommonAttributes": [
                {"AttributeName": "a", "AttributeValue": "1"}, {"AttributeName": "a", "AttributeValue": "2"}]}),
            "The names of CommonAttributes must differ from each other.",
        ),
        (configured("HttpEndpoint", SecretsManagerConfiguration=SECRETS_MANAGER), "Give AccessKey"),
        (configured("Iceberg", DestinationTableConfigurationList=[TABLE, TABLE]), "A table can be only once"),
        (configured("Splunk", ProcessingConfiguration=processing(extraction("{a}"))), "MetadataExtraction processor"),
        (with_s3("Splunk", Prefix="!{timestamp:yyyy}"), "ErrorOutputPrefix cannot be null or empty"),
        (with_s3("HttpEndpoint", BucketARN="arn:aws:s3:::UPPER"), "'UPPER' cannot be a bucket's name"),
        (with_s3("Elasticsearch", BufferingHints={"SizeInMBs": 1}), "you must also specify"),
        (
            configured("Iceberg", CloudWatchLoggingOptions={"Enabled": True}),
            "LogGroupName and LogStreamName must be specified in IcebergDestinationConfiguration",
        ),
    ],
)  # fmt: skip
async def test_the_other_destinations(plane: DeliveryPlane, configuration: dict[str, Any], words: str) -> None:
    assert words in await refused(plane, **configuration)


QUERY = "{destinationDatabaseName: .db, destinationTableName: .t}"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"DestinationTableConfigurationList": [{**TABLE, "UniqueKeys": ["id"]}], "AppendOnly": False}, "only inserts"),
        (
            {"DestinationTableConfigurationList": [{**TABLE, "PartitionSpec": {"Identity": [{"SourceName": "a"}]}}]},
            "PartitionSpec is not served",
        ),
        ({"DestinationTableConfigurationList": [{**TABLE, "S3ErrorOutputPrefix": "e/"}]}, "S3ErrorOutputPrefix"),
        ({"SchemaEvolutionConfiguration": {"Enabled": True}}, "does not change tables"),
        ({"DestinationTableConfigurationList": None}, "Exactly one table must be in"),
        (
            {
                "DestinationTableConfigurationList": None,
                "ProcessingConfiguration": processing(extraction("{destinationTableName: .t}")),
            },
            "Exactly one table must be in",
        ),
    ],
)
async def test_iceberg(plane: DeliveryPlane, members: dict[str, Any], words: str) -> None:
    assert words in await refused(plane, **configured("Iceberg", **members))


async def test_iceberg_tables_by_record(plane: DeliveryPlane) -> None:
    routed = {"DestinationTableConfigurationList": None, "ProcessingConfiguration": processing(extraction(QUERY))}
    await plane.call("CreateDeliveryStream", DeliveryStreamName="a", **configured("Iceberg", **routed))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://user:password@example.com:9200/path?x=y",
        "http://localhost:9200",
        "http://127.0.0.1:1/x",
        "http://[::1]:1",
        "http://192.168.0.7",
        "http://opensearch:9200",
        "http://search.svc.cluster.local",
    ],
)
def test_urls_that_may_be(url: str) -> None:
    check_url(url, "Url")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://8.8.8.8",
        "ftp://localhost",
        "https://",
        "https:/x",
        "https://h:99999",
        "https://h\n",
    ],
)
def test_urls_that_may_not_be(url: str) -> None:
    with pytest.raises(InvalidArgumentException):
        check_url(url, "Url")


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({}, "Exactly one destination configuration is supported for a Firehose"),
        (
            configured("S3") | configured("ExtendedS3"),
            "Exactly one destination configuration is supported for a Firehose",
        ),
    ],
)
async def test_one_destination(plane: DeliveryPlane, configuration: dict[str, Any], message: str) -> None:
    assert await refused(plane, **configuration) == message


async def test_snowflake(plane: DeliveryPlane) -> None:
    members = dict.fromkeys(("Database", "Schema", "Table"), "x")
    snowflake = {"AccountUrl": "https://x.snowflakecomputing.com", "RoleARN": S3["RoleARN"], "S3Configuration": S3}
    message = await refused(plane, SnowflakeDestinationConfiguration=snowflake | members)
    assert message.startswith("Millstream does not deliver to Snowflake.")
