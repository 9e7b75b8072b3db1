"""Checks of buckets and prefixes: those of destinations, of intermediate objects, of backups and failed records."""

from __future__ import annotations

from typing import Any

from millstream.firehose import prefixes
from millstream.firehose.defaults import is_enabled
from millstream.firehose.prefixes import EVALUATED_CHARACTERS_MAX, Prefix, PrefixInvalid
from millstream.objects.names import check_bucket_name
from millstream.objects.port import StoreError
from millstream.wire.faults import InvalidArgumentException

Description = dict[str, Any]

BACKUP_INTERVAL_S_MIN = 60

_PAIRED_HINTS = frozenset({"ExtendedS3", "HttpEndpoint", "Iceberg"})


def check_bucket(s3: Description, where: str) -> None:
    """Check all of a bucket's configuration but the prefixes. `where` is the member that has it, for messages."""
    for name in ("RoleARN", "BucketARN"):
        if not s3.get(name):
            raise InvalidArgumentException(f"{name} must be specified in {where}.")
    try:
        check_bucket_name(s3["BucketARN"].rpartition(":::")[2])
    except StoreError as error:
        raise InvalidArgumentException(f"The BucketARN in {where} is not valid: {error}.") from error
    encryption = s3["EncryptionConfiguration"]
    if len(encryption) != 1:
        raise InvalidArgumentException(
            f"Exactly one of NoEncryptionConfig and KMSEncryptionConfig must be specified in {where}."
        )
    check_logging(s3, where)


def check_logging(description: Description, where: str) -> None:
    """Logging that is enabled needs to know where to."""
    logging = description["CloudWatchLoggingOptions"]
    if is_enabled(logging) and not (logging.get("LogGroupName") and logging.get("LogStreamName")):
        raise InvalidArgumentException(
            f"LogGroupName and LogStreamName must be specified in {where} when CloudWatchLoggingOptions is enabled."
        )


def check_prefixes(s3: Description, *, partitioned: bool = False) -> Prefix:
    """Check both prefixes; returns Prefix, parsed. `partitioned`: it may have partition keys.

    Source: developer guide, "Understand custom prefixes for Amazon S3 objects", semantic rules.
    """
    prefix = _parsed(s3, "Prefix")
    error_prefix = _parsed(s3, "ErrorOutputPrefix")
    if error_prefix.has_partition_keys or (prefix.has_partition_keys and not partitioned):
        raise InvalidArgumentException(
            "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is "
            "enabled."
        )
    if prefix.has_error_type:
        raise violated("Prefix cannot contain !{firehose:error-output-type}")
    if prefix.has_expressions and not error_prefix.text:
        raise violated("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions")
    if error_prefix.has_expressions and not error_prefix.has_error_type:
        raise violated("ErrorOutputPrefix must contain !{firehose:error-output-type} when it contains expressions")
    return prefix


def violated(constraint: str) -> InvalidArgumentException:
    """The fault for a prefix, in AWS's words and with its typing error."""
    return InvalidArgumentException(f"Ths supplied prefix(es) do not satisfy the following constraint: {constraint}")


def check_backup(description: Description, limits_aws: bool) -> None:
    """Check the source backup of an S3 or Redshift destination."""
    backup = description.get("S3BackupDescription")
    if backup is None:
        if description["S3BackupMode"] == "Enabled":
            raise InvalidArgumentException("S3BackupConfiguration must be specified when S3BackupMode is Enabled.")
        return
    check_bucket(backup, "S3BackupConfiguration")
    check_prefixes(backup)
    if limits_aws and backup["BufferingHints"]["IntervalInSeconds"] < BACKUP_INTERVAL_S_MIN:
        raise InvalidArgumentException(
            f"BufferingHints.IntervalInSeconds must be at least {BACKUP_INTERVAL_S_MIN} in S3BackupConfiguration."
        )


def check_hints_given(kind: str, given: Description) -> None:
    """Check what was given, before any defaults: size and interval go together.

    Source: API reference, BufferingHints and HttpEndpointBufferingHints; the hints of others do not say so.
    """
    parts = [given.get("S3DestinationDescription", {}), given.get("S3BackupDescription", {})]
    if kind in _PAIRED_HINTS:
        parts.append(given)
    if any(len(part.get("BufferingHints", {})) == 1 for part in parts):
        raise InvalidArgumentException(
            "If you specify a value for SizeInMBs, you must also specify a value for IntervalInSeconds, and vice versa."
        )


def _parsed(s3: Description, name: str) -> Prefix:
    try:
        prefix = prefixes.parse(s3.get(name) or "")
    except PrefixInvalid as error:
        raise violated(f"{name}: {error}") from error
    if prefix.evaluated_length_max() > EVALUATED_CHARACTERS_MAX:
        raise violated(f"{name} cannot have more than {EVALUATED_CHARACTERS_MAX} characters once it is evaluated")
    return prefix
