"""What agent.json says, checked and with its defaults."""

from __future__ import annotations

from typing import Any

import msgspec

from millstream.base.units import MIB

CHECKPOINT_FILE = "/var/lib/millstream-agent/checkpoints"
"""Unlike the Java agent's, which is in /var/run, it survives a reboot of the machine."""


class FlowConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A flow: files that go into one stream. Names and defaults are the Java agent's, in snake_case."""

    file_pattern: str
    delivery_stream: str | None = None
    kinesis_stream: str | None = None
    initial_position: str = "END_OF_FILE"
    max_buffer_age_ms: int = 60_000
    max_buffer_size_records: int = 500
    max_buffer_size_bytes: int = 4 * MIB
    min_time_between_file_polls_ms: int = 100
    max_time_between_file_tracker_refresh_ms: int = 10_000
    wait_on_full_publish_queue_ms: int = 60_000
    publish_queue_capacity: int = 100
    retry_initial_backoff_ms: int = 100
    retry_max_backoff_ms: int = 10_000
    skip_header_lines: int = 0
    multi_line_start_pattern: str | None = None
    file_footer_pattern: str | None = None
    truncated_record_terminator: str = "\n"
    aggregated_record_size_bytes: int = 0
    partition_key_option: str = "RANDOM"
    data_processing_options: tuple[dict[str, Any], ...] = ()
    rejects_file: str | None = None
    """Where records that a processor cannot take are kept; ours, the Java agent has none."""
    aggregation: bool = False
    """Whether records for a data stream are packed in the KPL's format; ours, likewise."""
    long_records: str = "truncate"
    """What becomes of a record longer than the stream takes: "truncate" or "split"; ours, likewise."""

    @property
    def destination(self) -> str:
        """The stream's or delivery stream's name."""
        return self.delivery_stream or self.kinesis_stream or ""

    @property
    def flow_id(self) -> str:
        """What names the flow in checkpoints and metrics: where files come from and where they go."""
        kind = "fh" if self.delivery_stream else "kinesis"
        return f"{kind}:{self.destination}:{self.file_pattern}"


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration."""

    flows: tuple[FlowConfig, ...]
    checkpoint_file: str = CHECKPOINT_FILE
    checkpoint_time_to_live_days: int = 7
    shutdown_timeout_ms: int = 10_000
    max_sending_threads: int = 4
    kinesis_endpoint: str | None = None
    kinesis_region: str | None = None
    firehose_endpoint: str | None = None
    sts_endpoint: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    assume_role_arn: str | None = None
    assume_role_external_id: str | None = None
    cloudwatch_emit_metrics: bool = True
    cloudwatch_tag_instance: bool = False
    cloudwatch_metrics_buffer_time_ms: int = 30_000
    cloudwatch_metrics_queue_size: int = 10_000
    cloudwatch_namespace: str = "AWSKinesisAgent"
    cloudwatch_endpoint: str | None = None
    log_level: str = "INFO"
    log_file: str | None = None
    log_max_backup_index: int = 5
    log_max_file_size_bytes: int = 10 * MIB
    status_reporting_period_s: int = 30
