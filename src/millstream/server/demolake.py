"""The demo's data lake: the ticks of the demo stream as Parquet, partitioned by sector, queryable as they come.

    DATA_DIR/objects/demo-lake/ticks/sector=ENERGY/demo-ticks-to-lake-1-….parquet

Made through the API, as anybody would make it; what is there from an earlier run is left as it is.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from millstream.server.demo import ensure, stream_arn
from millstream.server.inprocess import InProcessClient
from millstream.wire import Fault
from millstream.wire.request import DEFAULT_ACCOUNT

log = logging.getLogger("millstream.demo")

DELIVERY_STREAM_NAME = "demo-ticks-to-lake"
BUCKET = "demo-lake"
PREFIX = "ticks/"
INTERVAL_S = 30  # so that there is something to look at within the first minute

_SIZE_MB = 64  # the least that AWS takes with columns and partitions
_ROLE_ARN = f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/firehose"
_DATABASE = "demo"
_TABLE = {
    "Name": "ticks",
    "StorageDescriptor": {
        "Columns": [
            {"Name": "ticker_symbol", "Type": "string"},
            {"Name": "change", "Type": "double"},
            {"Name": "price", "Type": "double"},
        ]
    },
    "PartitionKeys": [{"Name": "sector", "Type": "string"}],
}


class Clients(NamedTuple):
    """Clients of the services that the lake is made with."""

    kinesis: InProcessClient
    firehose: InProcessClient
    glue: InProcessClient


async def ensure_lake(clients: Clients) -> None:
    """Make the table and the delivery stream unless they are there, once the demo stream is; never raises a Fault."""
    try:
        source_arn = await stream_arn(clients.kinesis)
        await ensure(clients.glue, "CreateDatabase", DatabaseInput={"Name": _DATABASE})
        await ensure(clients.glue, "CreateTable", DatabaseName=_DATABASE, TableInput=_TABLE)
        await ensure(clients.firehose, "CreateDeliveryStream", **_delivery_stream(source_arn))
    except Fault as fault:
        log.warning("the demo's ticks are not delivered: %s", fault)


def _delivery_stream(stream_arn: str) -> dict[str, Any]:
    """The members of CreateDeliveryStream."""
    return {
        "DeliveryStreamName": DELIVERY_STREAM_NAME,
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {"KinesisStreamARN": stream_arn, "RoleARN": _ROLE_ARN},
        "ExtendedS3DestinationConfiguration": {
            "BucketARN": f"arn:aws:s3:::{BUCKET}",
            "RoleARN": _ROLE_ARN,
            "Prefix": f"{PREFIX}sector=!{{partitionKeyFromQuery:sector}}/",
            "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
            "BufferingHints": {"SizeInMBs": _SIZE_MB, "IntervalInSeconds": INTERVAL_S},
            "CloudWatchLoggingOptions": {
                "Enabled": True,
                "LogGroupName": f"/aws/kinesisfirehose/{DELIVERY_STREAM_NAME}",
                "LogStreamName": "DestinationDelivery",
            },
            "DynamicPartitioningConfiguration": {"Enabled": True},
            "ProcessingConfiguration": {
                "Enabled": True,
                "Processors": [
                    {
                        "Type": "MetadataExtraction",
                        "Parameters": [
                            {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{sector:.SECTOR}"},
                            {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
                        ],
                    }
                ],
            },
            "DataFormatConversionConfiguration": {
                "Enabled": True,
                "SchemaConfiguration": {"RoleARN": _ROLE_ARN, "DatabaseName": _DATABASE, "TableName": _TABLE["Name"]},
                "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
                "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
            },
        },
    }
