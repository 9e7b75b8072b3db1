"""The keys of agent.json: what each is called inside, and how its value is read."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import NamedTuple

from millstream.agent.configvalues import (
    Reader,
    any_text,
    choice,
    endpoint,
    file_pattern,
    flag,
    integer,
    path,
    stream_name,
    text,
)
from millstream.base.units import HOUR_MS, KIB, MIB, MINUTE_MS, SECOND_MS


class Key(NamedTuple):
    """A key: the field of AgentConfig or FlowConfig, and the reader of its value."""

    field: str
    read: Reader


GROUPS = ("cloudwatch", "kinesis", "firehose", "sts", "log", "userDefinedCredentialsProvider")
"""Objects whose members are as well keys with a dot: {"log": {"level": …}} or "log.level"."""

GLOBAL: Mapping[str, Key] = {
    "checkpointFile": Key("checkpoint_file", path),
    "checkpointTimeToLiveDays": Key("checkpoint_time_to_live_days", integer(1, 3650)),
    "shutdownTimeoutMillis": Key("shutdown_timeout_ms", integer(1, HOUR_MS)),
    "maxSendingThreads": Key("max_sending_threads", integer(1, 1000)),
    "kinesis.endpoint": Key("kinesis_endpoint", endpoint),
    "kinesis.region": Key("kinesis_region", text),
    "firehose.endpoint": Key("firehose_endpoint", endpoint),
    "sts.endpoint": Key("sts_endpoint", endpoint),
    "awsAccessKeyId": Key("aws_access_key_id", text),
    "awsSecretAccessKey": Key("aws_secret_access_key", text),
    "assumeRoleARN": Key("assume_role_arn", text),
    "assumeRoleExternalId": Key("assume_role_external_id", text),
    "cloudwatch.emitMetrics": Key("cloudwatch_emit_metrics", flag),
    "cloudwatch.tagInstance": Key("cloudwatch_tag_instance", flag),
    "cloudwatch.metricsBufferTimeMillis": Key("cloudwatch_metrics_buffer_time_ms", integer(1, HOUR_MS)),
    "cloudwatch.metricsQueueSize": Key("cloudwatch_metrics_queue_size", integer(1, 1_000_000)),
    "cloudwatch.namespace": Key("cloudwatch_namespace", text),
    "cloudwatch.endpoint": Key("cloudwatch_endpoint", endpoint),
    "log.level": Key("log_level", choice("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF")),
    "log.file": Key("log_file", path),
    "log.maxBackupIndex": Key("log_max_backup_index", integer(1, 1000)),
    "log.maxFileSize": Key("log_max_file_size_bytes", integer(KIB)),
    "log.statusReportingPeriodSeconds": Key("status_reporting_period_s", integer(1, 24 * 3600)),
}

FLOW: Mapping[str, Key] = {
    "filePattern": Key("file_pattern", file_pattern),
    "deliveryStream": Key("delivery_stream", stream_name(64, arn=False)),
    "kinesisStream": Key("kinesis_stream", stream_name(128, arn=True)),
    "initialPosition": Key("initial_position", choice("END_OF_FILE", "START_OF_FILE")),
    "maxBufferAgeMillis": Key("max_buffer_age_ms", integer(SECOND_MS, 15 * MINUTE_MS)),
    "maxBufferSizeRecords": Key("max_buffer_size_records", integer(1, 500)),
    "maxBufferSizeBytes": Key("max_buffer_size_bytes", integer(1, 5 * MIB)),
    "minTimeBetweenFilePollsMillis": Key("min_time_between_file_polls_ms", integer(1, HOUR_MS)),
    "maxTimeBetweenFileTrackerRefreshMillis": Key("max_time_between_file_tracker_refresh_ms", integer(1, HOUR_MS)),
    "waitOnFullPublishQueueMillis": Key("wait_on_full_publish_queue_ms", integer(1, HOUR_MS)),
    "publishQueueCapacity": Key("publish_queue_capacity", integer(1, 10_000)),
    "retryInitialBackoffMillis": Key("retry_initial_backoff_ms", integer(1, HOUR_MS)),
    "retryMaxBackoffMillis": Key("retry_max_backoff_ms", integer(1, HOUR_MS)),
    "skipHeaderLines": Key("skip_header_lines", integer(0, 1_000_000)),
    "multiLineStartPattern": Key("multi_line_start_pattern", text),
    "fileFooterPattern": Key("file_footer_pattern", text),
    "truncatedRecordTerminator": Key("truncated_record_terminator", any_text),
    "aggregatedRecordSizeBytes": Key("aggregated_record_size_bytes", integer(0, 1000 * KIB)),
    "partitionKeyOption": Key("partition_key_option", choice("RANDOM", "DETERMINISTIC", "FILE")),
    "rejectsFile": Key("rejects_file", path),
    "aggregation": Key("aggregation", flag),
    "longRecords": Key("long_records", choice("truncate", "split")),
}
"""Of a flow, but for `dataProcessingOptions`."""

SECRETS = ("awsSecretAccessKey", "assumeRoleExternalId")
STRUCTURED = {"flows": GLOBAL, "dataProcessingOptions": FLOW}
"""Keys that hold lists, and the level that they belong to."""


def is_comment(name: str) -> bool:
    """Whether a key is one by which people write comments into JSON."""
    return name.startswith(("_", "#", "//"))


def unknown_key(name: str, level: Mapping[str, Key]) -> str:
    """What to say of a key that is none, on the level of GLOBAL or FLOW."""
    if name.startswith("userDefinedCredentialsProvider"):
        return "is ignored: a Java class cannot be called here; use assumeRoleARN, or what AWS's SDKs look for"
    other = FLOW if level is GLOBAL else GLOBAL
    if name in other or STRUCTURED.get(name, level) is not level:
        return f"is ignored here: it belongs {'into a flow' if level is GLOBAL else 'outside of flows'}"
    known = [*level, *(key for key, of in STRUCTURED.items() if of is level)]
    lower = {key.rpartition(".")[2].lower(): key for key in known} | {key.lower(): key for key in known}
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.75)
    hint = f"; did you mean {lower[close[0]]}?" if close else ""
    return f"is no key that is known, and ignored{hint}"
