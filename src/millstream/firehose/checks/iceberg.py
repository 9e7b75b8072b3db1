"""Checks of Iceberg destinations: which tables records go to, and what of it is served.

Source: API reference, IcebergDestinationConfiguration; developer guide, "Route incoming records". Records are only
inserted, into tables whose schemas stay as they are.
"""

from __future__ import annotations

from typing import Any

from millstream.firehose.checks.endpoints import check_common
from millstream.firehose.checks.processors import Processors
from millstream.firehose.defaults import is_enabled
from millstream.wire.faults import InvalidArgumentException

Description = dict[str, Any]

_ROUTING_KEYS = frozenset({"destinationDatabaseName", "destinationTableName"})


def check_iceberg(configuration: Description, _limits_aws: bool) -> None:
    """Check a whole Iceberg destination."""
    tables = configuration.get("DestinationTableConfigurationList", [])
    names = [(table["DestinationDatabaseName"], table["DestinationTableName"]) for table in tables]
    if len(set(names)) != len(names):
        raise InvalidArgumentException("A table can be only once in DestinationTableConfigurationList.")
    for table in tables:
        _check_table(table, append_only=configuration["AppendOnly"])
    if is_enabled(configuration.get("SchemaEvolutionConfiguration")):
        raise InvalidArgumentException("Millstream does not change tables: SchemaEvolutionConfiguration is not served.")
    processors = check_common(configuration, "IcebergDestinationConfiguration")
    if len(tables) != 1:
        _check_routing(processors)


def _check_table(table: Description, *, append_only: bool) -> None:
    if table.get("UniqueKeys") and not append_only:
        raise InvalidArgumentException(
            "Millstream only inserts into Iceberg tables: leave UniqueKeys out, which are for updates and deletes, or "
            "set AppendOnly."
        )
    if table.get("PartitionSpec", {}).get("Identity"):
        raise InvalidArgumentException(
            "Millstream makes Iceberg tables without partitions: PartitionSpec is not served. Make the table yourself, "
            "as it should be partitioned."
        )
    if table.get("S3ErrorOutputPrefix"):
        raise InvalidArgumentException(
            "S3ErrorOutputPrefix of single tables is not served. Use ErrorOutputPrefix in S3Configuration."
        )


def _check_routing(processors: Processors) -> None:
    """Where there is not exactly one table, a processor must say which table a record goes to."""
    keys = processors.query_keys
    extracts = processors.has("MetadataExtraction") and (keys is None or keys >= _ROUTING_KEYS)
    if not (extracts or processors.has("Lambda")):
        raise InvalidArgumentException(
            "Exactly one table must be in DestinationTableConfigurationList, unless a Lambda or MetadataExtraction "
            f"processor gives each record its {' and '.join(sorted(_ROUTING_KEYS))}."
        )
