"""What a delivery stream's configuration asks of its pipeline, and what the parts of the pipeline are made with."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Set
from typing import Any, NamedTuple

import msgspec

from millstream.firehose.configuration import (
    KEEPS_ALL,
    S3,
    BufferingHints,
    Configuration,
    ExtendedS3,
    Redshift,
    parse,
)
from millstream.firehose.engine.ground import Ground
from millstream.firehose.model import DeliveryStream
from millstream.firehose.ports import Surroundings

_NOT_OF_PLACE = frozenset(
    {
        "BufferingHints",
        "CloudWatchLoggingOptions",
        "ProcessingConfiguration",
        "RetryOptions",
        "S3BackupDescription",
        "S3BackupMode",
    }
)


class Plan(NamedTuple):
    """What a delivery stream's configuration asks for."""

    configuration: Configuration
    objects: S3
    hints: BufferingHints
    backup: S3 | None
    function: bool
    routing: str  # stands for what decides into which lanes records go
    place: str  # stands for what decides where parcels go, and as what

    @classmethod
    def of(cls, stream: DeliveryStream, ground: Ground) -> Plan:
        configuration = parse(stream.destination, ground.open_secret)
        objects = configuration if isinstance(configuration, ExtendedS3) else configuration.s3
        keeps_all = configuration.backup_mode in KEEPS_ALL
        separate = isinstance(configuration, ExtendedS3 | Redshift)
        backup = (configuration.backup if separate else objects) if keeps_all else None  # type: ignore[union-attr]
        processing = configuration.processing
        calls = processing.enabled and any(processor.type == "Lambda" for processor in processing.processors)
        hints = objects.buffering if isinstance(configuration, Redshift) else configuration.buffering
        partitioning = isinstance(configuration, ExtendedS3) and configuration.partitioning.enabled
        routing = _digest([processing, partitioning])
        place = _digest([stream.destination.kind, _without(stream.destination.configuration, _NOT_OF_PLACE)])
        return cls(configuration, objects, hints, backup, calls, routing, place)


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]


def _without(members: Mapping[str, Any], names: Set[str]) -> dict[str, Any]:
    """The members but for those called like that, at any depth."""
    return {
        name: _without(value, names) if isinstance(value, Mapping) else value
        for name, value in members.items()
        if name not in names
    }


def surroundings(stream: DeliveryStream, ground: Ground) -> Surroundings:
    """What the parts of a delivery stream's deliveries are made with."""
    return Surroundings(
        account=stream.account,
        region=stream.region,
        stream_name=stream.name,
        stream_arn=stream.arn,
        version=stream.version,
        source_stream_arn=stream.source.stream_arn if stream.source else None,
        clock=ground.clock,
        generator=random.Random(ground.generator.getrandbits(64)),  # noqa: S311 - names and pauses, not secrets
        threads=ground.threads,
        converters=ground.converters,
        stores=ground.stores,
        errors=ground.error_log(stream),
        functions=ground.functions,
        tables=ground.tables,
        scratch=ground.scratch,
        warehouse_path=str(ground.data_dir / "warehouse.duckdb"),
        sequence_number=ground.sequence_numbers(stream),
    )
