"""Applications as both APIs describe them."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any

from millstream.analytics.model import Application, Input, LoggingOption, Output, Reference
from millstream.analytics.parts import INPUT_KINDS, OUTPUT_KINDS, source_streams
from millstream.analytics.schemas import describe_schema

RUNTIME = "SQL-1_0"
"""The RuntimeEnvironment of SQL applications."""

Description = dict[str, Any]

_INPUT_MEMBERS = {kind: f"{name}Description" for name, kind in INPUT_KINDS.items()}
_OUTPUT_MEMBERS = {kind: f"{name}Description" for name, kind in OUTPUT_KINDS.items()}


class Parts:
    """The descriptions of an application's parts.

    In the first API every part has a role: without one of its own, the application's. In the second, parts made by the
    first show theirs.
    """

    def __init__(self, application: Application, *, first_api: bool) -> None:
        self._application = application
        self._role = application.role_arn if first_api else None
        self._needs_role = first_api

    def inputs(self) -> list[Description]:
        """InputDescriptions."""
        return [self._input(one) for one in self._application.inputs]

    def outputs(self) -> list[Description]:
        """OutputDescriptions."""
        return [self._output(one) for one in self._application.outputs]

    def references(self) -> list[Description]:
        """ReferenceDataSourceDescriptions."""
        return [self._reference(one) for one in self._application.references]

    def logging(self) -> list[Description]:
        """CloudWatchLoggingOptionDescriptions."""
        return [self._logging_option(one) for one in self._application.logging]

    def processing(self, one: Input) -> Description | None:
        """InputProcessingConfigurationDescription."""
        if one.processor_arn is None:
            return None
        processor = self._resource(one.processor_arn, one.processor_role_arn)
        return {"InputLambdaProcessorDescription": processor}

    def _input(self, one: Input) -> Description:
        start = {"InputStartingPosition": one.start.value} if one.source_id else None  # it was started
        return {
            "InputId": one.input_id,
            "NamePrefix": one.name_prefix,
            "InAppStreamNames": source_streams(one),
            "InputProcessingConfigurationDescription": self.processing(one),
            _INPUT_MEMBERS[one.kind]: self._resource(one.arn, one.role_arn),
            "InputSchema": describe_schema(one.schema),
            "InputParallelism": {"Count": one.parallelism},
            "InputStartingPositionConfiguration": start,
        }

    def _output(self, one: Output) -> Description:
        return {
            "OutputId": one.output_id,
            "Name": one.name,
            _OUTPUT_MEMBERS[one.kind]: self._resource(one.arn, one.role_arn),
            "DestinationSchema": {"RecordFormatType": one.format},
        }

    def _reference(self, one: Reference) -> Description:
        source = {"BucketARN": one.bucket_arn, "FileKey": one.file_key, "ReferenceRoleARN": self._role_of(one.role_arn)}
        return {
            "ReferenceId": one.reference_id,
            "TableName": one.table_name,
            "S3ReferenceDataSourceDescription": source,
            "ReferenceSchema": describe_schema(one.schema),
        }

    def _logging_option(self, one: LoggingOption) -> Description:
        return {
            "CloudWatchLoggingOptionId": one.option_id,
            "LogStreamARN": one.log_stream_arn,
            "RoleARN": self._role_of(one.role_arn),
        }

    def _resource(self, arn: str, role_arn: str | None) -> Description:
        return {"ResourceARN": arn, "RoleARN": self._role_of(role_arn)}

    def _role_of(self, role_arn: str | None) -> str | None:
        role = role_arn or self._role
        return role or "" if self._needs_role else role


def describe(application: Application) -> Description:
    """ApplicationDetail of the first API."""
    parts = Parts(application, first_api=True)
    return {
        "ApplicationName": application.name,
        "ApplicationDescription": application.description,
        "ApplicationARN": application.arn,
        "ApplicationStatus": application.status.value,
        "CreateTimestamp": whole_seconds(application.created_ms),
        "LastUpdateTimestamp": whole_seconds(application.updated_ms),
        "InputDescriptions": parts.inputs(),
        "OutputDescriptions": parts.outputs(),
        "ReferenceDataSourceDescriptions": parts.references(),
        "CloudWatchLoggingOptionDescriptions": parts.logging(),
        "ApplicationCode": application.code,
        "ApplicationVersionId": application.version,
    }


def describe_v2(application: Application) -> Description:
    """ApplicationDetail of the second API."""
    parts = Parts(application, first_api=False)
    return {
        "ApplicationARN": application.arn,
        "ApplicationDescription": application.description,
        "ApplicationName": application.name,
        "RuntimeEnvironment": RUNTIME,
        "ServiceExecutionRole": application.role_arn,
        "ApplicationStatus": application.status.value,
        "ApplicationVersionId": application.version,
        "CreateTimestamp": whole_seconds(application.created_ms),
        "LastUpdateTimestamp": whole_seconds(application.updated_ms),
        "ApplicationConfigurationDescription": {
            "SqlApplicationConfigurationDescription": {
                "InputDescriptions": parts.inputs(),
                "OutputDescriptions": parts.outputs(),
                "ReferenceDataSourceDescriptions": parts.references(),
            },
            "ApplicationCodeConfigurationDescription": {
                "CodeContentType": "PLAINTEXT",
                "CodeContentDescription": {"TextContent": application.code},
            },
        },
        "CloudWatchLoggingOptionDescriptions": parts.logging(),
        "ApplicationVersionUpdatedFrom": application.version - 1 or None,
        "ApplicationVersionCreateTimestamp": whole_seconds(application.updated_ms),
        "ConditionalToken": conditional_token(application),
    }


def summary(application: Application) -> Description:
    """ApplicationSummary of the first API."""
    return {
        "ApplicationName": application.name,
        "ApplicationARN": application.arn,
        "ApplicationStatus": application.status.value,
    }


def summary_v2(application: Application) -> Description:
    """ApplicationSummary of the second API."""
    return {
        **summary(application),
        "ApplicationVersionId": application.version,
        "RuntimeEnvironment": RUNTIME,
    }


def conditional_token(application: Application) -> str:
    """What stands for this version of the application."""
    named = f"{application.application_id}:{application.version}".encode()
    return b64encode(hashlib.sha256(named).digest()).decode("ascii")


def whole_seconds(time_ms: int) -> int:
    """A time without its milliseconds: SDKs cut them off when they give a time back, to DeleteApplication."""
    return time_ms // 1000 * 1000
