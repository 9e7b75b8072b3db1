"""Calls that are half right, to both APIs: whatever they say, they are answered, if need be with a fault."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections import Counter
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from millstream.wire import Fault
from support.analytics_plane import (
    CODE,
    DELIVERY,
    FUNCTION,
    JOIN_CODE,
    LOG_STREAM,
    OTHER_STREAM,
    ROLE,
    SCHEMA,
    STREAM,
    TABLE_SCHEMA,
    AnalyticsPlane,
    a_reference,
    an_input,
    an_output,
    without_roles,
)
from support.oddvalues import Generator

CALLS = 3_000
UNCALLED = frozenset({"DiscoverInputSchema"})

ARN = "arn:aws:kinesisanalytics:us-east-1:123456789012:application/"
FITTING: dict[str, list[Any]] = {
    "ApplicationName": ["a", "b", "c", "d", "e"],
    "ApplicationConfiguration": [
        {"SqlApplicationConfiguration": {"Inputs": [an_input()]}},
        {"ApplicationCodeConfiguration": {"CodeContent": {"TextContent": CODE}, "CodeContentType": "PLAINTEXT"}},
    ],
    "ApplicationMode": ["STREAMING"],
    "Tags": [[{"Key": "a", "Value": "b"}]],
    "ApplicationVersionId": [1, 2, 3, 4],
    "ApplicationCode": ["", CODE, JOIN_CODE, "SELECT", "CREATE STREAM x"],
    "TextContent": ["", CODE, JOIN_CODE],
    "CodeContentType": ["PLAINTEXT"],
    "RuntimeEnvironment": ["SQL-1_0"],
    "Id": ["1.1", "2.1", "3.1"],
    "InputConfigurations": [[]],
    "RunConfiguration": [{}, {"SqlRunConfigurations": []}],
    "Inputs": [[an_input()]],
    "Outputs": [[], [an_output()], [an_output("error_stream")]],
    "Output": [an_output(), an_output(KinesisFirehoseOutput={"ResourceARN": DELIVERY, "RoleARN": ROLE})],
    "ReferenceDataSource": [a_reference()],
    "ReferenceDataSources": [[], [a_reference()]],
    "InAppStreamName": ["SOURCE_SQL_STREAM", "OUT"],
    "InAppTableName": ["COMPANIES"],
    "ResourceARN": [STREAM, OTHER_STREAM, DELIVERY, FUNCTION],
    "BucketARN": ["arn:aws:s3:::tables"],
    "RoleARN": [ROLE],
    "LogStreamARN": [LOG_STREAM],
    "SourceSchema": [SCHEMA, TABLE_SCHEMA],
    "RecordColumnSqlType": ["VARCHAR(4)", "INTEGER", "REAL"],
    "RecordColumnMapping": ["$.a", "$.b.c"],
    "RecordRowPath": ["$"],
    "KinesisAnalyticsARN": [f"{ARN}a", f"{ARN}b"],
    "Timestamp": [1_700_000_000],
    "RecordEncoding": ["UTF-8"],
}


@cache
def _model(api: str) -> Any:
    spec = find_spec("botocore")
    assert spec is not None
    assert spec.submodule_search_locations
    (path,) = Path(spec.submodule_search_locations[0], "data", api).glob("*/service-2.json.gz")
    return json.loads(gzip.decompress(path.read_bytes()))


@pytest.mark.parametrize("api", ["kinesisanalytics", "kinesisanalyticsv2"])
async def test_odd_calls_are_answered(api: str) -> None:
    rng = random.Random(7)
    model = _model(api)
    fitting = {name: without_roles(values) for name, values in FITTING.items()} if api.endswith("v2") else FITTING
    chances = {"RuntimeEnvironmentUpdate": 0.0, "Inputs": 0.9, "Outputs": 0.1, "ApplicationConfiguration": 0.9}
    generator = Generator(model["shapes"], rng, fitting, chances=chances)
    plane = AnalyticsPlane()
    call = plane.second if api.endswith("v2") else plane.first
    answers: Counter[str] = Counter()
    for _ in range(CALLS):
        name = rng.choice([name for name in model["operations"] if name not in UNCALLED])
        params = generator.value(model["operations"][name]["input"]["shape"])
        if not isinstance(params, dict) or "region" in params:
            continue
        _know_the_version(plane, params)
        try:
            await call(name, **{str(member): value for member, value in params.items()})
            answers[name] += 1
        except Fault as fault:
            answers[fault.code] += 1
        _let_processes_be(plane, rng)
        plane.scheduler.advance(10)
        await asyncio.sleep(0)
    done = {"CreateApplication", "UpdateApplication", "AddApplicationOutput", "StartApplication", "DeleteApplication"}
    assert done <= answers.keys()


def _know_the_version(plane: AnalyticsPlane, params: dict[str, Any]) -> None:
    versions = {one.name: one.version for one in plane.service.applications()}
    if "CurrentApplicationVersionId" in params and params.get("ApplicationName") in list(versions):
        params["CurrentApplicationVersionId"] = versions[params["ApplicationName"]]


def _let_processes_be(plane: AnalyticsPlane, rng: random.Random) -> None:
    for application in plane.service.applications():
        if application.application_id in plane.runner.processes:
            if application.status == "STOPPING" or rng.random() < 0.1:
                plane.runner.end(application.application_id, rng.choice([None, "it failed"]))
            else:
                plane.service.running(application.application_id, application.run)
