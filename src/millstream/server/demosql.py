"""The demo's SQL application: what each share was traded for in the last ten seconds, as a stream of its own.

Made through the API from the template `tumbling-window`, as anybody would make it; what is there from an
earlier run is left as it is.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from millstream.analytics.templates import template
from millstream.server.demo import POLL_S, POLLS_MAX, ensure, stream_arn
from millstream.server.inprocess import InProcessClient
from millstream.wire import Fault
from millstream.wire.request import DEFAULT_ACCOUNT

log = logging.getLogger("millstream.demo")

APPLICATION_NAME = "demo-prices"
RESULT_STREAM_NAME = "demo-prices"

_TEMPLATE = "tumbling-window"
_ROLE_ARN = f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/analytics"
_COLUMNS = (
    ("TICKER_SYMBOL", "VARCHAR(4)"),
    ("SECTOR", "VARCHAR(16)"),
    ("CHANGE", "REAL"),
    ("PRICE", "REAL"),
)


async def ensure_application(kinesis: InProcessClient, analytics: InProcessClient) -> None:
    """Make the result stream and the application unless they are there, and start it; never raises a Fault."""
    try:
        source_arn = await stream_arn(kinesis)
        await ensure(kinesis, "CreateStream", StreamName=RESULT_STREAM_NAME, ShardCount=1)
        await _make(analytics, source_arn)
        await _start(analytics)
    except Fault as fault:
        log.warning("the demo's SQL application does not run: %s", fault)


async def _make(analytics: InProcessClient, source_arn: str) -> None:
    found = template(_TEMPLATE)
    assert found is not None
    result_arn = f"{source_arn.rpartition('/')[0]}/{RESULT_STREAM_NAME}"
    output = {
        "Name": "DESTINATION_SQL_STREAM",
        "KinesisStreamsOutput": {"ResourceARN": result_arn, "RoleARN": _ROLE_ARN},
        "DestinationSchema": {"RecordFormatType": "JSON"},
    }
    for _ in range(POLLS_MAX):
        try:
            await ensure(
                analytics,
                "CreateApplication",
                ApplicationName=APPLICATION_NAME,
                ApplicationCode=found.code,
                Inputs=[_source(source_arn)],
                Outputs=[output],
            )
        except Fault:  # the result stream is not ACTIVE yet
            await asyncio.sleep(POLL_S)
        else:
            return


async def _start(analytics: InProcessClient) -> None:
    """Start it if it has never run: who stopped it may want it stopped."""
    answer = await analytics.call("DescribeApplication", ApplicationName=APPLICATION_NAME)
    detail: dict[str, Any] = answer["ApplicationDetail"]
    source = detail["InputDescriptions"][0]
    if detail["ApplicationStatus"] != "READY" or "InputStartingPositionConfiguration" in source:
        return
    position = {"InputStartingPosition": "NOW"}
    configuration = {"Id": source["InputId"], "InputStartingPositionConfiguration": position}
    await analytics.call("StartApplication", ApplicationName=APPLICATION_NAME, InputConfigurations=[configuration])


def _source(source_arn: str) -> dict[str, Any]:
    columns = [{"Name": name, "SqlType": sql_type, "Mapping": f"$.{name}"} for name, sql_type in _COLUMNS]
    json_format = {
        "RecordFormatType": "JSON",
        "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}},
    }
    return {
        "NamePrefix": "SOURCE_SQL_STREAM",
        "KinesisStreamsInput": {"ResourceARN": source_arn, "RoleARN": _ROLE_ARN},
        "InputSchema": {"RecordFormat": json_format, "RecordEncoding": "UTF-8", "RecordColumns": columns},
    }
