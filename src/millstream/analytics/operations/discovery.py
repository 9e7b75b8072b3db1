"""DiscoverInputSchema: some records of a source, what they look like, and the schema that fits them."""

# ruff: noqa: PLC0415 - discovery loads Polars, which the server does without until somebody asks for it

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from millstream.analytics.faults import UnableToDetectSchemaException
from millstream.analytics.model import ResourceKind, Start
from millstream.analytics.parts import check_arn, kind_of
from millstream.analytics.schemas import describe_schema
from millstream.wire.context import CallContext
from millstream.wire.faults import InvalidArgumentException

if TYPE_CHECKING:
    from millstream.analytics.records.discovery import Discovered
    from millstream.analytics.service import AnalyticsService

Params = Mapping[str, Any]

OBJECT_BYTES_MAX = 1 << 20
"""How much of an object is looked at."""

RECORDS_SHOWN_MAX = 100
"""Of an object: rows of its text."""

_NULL = "null"  # strings of a reply's list cannot be null


async def discover_input_schema(service: AnalyticsService, context: CallContext, params: Params) -> dict[str, Any]:
    """The schema of a source's records, and the records: raw, processed by a function if one is given, and as rows."""
    if ("ResourceARN" in params) == ("S3Configuration" in params):
        raise InvalidArgumentException("Give either ResourceARN, of a streaming source, or S3Configuration.")
    read = _object if "S3Configuration" in params else _sample
    records = await read(service, context, params)
    raw, processed = _texts(records), []
    if "InputProcessingConfiguration" in params:
        function_arn = params["InputProcessingConfiguration"]["InputLambdaProcessor"]["ResourceARN"]
        check_arn(ResourceKind.FUNCTION, function_arn)
        records = await service.resources.transform(context.account, context.region, function_arn, records)
        processed = _texts(records)
    found = await asyncio.to_thread(_discover, records)
    if isinstance(found, str):
        raise UnableToDetectSchemaException(found, raw, processed)
    return {
        "InputSchema": describe_schema(found.schema),
        "ParsedInputRecords": [[_NULL if cell is None else cell for cell in row] for row in found.parsed],
        "ProcessedInputRecords": processed or None,
        "RawInputRecords": raw,
    }


async def _sample(service: AnalyticsService, context: CallContext, params: Params) -> list[bytes]:
    arn = params["ResourceARN"]
    kind = kind_of(arn)
    if kind is None or kind is ResourceKind.FUNCTION:
        raise InvalidArgumentException(f"ResourceARN {arn} is neither of a data stream nor of a delivery stream.")
    configuration = params.get("InputStartingPositionConfiguration", {})
    start = Start(configuration.get("InputStartingPosition", Start.NOW))
    records = await service.resources.sample(context.account, context.region, kind, arn, start)
    if not records:
        raise UnableToDetectSchemaException(
            f"No records came from {arn}: put some while its schema is discovered, or start at TRIM_HORIZON.", [], []
        )
    return records


async def _object(service: AnalyticsService, context: CallContext, params: Params) -> list[bytes]:
    """The object as one record, without the row at its end that may be cut off."""
    place = params["S3Configuration"]
    content = await service.resources.read_object(
        context.account, context.region, place["BucketARN"], place["FileKey"], bytes_max=OBJECT_BYTES_MAX
    )
    if len(content) >= OBJECT_BYTES_MAX and b"\n" in content:
        content = content[: content.rindex(b"\n") + 1]
    if not content:
        raise UnableToDetectSchemaException(f"Object {place['FileKey']} is empty.", [], [])
    return [content]


def _discover(records: Sequence[bytes]) -> Discovered | str:
    """What the records look like, or why that cannot be said."""
    from millstream.analytics.records.discovery import UnableToDetect, discover

    try:
        return discover(records)
    except UnableToDetect as reason:
        return str(reason)


def _texts(records: Sequence[bytes]) -> list[str]:
    """Records as they are shown: each, or the rows of the only one."""
    texts = [record.decode("utf-8", "replace") for record in records]
    shown = texts[0].splitlines() if len(texts) == 1 else texts
    return shown[:RECORDS_SHOWN_MAX]
