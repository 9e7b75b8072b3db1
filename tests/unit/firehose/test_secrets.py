"""Secrets of destinations: sealed, never described, never quoted, and kept by updates that do not say them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millstream.firehose.configuration import HttpEndpoint, Redshift, Search, Splunk, parse
from millstream.firehose.operations.destinations import secret_opener
from millstream.firehose.secrets import conceal, reveal, shown_url
from support.configurations import DESTINATION_ID, LEAST, configured
from support.delivery_plane import DeliveryPlane

SEARCH = "https://me:top%40secret@search.example.com:9200/path?a=b"
ENDPOINT = {"Url": "https://me:top%40secret@example.com/in", "AccessKey": "top%40secret"}
WITH_SECRETS: list[tuple[str, dict[str, Any]]] = [
    (
        "Redshift",
        {"ClusterJDBCURL": "jdbc:postgresql://me:top%40secret@localhost:5432/lake", "Password": "top%40secret"},
    ),
    ("Elasticsearch", {"DomainARN": None, "ClusterEndpoint": SEARCH}),
    ("Amazonopensearchservice", {"ClusterEndpoint": SEARCH}),
    ("AmazonOpenSearchServerless", {"CollectionEndpoint": SEARCH}),
    ("HttpEndpoint", {"EndpointConfiguration": ENDPOINT}),
    ("Splunk", {"HECEndpoint": "https://me:top%40secret@splunk.example.com:8088"}),
]


@pytest.fixture
def plane() -> DeliveryPlane:
    return DeliveryPlane()


def url_of(plane: DeliveryPlane) -> str:
    """The URL that the worker works by."""
    (handle,) = plane.service.registry
    configuration = parse(handle.stream.destination, secret_opener(plane.service))
    match configuration:
        case Redshift():
            return configuration.cluster_url
        case Search():
            return configuration.cluster_endpoint or configuration.collection_endpoint or ""
        case HttpEndpoint():
            return configuration.endpoint.url
        case Splunk():
            return configuration.endpoint
    raise AssertionError(configuration)


async def described(plane: DeliveryPlane) -> str:
    return json.dumps(await plane.call("DescribeDeliveryStream", DeliveryStreamName="a"))


async def update(plane: DeliveryPlane, kind: str, version: int, **members: Any) -> None:
    params: dict[str, Any] = {
        "DeliveryStreamName": "a",
        "CurrentDeliveryStreamVersionId": str(version),
        "DestinationId": DESTINATION_ID,
        f"{kind}DestinationUpdate": members,
    }
    await plane.call("UpdateDestination", **params)


@pytest.mark.parametrize(("kind", "members"), WITH_SECRETS)
async def test_they_are_sealed_and_not_described(plane: DeliveryPlane, kind: str, members: dict[str, Any]) -> None:
    await plane.call("CreateDeliveryStream", DeliveryStreamName="a", **configured(kind, **members))
    await plane.pass_ms(60)
    assert "top%40secret" not in await described(plane)
    (document,) = plane.catalog.list("delivery-stream")
    assert b"top%40secret" not in document.body
    assert "me:top%40secret@" in url_of(plane)


async def test_updates_keep_the_users_of_urls(plane: DeliveryPlane) -> None:
    kind = "Amazonopensearchservice"
    await plane.call("CreateDeliveryStream", DeliveryStreamName="a", **configured(kind, ClusterEndpoint=SEARCH))
    await plane.pass_ms(60)
    await update(plane, kind, 1, RetryOptions={"DurationInSeconds": 1})
    assert url_of(plane) == SEARCH
    await update(plane, kind, 2, ClusterEndpoint=shown_url(SEARCH))  # as it was described
    assert url_of(plane) == SEARCH
    await update(plane, kind, 3, ClusterEndpoint="https://other.example.com")
    assert url_of(plane) == "https://other.example.com"
    (handle,) = plane.service.registry
    assert handle.stream.destination.secrets == {}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h:1/x?y#z", "https://h:1/x?y#z"),
        ("https://u:p@q@h", "https://h"),
        ("jdbc:postgresql://u@h/d", "jdbc:postgresql://h/d"),
        ("https://h/a@b", "https://h/a@b"),
        ("https://h?a@b", "https://h?a@b"),
        ("duckdb:x", "duckdb:x"),
    ],
)
def test_what_is_shown_of_urls(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(("kind", "members"), WITH_SECRETS)
def test_reveal_is_the_inverse_of_conceal(kind: str, members: dict[str, Any]) -> None:
    whole = {**LEAST[kind], **members}
    assert reveal(kind, *conceal(kind, whole)) == whole


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("Redshift", {"ClusterJDBCURL": "postgres:me:hidden@h"}),
        ("Redshift", {"ClusterJDBCURL": "jdbc:redshift://me:hidden@h:x/d"}),
        ("Redshift", {"ClusterJDBCURL": "jdbc:redshift://h/d?password=hidden"}),
        ("Redshift", {"ClusterJDBCURL": "jdbc:redshift://h/d;UID=a;PWD=hidden"}),
        ("Redshift", {"ClusterJDBCURL": "duckdb:///hidden"}),
        ("Elasticsearch", {"DomainARN": None, "ClusterEndpoint": "ftp://me:hidden@h"}),
        ("HttpEndpoint", {"EndpointConfiguration": {"Url": "http://me:hidden@example.com"}}),
        ("Redshift", {"Password": "hidden" * 100}),
        ("Redshift", {"ClusterJDBCURL": "hidden" * 200}),
        ("Splunk", {"HECToken": "hidden" * 500}),
        ("HttpEndpoint", {"EndpointConfiguration": {"Url": "https://h", "AccessKey": "hidden" * 1000}}),
        ("HttpEndpoint", {"EndpointConfiguration": {"Url": "https://hidden" * 100}}),
    ],
)
async def test_faults_do_not_quote_them(plane: DeliveryPlane, kind: str, members: dict[str, Any]) -> None:
    refusal = await plane.refusal("CreateDeliveryStream", DeliveryStreamName="a", **configured(kind, **members))
    assert refusal.status == 400
    assert refusal.message
    assert "hidden" not in refusal.message


async def test_a_sensitive_value_is_left_out_as_by_aws(plane: DeliveryPlane) -> None:
    params = configured("Redshift", Password="p" * 513)
    refusal = await plane.refusal("CreateDeliveryStream", DeliveryStreamName="a", **params)
    assert refusal.message == (
        "1 validation error detected: Value at 'redshiftDestinationConfiguration.password' failed to satisfy "
        "constraint: Member must have length less than or equal to 512"
    )


async def test_warehouse_files_elsewhere_need_a_setting(plane: DeliveryPlane) -> None:
    params = configured("Redshift", ClusterJDBCURL="duckdb:///tmp/x.duckdb")
    refusal = await plane.refusal("CreateDeliveryStream", DeliveryStreamName="a", **params)
    assert "Files elsewhere need its setting warehouse_paths." in refusal.message
    await DeliveryPlane(warehouse_paths=True).call("CreateDeliveryStream", DeliveryStreamName="a", **params)
