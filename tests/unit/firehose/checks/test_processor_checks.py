"""Processors and their parameters, as far as they are checked when a destination is configured."""

from __future__ import annotations

import pytest

from millstream.firehose.checks.processors import check_processing
from millstream.firehose.checks.queries import query_keys
from millstream.wire.faults import InvalidArgumentException
from support.configurations import extraction, processing, processor

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:clean:$LATEST"


def refused(*processors: dict[str, object]) -> str:
    with pytest.raises(InvalidArgumentException) as caught:
        check_processing({"ProcessingConfiguration": processing(*processors)})
    return caught.value.message


@pytest.mark.parametrize(
    "given",
    [
        processor("Lambda", LambdaArn=FUNCTION),
        processor("Lambda", LambdaArn=FUNCTION, NumberOfRetries="0", BufferSizeInMBs="0.2"),
        processor("Lambda", LambdaArn=FUNCTION, BufferSizeInMBs="3", BufferIntervalInSeconds="900"),
        processor("Decompression", CompressionFormat="GZIP"),
        processor("AppendDelimiterToRecord"),
        processor("AppendDelimiterToRecord", Delimiter="\\n"),
        processor("RecordDeAggregation", SubRecordType="DELIMITED", Delimiter="IyMjIw=="),
        extraction('{customer: .customer_id, day: .ts | strftime("%d")}'),
    ],
)
def test_processors_that_may_be(given: dict[str, object]) -> None:
    found = check_processing({"ProcessingConfiguration": processing(given)})
    assert found.has(str(given["Type"]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (processor("Lambda"), "Processor type Lambda must have the parameter LambdaArn."),
        (
            processor("Lambda", LambdaArn="clean"),
            "Parameter LambdaArn of processor type Lambda must be the ARN of a function, not clean.",
        ),
        (
            processor("Lambda", LambdaArn=FUNCTION, BufferSizeInMBs="0.1"),
            "Parameter BufferSizeInMBs of processor type Lambda must be a number from 0.2 to 3, not 0.1.",
        ),
        (
            processor("Lambda", LambdaArn=FUNCTION, NumberOfRetries="nan"),
            "Parameter NumberOfRetries of processor type Lambda must be an integer from 0 to 300, not nan.",
        ),
        (
            processor("MetadataExtraction", LambdaArn=FUNCTION),
            (
                "Processor type MetadataExtraction does not have the parameter LambdaArn. It has: "
                "MetadataExtractionQuery, JsonParsingEngine."
            ),
        ),
        (
            processor("MetadataExtraction", MetadataExtractionQuery="{a}", JsonParsingEngine="JQ-1.7"),
            "Parameter JsonParsingEngine of processor type MetadataExtraction must be JQ-1.6, not JQ-1.7.",
        ),
        (
            processor("Decompression", CompressionFormat="ZIP"),
            "Parameter CompressionFormat of processor type Decompression must be GZIP, not ZIP.",
        ),
        (
            processor("RecordDeAggregation", SubRecordType="XML"),
            "Parameter SubRecordType of processor type RecordDeAggregation must be JSON or DELIMITED, not XML.",
        ),
    ],
)
def test_parameters(given: dict[str, object], message: str) -> None:
    assert refused(given) == message


def test_a_parameter_twice() -> None:
    twice = processor("AppendDelimiterToRecord", Delimiter="a")
    twice["Parameters"] *= 2
    assert refused(twice) == "Parameter Delimiter of processor type AppendDelimiterToRecord is given more than once."


def test_a_processor_twice() -> None:
    once = processor("AppendDelimiterToRecord")
    assert refused(once, once) == "There can be only one processor of type AppendDelimiterToRecord."


def test_processors_that_need_each_other() -> None:
    message = refused(processor("CloudWatchLogProcessing", DataMessageExtraction="true"))
    assert message.startswith("Processor type CloudWatchLogProcessing needs a processor of type Decompression")
    assert "base64" in refused(processor("RecordDeAggregation", SubRecordType="DELIMITED", Delimiter="###"))
    assert "Delimiter" in refused(processor("RecordDeAggregation", SubRecordType="DELIMITED"))


def test_a_query_that_does_not_compile() -> None:
    message = refused(extraction("{a: .b"))
    assert message.startswith("MetadataExtractionQuery is not a valid jq expression: ")
    assert "\n" not in message


def test_what_is_not_enabled_is_not_checked() -> None:
    found = check_processing({"ProcessingConfiguration": {"Enabled": False, "Processors": [processor("Lambda")]}})
    assert not found.enabled
    assert not found.has("Lambda")


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("{a:.a}", {"a"}),
        ("{a, b: .c.d, }", {"a", "b"}),
        (' { "a b" : .x , c_1 : [.y, {z: 1}] | length } ', {"a b", "c_1"}),
        ('{day: .ts | strftime("%d, %m"), hour: (.ts | strftime("}"))}', {"day", "hour"}),
        ("{}", set()),
        (".a", None),
        ("{(.k): .v}", None),
        (r'{a: "x\(.y)", b: 1}', None),
        ("{a: .b} | {c: .a}", None),
    ],
)
def test_keys_of_a_query(query: str, keys: set[str] | None) -> None:
    assert query_keys(query) == keys
