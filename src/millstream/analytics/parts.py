"""What an application is configured with, as calls give it: inputs, outputs, reference tables, logging options.

Both APIs name the same things alike. The first gives every part a role; the second gives one to the whole application.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from millstream.analytics.model import Input, LoggingOption, Output, Reference, ResourceKind
from millstream.analytics.schemas import schema_of
from millstream.wire.faults import InvalidArgumentException

Params = Mapping[str, Any]

INPUT_KINDS = {
    "KinesisStreamsInput": ResourceKind.STREAM,
    "KinesisFirehoseInput": ResourceKind.DELIVERY_STREAM,
}
"""The members of Input, of which one says what is read."""

OUTPUT_KINDS = {
    "KinesisStreamsOutput": ResourceKind.STREAM,
    "KinesisFirehoseOutput": ResourceKind.DELIVERY_STREAM,
    "LambdaOutput": ResourceKind.FUNCTION,
}
"""The members of Output, of which one says where rows go."""


_ARNS = {
    ResourceKind.STREAM: ("a data stream", re.compile(r"arn:[^:]+:kinesis:[^:]+:[^:]+:stream/.+")),
    ResourceKind.DELIVERY_STREAM: (
        "a delivery stream",
        re.compile(r"arn:[^:]+:firehose:[^:]+:[^:]+:deliverystream/.+"),
    ),
    ResourceKind.FUNCTION: ("a function", re.compile(r"arn:[^:]+:lambda:[^:]+:[^:]+:function:.+")),
}


class Resource(NamedTuple):
    """Something of the server that an application reads or writes, and in which role."""

    kind: ResourceKind
    arn: str
    role_arn: str | None


def input_of(given: Params, input_id: str) -> Input:
    """An Input of the API. Raises InvalidArgumentException."""
    source = _the_one(given, INPUT_KINDS, "An input")
    processor = given.get("InputProcessingConfiguration", {}).get("InputLambdaProcessor", {})
    return Input(
        input_id=input_id,
        name_prefix=given["NamePrefix"],
        kind=source.kind,
        arn=source.arn,
        role_arn=source.role_arn,
        parallelism=given.get("InputParallelism", {}).get("Count", 1),
        schema=schema_of(given["InputSchema"]),
        processor_arn=processor.get("ResourceARN"),
        processor_role_arn=processor.get("RoleARN"),
    )


def output_of(given: Params, output_id: str) -> Output:
    """An Output of the API. Raises InvalidArgumentException."""
    target = _the_one(given, OUTPUT_KINDS, "An output")
    return Output(
        output_id=output_id,
        name=given["Name"],
        kind=target.kind,
        arn=target.arn,
        role_arn=target.role_arn,
        format=given["DestinationSchema"]["RecordFormatType"],
    )


def reference_of(given: Params, reference_id: str) -> Reference:
    """A ReferenceDataSource of the API. Raises InvalidArgumentException."""
    source = given.get("S3ReferenceDataSource", {})
    missing = [name for name in ("BucketARN", "FileKey") if name not in source]
    if missing:
        raise InvalidArgumentException(
            f"Reference table {given['TableName']} needs S3ReferenceDataSource with {' and '.join(missing)}."
        )
    return Reference(
        reference_id=reference_id,
        table_name=given["TableName"],
        bucket_arn=source["BucketARN"],
        file_key=source["FileKey"],
        role_arn=source.get("ReferenceRoleARN"),
        schema=schema_of(given["ReferenceSchema"]),
    )


def logging_option_of(given: Params, option_id: str) -> LoggingOption:
    """A CloudWatchLoggingOption of the API."""
    return LoggingOption(option_id=option_id, log_stream_arn=given["LogStreamARN"], role_arn=given.get("RoleARN"))


def kind_of(arn: str) -> ResourceKind | None:
    """What an ARN is of, if an application can read or write it."""
    return next((kind for kind, (_, pattern) in _ARNS.items() if pattern.fullmatch(arn)), None)


def check_arn(kind: ResourceKind, arn: str) -> None:
    """Raises InvalidArgumentException unless that is how ARNs of the kind are."""
    if kind_of(arn) is not kind:
        raise InvalidArgumentException(f"ResourceARN {arn} is not the ARN of {_ARNS[kind][0]}.")


def source_streams(source: Input) -> list[str]:
    """The names of an input's in-application streams: PREFIX_001 to as many as its parallelism."""
    return [f"{source.name_prefix}_{number:03d}" for number in range(1, source.parallelism + 1)]


def new_id(version: int, taken: Iterable[str] = ()) -> str:
    """The id of a part that comes with that version of the application: 1.1, then 1.2; 2.1 for the next version's."""
    held = set(taken)
    number = 1
    while f"{version}.{number}" in held:
        number += 1
    return f"{version}.{number}"


def _the_one(given: Params, kinds: Mapping[str, ResourceKind], what: str) -> Resource:
    named = [name for name in kinds if name in given]
    if len(named) != 1:
        found = f"has {' and '.join(named)}" if named else "has none of them"
        raise InvalidArgumentException(f"{what} must have exactly one of {', '.join(kinds)}; this one {found}.")
    member = given[named[0]]
    return Resource(kinds[named[0]], member["ResourceARN"], member.get("RoleARN"))
