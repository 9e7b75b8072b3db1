"""Both APIs of Analytics over an in-memory catalog, with a runner that only notes what processes there would be."""

from __future__ import annotations

import asyncio
import inspect
import json
from functools import cache
from typing import Any

import pytest

from millstream.analytics.model import Application, ResourceKind, Start, Status
from millstream.analytics.operations import FIRST, SECOND, first_of, second_of
from millstream.analytics.ports import FoundSource
from millstream.analytics.service import AnalyticsService, Settings
from millstream.base.clock import ManualClock
from millstream.base.scheduler import ManualScheduler
from millstream.catalog import Catalog, SqliteCatalog
from millstream.wire import CallContext, Codec, Fault, Operation, Service
from millstream.wire.faults import InvalidArgumentException
from support.delivery_plane import Refusal

ACCOUNT = "123456789012"
REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/analytics"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/ticks"
OTHER_STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/alerts"
DELIVERY = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/lake"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:clean"
LOG_STREAM = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:app:log-stream:one"
SCHEMA: dict[str, Any] = {
    "RecordFormat": {
        "RecordFormatType": "JSON",
        "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}},
    },
    "RecordEncoding": "UTF-8",
    "RecordColumns": [
        {"Name": "TICKER", "Mapping": "$.ticker", "SqlType": "VARCHAR(4)"},
        {"Name": "PRICE", "Mapping": "$.price", "SqlType": "REAL"},
    ],
}
TABLE_SCHEMA: dict[str, Any] = {
    "RecordFormat": {
        "RecordFormatType": "CSV",
        "MappingParameters": {"CSVMappingParameters": {"RecordRowDelimiter": "\n", "RecordColumnDelimiter": ","}},
    },
    "RecordColumns": [
        {"Name": "TICKER", "SqlType": "VARCHAR(4)"},
        {"Name": "COMPANY", "SqlType": "VARCHAR(64)"},
    ],
}
CODE = """\
CREATE OR REPLACE STREAM "OUT" (ticker VARCHAR(4), price REAL);
CREATE OR REPLACE PUMP "FILL" AS INSERT INTO "OUT"
SELECT STREAM ticker, price FROM "SOURCE_SQL_STREAM_001" WHERE price > 10;
"""
JOIN_CODE = """\
CREATE OR REPLACE STREAM "OUT" (company VARCHAR(64), price REAL);
CREATE OR REPLACE PUMP "FILL" AS INSERT INTO "OUT"
SELECT STREAM c.company, s.price FROM "SOURCE_SQL_STREAM_001" AS s JOIN "COMPANIES" AS c ON s.ticker = c.ticker;
"""

_APIS = {"kinesisanalytics": FIRST, "kinesisanalyticsv2": SECOND}


@cache
def _wire(api: str) -> Service:
    return Service(api, {name: Operation(name, print) for name in _APIS[api]})


def an_input(**members: Any) -> dict[str, Any]:
    """An Input of the first API."""
    source = (
        {} if "KinesisFirehoseInput" in members else {"KinesisStreamsInput": {"ResourceARN": STREAM, "RoleARN": ROLE}}
    )
    return {"NamePrefix": "SOURCE_SQL_STREAM", **source, "InputSchema": SCHEMA, **members}


def an_output(name: str = "OUT", **members: Any) -> dict[str, Any]:
    """An Output of the first API."""
    target = {"KinesisStreamsOutput": {"ResourceARN": OTHER_STREAM, "RoleARN": ROLE}}
    return {"Name": name, **(members or target), "DestinationSchema": {"RecordFormatType": "JSON"}}


def a_reference(**members: Any) -> dict[str, Any]:
    """A ReferenceDataSource of the first API."""
    source = {"BucketARN": "arn:aws:s3:::tables", "FileKey": "companies.csv", "ReferenceRoleARN": ROLE}
    return {"TableName": "COMPANIES", "S3ReferenceDataSource": source, "ReferenceSchema": TABLE_SCHEMA, **members}


def without_roles(given: Any) -> Any:
    """The same for the second API, where parts have no roles."""
    if isinstance(given, dict):
        return {
            name: without_roles(value) for name, value in given.items() if name not in ("RoleARN", "ReferenceRoleARN")
        }
    return [without_roles(one) for one in given] if isinstance(given, list) else given


class MemoryResources:
    """Streams and delivery streams by ARN, as `analytics.ports.Resources`."""

    def __init__(self) -> None:
        self.sources = {
            STREAM: FoundSource("id-of-ticks", 100, 500),
            OTHER_STREAM: FoundSource("id-of-alerts", 0, 70),
            DELIVERY: FoundSource("id-of-lake", 5, 9),
        }
        self.functions = {FUNCTION}
        self.records: list[bytes] = []
        self.objects: dict[str, bytes] = {}
        self.found: list[str] = []
        self.started_at: list[Start] = []

    def find_source(self, account: str, region: str, kind: ResourceKind, arn: str) -> FoundSource:
        if arn not in self.sources:
            raise InvalidArgumentException(f"{kind} {arn} not found")
        self.found.append(arn)
        return self.sources[arn]

    def check_target(self, account: str, region: str, kind: ResourceKind, arn: str) -> None:
        if arn not in self.sources and arn not in self.functions:
            raise InvalidArgumentException(f"{kind} {arn} not found")

    async def sample(self, account: str, region: str, kind: ResourceKind, arn: str, start: Start) -> list[bytes]:
        self.started_at.append(start)
        return self.records

    async def read_object(self, account: str, region: str, bucket_arn: str, key: str, *, bytes_max: int) -> bytes:
        return self.objects[f"{bucket_arn}/{key}"][:bytes_max]

    async def transform(self, account: str, region: str, function_arn: str, records: list[bytes]) -> list[bytes]:
        return [record.replace(b"ticker", b"symbol") for record in records]


