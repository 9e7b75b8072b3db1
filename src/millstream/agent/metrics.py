"""What the agent counts: per flow what was read, per destination what was sent. Added to per batch, read at leisure.

Counters only grow while the agent runs; gauges (`files`, `files_open`, `bytes_behind`) are set as they are found.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from millstream.agent.config import FlowConfig


class DestinationMetrics(msgspec.Struct, kw_only=True):
    """What was sent to one stream. The first five are the Java agent's metrics, in its meaning.

    A record is here what the service counts as one: with `aggregation` or `aggregatedRecordSizeBytes`, many lines.
    """

    destination: str
    """As CloudWatch's dimension has it: `DeliveryStream:orders`, `KinesisStream:ticks`."""
    bytes_sent: int = 0
    """Bytes of data that the service acknowledged."""
    records_sent: int = 0
    """Records that the service acknowledged."""
    record_send_attempts: int = 0
    """Records in requests, the first time or again."""
    record_send_errors: int = 0
    """Records that came back as failed, throttled ones included."""
    service_errors: int = 0
    """Requests that failed as a whole for another reason than throttling."""
    throttles: int = 0
    """Requests of which at least one record was throttled."""
    last_error: str | None = None
    last_error_ms: int | None = None
    """When, in milliseconds since the epoch."""

    def note_error(self, text: str, now_ms: int) -> None:
        """Keep the latest thing that went wrong, for `millstream agent status`."""
        self.last_error, self.last_error_ms = text, now_ms


class FlowMetrics(msgspec.Struct, kw_only=True):
    """What was read by one flow."""

    flow: str
    """FlowConfig.flow_id"""
    destination: str
    records_parsed: int = 0
    """Records found in files."""
    bytes_read: int = 0
    records_acknowledged: int = 0
    """Records of files that are in the stream."""
    bytes_acknowledged: int = 0
    """Bytes of files that are done with: acknowledged, rejected or left out on purpose."""
    records_rejected: int = 0
    """Records that a processor or the service cannot take."""
    records_cut: int = 0
    """Records longer than the stream takes that were cut off."""
    files: int = 0
    files_open: int = 0
    bytes_behind: int = 0
    """Bytes in files, as last seen, that are not acknowledged."""
    bytes_lost: int = 0
    """Bytes that were truncated away or deleted before they could be read."""


class Totals(NamedTuple):
    """The flows and destinations added up."""

    records_parsed: int
    bytes_read: int
    records_acknowledged: int
    bytes_acknowledged: int
    records_rejected: int
    files: int
    bytes_behind: int
    bytes_lost: int
    record_send_errors: int
    service_errors: int


class Metrics:
    """All counters of an agent: there from the start for every flow, so that zeros are seen, too."""

    def __init__(self, flows: Iterable[FlowConfig]) -> None:
        self.flows: dict[str, FlowMetrics] = {}
        self.destinations: dict[str, DestinationMetrics] = {}
        for flow in flows:
            name = destination_name(flow)
            self.flows[flow.flow_id] = FlowMetrics(flow=flow.flow_id, destination=name)
            self.destinations.setdefault(name, DestinationMetrics(destination=name))

    def of_flow(self, flow: FlowConfig) -> FlowMetrics:
        """The flow's own counters."""
        return self.flows[flow.flow_id]

    def of_destination(self, flow: FlowConfig) -> DestinationMetrics:
        """The counters of the stream that the flow goes to; flows to the same stream share them."""
        return self.destinations[destination_name(flow)]

    def totals(self) -> Totals:
        """Everything added up."""
        flows, destinations = self.flows.values(), self.destinations.values()
        return Totals(
            records_parsed=sum(flow.records_parsed for flow in flows),
            bytes_read=sum(flow.bytes_read for flow in flows),
            records_acknowledged=sum(flow.records_acknowledged for flow in flows),
            bytes_acknowledged=sum(flow.bytes_acknowledged for flow in flows),
            records_rejected=sum(flow.records_rejected for flow in flows),
            files=sum(flow.files for flow in flows),
            bytes_behind=sum(flow.bytes_behind for flow in flows),
            bytes_lost=sum(flow.bytes_lost for flow in flows),
            record_send_errors=sum(destination.record_send_errors for destination in destinations),
            service_errors=sum(destination.service_errors for destination in destinations),
        )


def destination_name(flow: FlowConfig) -> str:
    """The flow's destination as CloudWatch's dimension names it."""
    return f"{'DeliveryStream' if flow.delivery_stream else 'KinesisStream'}:{flow.destination}"
