"""What UpdateApplication makes of an application's parts. A member that an update does not have keeps its value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from millstream.analytics.model import Input, LoggingOption, Output, Reference, ResourceKind
from millstream.analytics.parts import INPUT_KINDS, OUTPUT_KINDS
from millstream.analytics.schemas import schema_of, updated_schema
from millstream.wire.faults import InvalidArgumentException

Params = Mapping[str, Any]
P = TypeVar("P", Input, Output, Reference, LoggingOption)


def updated_parts(
    parts: tuple[P, ...],
    updates: Iterable[Params],
    id_member: str,
    id_of: Callable[[P], str],
    update_one: Callable[[P, Params], P],
) -> tuple[P, ...]:
    """The parts after updates that name theirs in `id_member`. Raises InvalidArgumentException."""
    by_id = {id_of(part): part for part in parts}
    for update in updates:
        part_id = update[id_member]
        if part_id not in by_id:
            raise unknown_id(id_member, part_id, by_id)
        by_id[part_id] = update_one(by_id[part_id], update)
    return tuple(by_id.values())


def unknown_id(member: str, part_id: str, known: Iterable[str]) -> InvalidArgumentException:
    """The fault for an id that no part of the application has."""
    listed = ", ".join(known)
    there = f"It has {listed}." if listed else "It has none at all."
    return InvalidArgumentException(f"The application has no {member} {part_id}. {there}")


def updated_input(before: Input, update: Params) -> Input:
    """The input after an InputUpdate. Raises InvalidArgumentException."""
    changes = _resource_changes(before.kind, before.input_id, update, INPUT_KINDS)
    if changes.get("arn", before.arn) != before.arn:
        changes |= {"source_id": "", "position": None}
    if "NamePrefixUpdate" in update:
        changes["name_prefix"] = update["NamePrefixUpdate"]
    if "CountUpdate" in update.get("InputParallelismUpdate", {}):
        changes["parallelism"] = update["InputParallelismUpdate"]["CountUpdate"]
    if "InputSchemaUpdate" in update:
        changes["schema"] = updated_schema(before.schema, update["InputSchemaUpdate"])
    if "InputProcessingConfigurationUpdate" in update:
        changes |= _processor_changes(before, update["InputProcessingConfigurationUpdate"])
    return replace(before, **changes)


def updated_output(before: Output, update: Params) -> Output:
    """The output after an OutputUpdate. Raises InvalidArgumentException."""
    changes = _resource_changes(before.kind, before.output_id, update, OUTPUT_KINDS)
    if "NameUpdate" in update:
        changes["name"] = update["NameUpdate"]
    if "DestinationSchemaUpdate" in update:
        changes["format"] = update["DestinationSchemaUpdate"]["RecordFormatType"]
    return replace(before, **changes)


def updated_reference(before: Reference, update: Params) -> Reference:
    """The reference table after a ReferenceDataSourceUpdate, which always has its object read again."""
    source = update.get("S3ReferenceDataSourceUpdate", {})
    changes: dict[str, Any] = {
        "table_name": update.get("TableNameUpdate", before.table_name),
        "bucket_arn": source.get("BucketARNUpdate", before.bucket_arn),
        "file_key": source.get("FileKeyUpdate", before.file_key),
        "role_arn": source.get("ReferenceRoleARNUpdate", before.role_arn),
        "revision": before.revision + 1,
    }
    if "ReferenceSchemaUpdate" in update:
        changes["schema"] = schema_of(update["ReferenceSchemaUpdate"])
    return replace(before, **changes)


def updated_logging_option(before: LoggingOption, update: Params) -> LoggingOption:
    """The logging option after a CloudWatchLoggingOptionUpdate."""
    return replace(
        before,
        log_stream_arn=update.get("LogStreamARNUpdate", before.log_stream_arn),
        role_arn=update.get("RoleARNUpdate", before.role_arn),
    )


def _resource_changes(
    kind: ResourceKind, part_id: str, update: Params, kinds: Mapping[str, ResourceKind]
) -> dict[str, Any]:
    """What becomes of a part's kind, ARN and role: an update may also turn it to another kind of resource."""
    named = [name for name in kinds if f"{name}Update" in update]
    if not named:
        return {}
    if len(named) > 1:
        raise InvalidArgumentException(
            f"The update of {part_id} has {' and '.join(f'{name}Update' for name in named)}: only one is possible."
        )
    member = update[f"{named[0]}Update"]
    changes: dict[str, Any] = {"kind": kinds[named[0]]}
    if "ResourceARNUpdate" in member:
        changes["arn"] = member["ResourceARNUpdate"]
    elif kinds[named[0]] is not kind:
        raise InvalidArgumentException(f"{named[0]}Update needs ResourceARNUpdate: {part_id} is not of this kind yet.")
    if "RoleARNUpdate" in member:
        changes["role_arn"] = member["RoleARNUpdate"]
    return changes


def _processor_changes(before: Input, update: Params) -> dict[str, Any]:
    processor = update["InputLambdaProcessorUpdate"]
    arn = processor.get("ResourceARNUpdate", before.processor_arn)
    if arn is None:
        raise InvalidArgumentException(
            f"Input {before.input_id} has no processing configuration to update: use "
            "AddApplicationInputProcessingConfiguration, or give ResourceARNUpdate."
        )
    return {"processor_arn": arn, "processor_role_arn": processor.get("RoleARNUpdate", before.processor_role_arn)}
