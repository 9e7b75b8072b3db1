"""DiscoverInputSchema through both APIs."""

from __future__ import annotations

from typing import Any

import pytest

from millstream.analytics.faults import UnableToDetectSchemaException
from millstream.analytics.model import Start
from support.analytics_plane import DELIVERY, FUNCTION, ROLE, STREAM, AnalyticsPlane, refusal

TICKS = [b'{"ticker": "AMZN", "price": 10.5}', b'{"ticker": "TGT", "price": null}']


@pytest.fixture
def plane() -> AnalyticsPlane:
    plane = AnalyticsPlane()
    plane.resources.records = TICKS
    return plane


def columns(found: Any) -> list[tuple[str, str]]:
    return [(column["Name"], column["Mapping"]) for column in found["InputSchema"]["RecordColumns"]]


@pytest.mark.parametrize("arn", [STREAM, DELIVERY])
async def test_a_stream_or_delivery_stream_is_sampled(plane: AnalyticsPlane, arn: str) -> None:
    found = await plane.first("DiscoverInputSchema", ResourceARN=arn, RoleARN=ROLE)
    assert columns(found) == [("ticker", "$.ticker"), ("price", "$.price")]
    assert found["ParsedInputRecords"] == [["AMZN", "10.5"], ["TGT", "null"]]
    assert found["RawInputRecords"] == [tick.decode() for tick in TICKS]
    assert "ProcessedInputRecords" not in found
    assert plane.resources.started_at == [Start.NOW]


async def test_records_are_processed_first(plane: AnalyticsPlane) -> None:
    found = await plane.second(
        "DiscoverInputSchema",
        ServiceExecutionRole=ROLE,
        ResourceARN=STREAM,
        InputStartingPositionConfiguration={"InputStartingPosition": "TRIM_HORIZON"},
        InputProcessingConfiguration={"InputLambdaProcessor": {"ResourceARN": FUNCTION}},
    )
    assert found["ProcessedInputRecords"][0] == '{"symbol": "AMZN", "price": 10.5}'
    assert found["RawInputRecords"][0] == TICKS[0].decode()
    assert columns(found)[0] == ("symbol", "$.symbol")
    assert plane.resources.started_at == [Start.TRIM_HORIZON]


async def test_an_object_is_read_up_to_its_last_whole_row(
    plane: AnalyticsPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millstream.analytics.operations.discovery.OBJECT_BYTES_MAX", 40)
    plane.resources.objects["arn:aws:s3:::tables/companies.csv"] = b"AMZN,Amazon,1\n" * 20
    place = {"BucketARN": "arn:aws:s3:::tables", "FileKey": "companies.csv", "RoleARN": ROLE}
    found = await plane.first("DiscoverInputSchema", S3Configuration=place)
    assert found["InputSchema"]["RecordFormat"]["RecordFormatType"] == "CSV"
    assert len(found["InputSchema"]["RecordColumns"]) == 3
    assert found["RawInputRecords"] == ["AMZN,Amazon,1"] * 2


async def test_what_has_no_form_is_given_back(plane: AnalyticsPlane) -> None:
    plane.resources.records = [b"\x00\xff"]
    with pytest.raises(UnableToDetectSchemaException) as caught:
        await plane.first("DiscoverInputSchema", ResourceARN=STREAM, RoleARN=ROLE)
    document = caught.value.document()
    assert document["__type"] == "UnableToDetectSchemaException"
    assert document["RawInputRecords"] == ["\x00\ufffd"]
    assert "ProcessedInputRecords" not in document


async def test_no_records_are_no_schema(plane: AnalyticsPlane) -> None:
    plane.resources.records = []
    refused = await refusal(plane.first("DiscoverInputSchema", ResourceARN=STREAM, RoleARN=ROLE))
    assert refused.code == "UnableToDetectSchemaException"
    assert "TRIM_HORIZON" in refused.message
    plane.resources.objects["arn:aws:s3:::tables/empty"] = b""
    place = {"BucketARN": "arn:aws:s3:::tables", "FileKey": "empty", "RoleARN": ROLE}
    refused = await refusal(plane.first("DiscoverInputSchema", S3Configuration=place))
    assert refused.message == "Object empty is empty."


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"ResourceARN": FUNCTION},
        {"ResourceARN": "arn:of:nothing"},
        {
            "ResourceARN": STREAM,
            "S3Configuration": {"BucketARN": "arn:aws:s3:::tables", "FileKey": "k", "RoleARN": ROLE},
        },
    ],
)
async def test_what_to_sample_must_be_clear(plane: AnalyticsPlane, params: dict[str, Any]) -> None:
    assert (await refusal(plane.first("DiscoverInputSchema", **params))).code == "InvalidArgumentException"
