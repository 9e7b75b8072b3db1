"""What delivery costs: a live Millstream, its worker process, objects in a directory of this machine.

While records are put the worker is held still; then it delivers them all, kept to one core. So a figure is what one
core is worth, whatever the other one does: megabytes (or records) that went in, by the seconds of CPU time, user and
kernel, that all threads of the worker used from the first record read until the last object was synced.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from benchmarks.client import ROLE_ARN, Client
from benchmarks.events import COLUMNS, events
from benchmarks.figures import Figures
from benchmarks.load import LoadError, LoadResult, run_load
from benchmarks.measures import BULK_CONNECTIONS, LARGE_BYTES, SMALL_BYTES, put_feeds
from benchmarks.process import Running, Worker
from benchmarks.rendering import FIREHOSE, GLUE, MILLSTREAM, RECORDS_PER_CALL, STREAM_NAME, render_batches

EVENTS = 8000  # different ones, which are put again and again
GROUPS = 1000
IDLE_STREAMS = 200
IDLE_SECONDS = 5.0
FLUSH_SECONDS_MAX = 120.0

_HINTS = {"SizeInMBs": 64, "IntervalInSeconds": 900}
_SIMPLE = "{key: .sector}"
_PROGRAM = "{key: (.sector | ascii_downcase)}"
_GROUP = "{key: .group}"


class Delivery(NamedTuple):
    """A way to deliver. `destination` are members of the S3 destination's configuration."""

    key: str  # of the figure
    destination: dict[str, Any]
    size_bytes: int = LARGE_BYTES
    by_records: bool = False


def _converted(serializer: str) -> dict[str, Any]:
    schema = {"DatabaseName": STREAM_NAME, "TableName": STREAM_NAME, "RoleARN": ROLE_ARN, "Region": "us-east-1"}
    conversion = {
        "Enabled": True,
        "SchemaConfiguration": schema,
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": {serializer: {}}},
    }
    return {"DataFormatConversionConfiguration": conversion, "BufferingHints": _HINTS}


def _partitioned(query: str) -> dict[str, Any]:
    parameters = {"MetadataExtractionQuery": query, "JsonParsingEngine": "JQ-1.6"}
    described = [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]
    return {
        "Prefix": "key=!{partitionKeyFromQuery:key}/",
        "ErrorOutputPrefix": "errors/",
        "BufferingHints": _HINTS,
        "DynamicPartitioningConfiguration": {"Enabled": True},
        "ProcessingConfiguration": {
            "Enabled": True,
            "Processors": [{"Type": "MetadataExtraction", "Parameters": described}],
        },
    }


DELIVERIES = (
    Delivery("deliver_plain_mb", {}),
    Delivery("deliver_gzip_mb", {"CompressionFormat": "GZIP"}),
    Delivery("deliver_snappy_mb", {"CompressionFormat": "Snappy"}),
    Delivery("deliver_parquet_mb", _converted("ParquetSerDe")),
    Delivery("deliver_orc_mb", _converted("OrcSerDe")),
    Delivery("deliver_gzip_200b", {"CompressionFormat": "GZIP"}, SMALL_BYTES, by_records=True),
    Delivery("partition_1k", _partitioned(_SIMPLE), by_records=True),
    Delivery("partition_200b", _partitioned(_SIMPLE), SMALL_BYTES, by_records=True),
    Delivery("partition_program_200b", _partitioned(_PROGRAM), SMALL_BYTES, by_records=True),
)
"""Most with AWS's default hints (5 MiB); conversion and partitions with the least that AWS allows."""


def measure_deliveries(running: Running, seconds: float) -> Figures:
    """A figure for each of DELIVERIES, from records put for so long. Raises LoadError if any is not delivered."""
    with Client(running.port, timeout_seconds=FLUSH_SECONDS_MAX + 30) as client:
        _create_table(client)
        return {delivery.key: _cost(running, client, delivery, seconds) for delivery in DELIVERIES}


def _cost(running: Running, client: Client, delivery: Delivery, seconds: float) -> float:
    name = delivery.key.replace("_", "-")
    client.create_delivery_stream(name, **delivery.destination)
    worker = running.worker()
    worker.keep_to_one_core()
    first = _put(running, name, delivery.size_bytes, 1, 0)  # for what is loaded once
    _deliver_all(client, name, first.records)
    worker.wait_until_idle()
    with worker.held():
        put = _put(running, name, delivery.size_bytes, 1, seconds)
        used_s = worker.cpu_s()
    _deliver_all(client, name, first.records + put.records)
    used_s = worker.cpu_s() - used_s
    client.call("DeleteDeliveryStream", service=FIREHOSE, DeliveryStreamName=name)
    return put.records * (1 if delivery.by_records else delivery.size_bytes / 1e6) / used_s


def measure_partitions(running: Running, seconds: float) -> Figures:
    """What the worker's memory comes to with a thousand partitions open, and while they are delivered."""
    with Client(running.port, timeout_seconds=FLUSH_SECONDS_MAX + 30) as client:
        client.create_delivery_stream(STREAM_NAME, **_partitioned(_GROUP))
        worker = running.worker()
        put = _put(running, STREAM_NAME, LARGE_BYTES, GROUPS, seconds)
        worker.wait_until_idle()
        figures = {
            "partitions_kib": put.records * LARGE_BYTES / GROUPS / 1024,
            "partitions_memory": worker.memory_peak_mib(),
        }
        _deliver_all(client, STREAM_NAME, put.records)
        return figures | {"partitions_delivered_memory": worker.memory_peak_mib()}


def measure_idle(running: Running) -> Figures:
    """What a worker takes whose many delivery streams have nothing to do."""
    with Client(running.port) as client:
        for number in range(IDLE_STREAMS):
            client.create_delivery_stream(f"{STREAM_NAME}-{number}")
    worker = running.worker()
    worker.wait_until_idle()
    return {"idle_cpu": _cpu_percent(worker, IDLE_SECONDS), "idle_memory": worker.memory_mib()}


def _cpu_percent(worker: Worker, seconds: float) -> float:
    used_s, since = worker.cpu_s(), time.perf_counter()
    time.sleep(seconds)
    return (worker.cpu_s() - used_s) / (time.perf_counter() - since) * 100


def _put(running: Running, name: str, size_bytes: int, groups: int, seconds: float) -> LoadResult:
    requests = render_batches(name, events(EVENTS, size_bytes, groups))
    return run_load(running.port, put_feeds(requests, RECORDS_PER_CALL, BULK_CONNECTIONS), seconds)


def _deliver_all(client: Client, name: str, records: int) -> None:
    """Has a delivery stream deliver all it has, and sees to it that this is what was put."""
    timeout_ms = int(FLUSH_SECONDS_MAX * 1000)
    client.call("FlushDeliveryStream", service=MILLSTREAM, DeliveryStreamName=name, TimeoutMs=timeout_ms)
    (told,) = client.call("DescribeDeliveries", service=MILLSTREAM, DeliveryStreamName=name)["Deliveries"]
    if told["DeliveredRecords"] != records or told["FailedRecords"]:
        raise LoadError(f"{name}: {records} records were put, but it says {told}")


def _create_table(client: Client) -> None:
    columns = [{"Name": name, "Type": kind} for name, kind in COLUMNS]
    table = {"Name": STREAM_NAME, "StorageDescriptor": {"Columns": columns}}
    client.call("CreateDatabase", service=GLUE, DatabaseInput={"Name": STREAM_NAME})
    client.call("CreateTable", service=GLUE, DatabaseName=STREAM_NAME, TableInput=table)
