"""Checks of processors and their parameters.

Source: API reference, Processor and ProcessorParameter; developer guide, pages on each processor.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from millstream.firehose.checks.queries import query_keys
from millstream.firehose.processing.deaggregation import decode_delimiter
from millstream.firehose.processing.jqquery import query_problem
from millstream.wire.faults import InvalidArgumentException

Description = dict[str, Any]

LAMBDA_RETRIES_MAX = 300
LAMBDA_SIZE_MB_MIN = 0.2
LAMBDA_SIZE_MB_MAX = 3
LAMBDA_INTERVAL_S_MAX = 900

_LAMBDA_ARN = re.compile(r"arn:aws[^:]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9$_-]{1,128})?")
_ROLE_ARN = re.compile(r"arn:[^:]*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+")

Check = Callable[[str], bool]


class Processors(NamedTuple):
    """The processors of a delivery stream that work; `query_keys` as `queries.query_keys` says, empty without one."""

    enabled: bool
    types: frozenset[str]
    query_keys: frozenset[str] | None

    def has(self, processor_type: str) -> bool:
        """Whether a processor of that type works."""
        return processor_type in self.types


class _Parameter(NamedTuple):
    rule: str  # what a value must be, for messages
    holds: Check
    is_required: bool = False


def _one_of(*values: str) -> Check:
    return values.__contains__


def _number(least: float, most: float) -> Check:
    return lambda value: bool(re.fullmatch(r"\d+(\.\d+)?", value)) and least <= float(value) <= most


def _integer(most: int) -> Check:
    return lambda value: bool(re.fullmatch(r"\d{1,9}", value)) and int(value) <= most


def _any(_: str) -> bool:
    return True


_TYPES: dict[str, dict[str, _Parameter]] = {
    "Lambda": {
        "LambdaArn": _Parameter("the ARN of a function", lambda value: bool(_LAMBDA_ARN.fullmatch(value)), True),
        "NumberOfRetries": _Parameter(f"an integer from 0 to {LAMBDA_RETRIES_MAX}", _integer(LAMBDA_RETRIES_MAX)),
        "RoleArn": _Parameter("the ARN of a role", lambda value: bool(_ROLE_ARN.fullmatch(value))),
        "BufferSizeInMBs": _Parameter(
            f"a number from {LAMBDA_SIZE_MB_MIN} to {LAMBDA_SIZE_MB_MAX}",
            _number(LAMBDA_SIZE_MB_MIN, LAMBDA_SIZE_MB_MAX),
        ),
        "BufferIntervalInSeconds": _Parameter(
            f"an integer from 0 to {LAMBDA_INTERVAL_S_MAX}", _integer(LAMBDA_INTERVAL_S_MAX)
        ),
    },
    "MetadataExtraction": {
        "MetadataExtractionQuery": _Parameter("a jq expression", _any, True),
        "JsonParsingEngine": _Parameter("JQ-1.6", _one_of("JQ-1.6"), True),
    },
    "RecordDeAggregation": {
        "SubRecordType": _Parameter("JSON or DELIMITED", _one_of("JSON", "DELIMITED"), True),
        "Delimiter": _Parameter("a delimiter", _any),
    },
    "AppendDelimiterToRecord": {"Delimiter": _Parameter("a delimiter", _any)},
    "Decompression": {"CompressionFormat": _Parameter("GZIP", _one_of("GZIP"), True)},
    "CloudWatchLogProcessing": {
        "DataMessageExtraction": _Parameter("true or false", _one_of("true", "false", "True", "False"), True)
    },
}


def check_processing(configuration: Description) -> Processors:
    """Check a destination's processors; those that are not enabled are not looked at, as in AWS."""
    processing = configuration["ProcessingConfiguration"]
    if not processing["Enabled"]:
        return Processors(False, frozenset(), frozenset())
    values: dict[str, dict[str, str]] = {}
    for processor in processing["Processors"]:
        kind = processor["Type"]
        if kind in values:
            raise InvalidArgumentException(f"There can be only one processor of type {kind}.")
        values[kind] = _parameters(kind, processor.get("Parameters", []))
    _check_together(values)
    keys: frozenset[str] | None = frozenset()
    if "MetadataExtraction" in values:
        keys = _check_query(values["MetadataExtraction"]["MetadataExtractionQuery"])
    return Processors(True, frozenset(values), keys)


def _parameters(kind: str, given: list[Description]) -> dict[str, str]:
    known = _TYPES[kind]
    values: dict[str, str] = {}
    for parameter in given:
        name, value = parameter["ParameterName"], parameter["ParameterValue"]
        if name not in known:
            raise InvalidArgumentException(
                f"Processor type {kind} does not have the parameter {name}. It has: {', '.join(known)}."
            )
        if name in values:
            raise InvalidArgumentException(f"Parameter {name} of processor type {kind} is given more than once.")
        if not known[name].holds(value):
            raise InvalidArgumentException(
                f"Parameter {name} of processor type {kind} must be {known[name].rule}, not {value}."
            )
        values[name] = value
    missing = [name for name, parameter in known.items() if parameter.is_required and name not in values]
    if missing:
        raise InvalidArgumentException(f"Processor type {kind} must have the parameter {missing[0]}.")
    return values


def _check_together(values: dict[str, dict[str, str]]) -> None:
    if "CloudWatchLogProcessing" in values and "Decompression" not in values:
        raise InvalidArgumentException(
            "Processor type CloudWatchLogProcessing needs a processor of type Decompression: CloudWatch Logs sends "
            "its records compressed."
        )
    deaggregation = values.get("RecordDeAggregation", {})
    if deaggregation.get("SubRecordType") == "DELIMITED":
        try:
            decode_delimiter(deaggregation.get("Delimiter", ""))
        except ValueError as error:
            raise InvalidArgumentException(
                f"Parameter Delimiter of processor type RecordDeAggregation: {error}"
            ) from None


def _check_query(query: str) -> frozenset[str] | None:
    problem = query_problem(query)
    if problem is not None:
        reason = problem.replace("\n", " ").strip()
        raise InvalidArgumentException(f"MetadataExtractionQuery is not a valid jq expression: {reason}")
    return query_keys(query)
