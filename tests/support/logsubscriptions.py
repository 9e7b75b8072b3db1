"""A log group of a live server and what its subscription filters put into a data stream."""

from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING, Any

from support.clients import client
from support.configurations import ROLE
from support.kinesis import connect, create_stream, list_shards, new_account, new_name, read_shard, stream_summary
from support.waiting import wait_for

if TYPE_CHECKING:
    from support.server import Server

REGION = "us-east-1"


def opened(data: bytes) -> dict[str, Any]:
    """The JSON of a subscription's record."""
    body: dict[str, Any] = json.loads(gzip.decompress(data))
    return body


class SubscribedGroup:
    """A log group of an account of its own, and the clients to do with it what one will."""

    def __init__(self, server: Server, account: str = "") -> None:
        self.account = account or new_account()
        self.name = new_name("/app/group")
        self.logs = client("logs", server.url, self.account, REGION)
        self.kinesis = connect(server.url, self.account)
        self.logs.create_log_group(logGroupName=self.name)

    def log_streams(self, *names: str) -> None:
        """Make log streams."""
        for name in names:
            self.logs.create_log_stream(logGroupName=self.name, logStreamName=name)

    def put(self, log_stream: str, *messages: str) -> None:
        """PutLogEvents, all at the time that it is."""
        now_ms = round(time.time() * 1_000)
        events = [{"timestamp": now_ms, "message": message} for message in messages]
        self.logs.put_log_events(logGroupName=self.name, logStreamName=log_stream, logEvents=events)

    def stream(self, shards: int = 1) -> str:
        """Make a data stream; returns its name."""
        return create_stream(self.kinesis, shards)

    def arn(self, stream: str) -> str:
        """A data stream's ARN."""
        arn: str = stream_summary(self.kinesis, stream)["StreamARN"]
        return arn

    def subscribe(self, arn: str, pattern: str = "", **members: Any) -> None:
        """PutSubscriptionFilter, named `all` and with a role unless `members` say otherwise."""
        given = {"filterName": "all", "roleArn": ROLE, **members}
        self.logs.put_subscription_filter(logGroupName=self.name, filterPattern=pattern, destinationArn=arn, **given)

    def filters(self, **members: Any) -> list[dict[str, Any]]:
        """DescribeSubscriptionFilters."""
        reply = self.logs.describe_subscription_filters(logGroupName=self.name, **members)
        found: list[dict[str, Any]] = reply["subscriptionFilters"]
        return found

    def records(self, stream: str) -> list[dict[str, Any]]:
        """The records of a data stream, opened, in order within each of its shards."""
        shards = [shard["ShardId"] for shard in list_shards(self.kinesis, stream)]
        return [opened(record["Data"]) for shard in shards for record in read_shard(self.kinesis, stream, shard)]

    def events(self, stream: str) -> list[dict[str, Any]]:
        """The events of all data messages in a data stream, each with the name of its log stream."""
        return [
            {**event, "logStream": record["logStream"]}
            for record in self.records(stream)
            if record["messageType"] == "DATA_MESSAGE"
            for event in record["logEvents"]
        ]

    def messages(self, stream: str) -> list[str]:
        """The messages of these events."""
        return [event["message"] for event in self.events(stream)]

    def await_messages(self, stream: str, count: int) -> list[str]:
        """The messages once there are as many."""
        wait_for(lambda: len(self.messages(stream)) >= count, f"{count} events in {stream}")
        return self.messages(stream)