class NotingRunner:
    """The processes that there would be, by application id, as `analytics.ports.Runner`; tests say how they go."""

    def __init__(self) -> None:
        self.service: AnalyticsService | None = None
        self.processes: dict[str, int] = {}
        self.stopping: set[str] = set()
        self.reconciled = 0

    def reconcile(self) -> None:
        assert self.service is not None
        self.reconciled += 1
        for application in self.service.applications():
            self._follow(application)

    def end(self, application_id: str, failure: str | None = None) -> None:
        """A process ends."""
        assert self.service is not None
        run = self.processes.pop(application_id)
        self.stopping.discard(application_id)
        self.service.ended(application_id, run, failure)

    def _follow(self, application: Application) -> None:
        assert self.service is not None
        run = self.processes.get(application.application_id)
        if run is not None:
            if run != application.run or not application.is_wanted:
                self.stopping.add(application.application_id)
        elif application.is_wanted:
            self.processes[application.application_id] = application.run
        elif application.status is Status.STOPPING:
            self.service.ended(application.application_id, application.run, None)


class AnalyticsPlane:
    """One server's applications. Catalog and files outlive `crash`, as a disk does."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.catalog: Catalog = SqliteCatalog(":memory:")
        self.resources = MemoryResources()
        self.settings = Settings(**settings)
        self.deleted: list[str] = []
        self.boot()

    def boot(self) -> None:
        """A new process on the same catalog; it does nothing until its `service` is started."""
        self.scheduler = ManualScheduler(self.clock)
        self.runner = NotingRunner()
        self.service = AnalyticsService(
            catalog=self.catalog,
            resources=self.resources,
            runner=self.runner,
            delete_files=self.deleted.append,
            clock=self.clock,
            scheduler=self.scheduler,
            settings=self.settings,
        )
        self.runner.service = self.service
        self._operations = {"kinesisanalytics": first_of(self.service), "kinesisanalyticsv2": second_of(self.service)}

    async def crash(self) -> None:
        """Lose the process with all that it was doing, and start another on what it left."""
        self.boot()
        await self.service.start()

    async def first(self, operation: str, *, region: str = REGION, **params: Any) -> Any:
        """Make a call of the first API as a client does; returns the decoded reply, raises the fault."""
        return await self._call("kinesisanalytics", operation, region, params)

    async def second(self, operation: str, *, region: str = REGION, **params: Any) -> Any:
        """Make a call of the second API."""
        return await self._call("kinesisanalyticsv2", operation, region, params)

    async def _call(self, api: str, operation: str, region: str, params: dict[str, Any]) -> Any:
        wire = _wire(api)
        context = CallContext(operation, ACCOUNT, region, "request-id", Codec.JSON)
        request = wire.decode(wire.find(operation), Codec.JSON, json.dumps(params).encode())
        result = self._operations[api][operation].handler(context, request)
        if inspect.isawaitable(result):
            result = await result
        assert isinstance(result, dict)
        return json.loads(wire.encode(wire.find(operation), Codec.JSON, result))

    async def create(self, name: str = "app", **members: Any) -> Application:
        """An application with an input and, unless it is given, code that reads it."""
        members = {"Inputs": [an_input()], "ApplicationCode": CODE, **members}
        await self.first("CreateApplication", ApplicationName=name, **members)
        return self.application(name)

    async def run(self, name: str = "app", position: str = "NOW") -> Application:
        """Start an application, and have its process come up."""
        await self.start(name, position)
        application = self.application(name)
        self.service.running(application.application_id, application.run)
        return self.application(name)

    async def start(self, name: str = "app", position: str = "NOW") -> None:
        """StartApplication, of its one input."""
        (one,) = self.application(name).inputs
        configuration = {"Id": one.input_id, "InputStartingPositionConfiguration": {"InputStartingPosition": position}}
        await self.first("StartApplication", ApplicationName=name, InputConfigurations=[configuration])

    async def detail(self, name: str = "app") -> Any:
        """ApplicationDetail of the first API."""
        return (await self.first("DescribeApplication", ApplicationName=name))["ApplicationDetail"]

    async def detail_v2(self, name: str = "app") -> Any:
        """ApplicationDetail of the second API."""
        return (await self.second("DescribeApplication", ApplicationName=name))["ApplicationDetail"]

    async def gone(self, name: str = "app") -> None:
        """Return once an application that is being deleted is gone."""
        async with asyncio.timeout(10):
            while self.service.registry.has(ACCOUNT, REGION, name):
                self.scheduler.advance(10)
                await asyncio.sleep(0.001)

    def application(self, name: str = "app") -> Application:
        """The application of that name."""
        return next(one for one in self.service.applications() if one.name == name)


async def refusal(call: Any) -> Refusal:
    """The fault that a call must be answered with."""
    with pytest.raises(Fault) as caught:
        await call
    return Refusal(caught.value.code, caught.value.message, caught.value.status)
