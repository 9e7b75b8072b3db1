"""The parts of an application: added and deleted, one a call. UpdateApplication, which changes them.

Every function gives the members of the application that a call changes; `changes.change` does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from millstream.analytics.model import Application, Input
from millstream.analytics.parts import input_of, logging_option_of, new_id, output_of, reference_of
from millstream.analytics.updates import (
    unknown_id,
    updated_input,
    updated_logging_option,
    updated_output,
    updated_parts,
    updated_reference,
)
from millstream.wire.faults import InvalidArgumentException

Params = Mapping[str, Any]
Changes = dict[str, Any]
P = TypeVar("P")


def add_input(application: Application, params: Params) -> Changes:
    """AddApplicationInput."""
    return {"inputs": (*application.inputs, input_of(params["Input"], new_id(application.version + 1)))}


def add_output(application: Application, params: Params) -> Changes:
    """AddApplicationOutput."""
    return {"outputs": (*application.outputs, output_of(params["Output"], new_id(application.version + 1)))}


def add_reference(application: Application, params: Params) -> Changes:
    """AddApplicationReferenceDataSource."""
    reference = reference_of(params["ReferenceDataSource"], new_id(application.version + 1))
    return {"references": (*application.references, reference)}


def add_logging_option(application: Application, params: Params) -> Changes:
    """AddApplicationCloudWatchLoggingOption."""
    option = logging_option_of(params["CloudWatchLoggingOption"], new_id(application.version + 1))
    return {"logging": (*application.logging, option)}


def add_processing(application: Application, params: Params) -> Changes:
    """AddApplicationInputProcessingConfiguration."""
    one = input_named(application, params)
    if one.processor_arn is not None:
        raise InvalidArgumentException(
            f"Input {one.input_id} has a processing configuration already: use UpdateApplication to change it."
        )
    processor = params["InputProcessingConfiguration"]["InputLambdaProcessor"]
    return _with_input(
        application,
        replace(one, processor_arn=processor["ResourceARN"], processor_role_arn=processor.get("RoleARN")),
    )


def delete_processing(application: Application, params: Params) -> Changes:
    """DeleteApplicationInputProcessingConfiguration."""
    one = input_named(application, params)
    if one.processor_arn is None:
        raise InvalidArgumentException(f"Input {one.input_id} has no processing configuration.")
    return _with_input(application, replace(one, processor_arn=None, processor_role_arn=None))


def delete_output(application: Application, params: Params) -> Changes:
    """DeleteApplicationOutput."""
    return {"outputs": _without(application.outputs, params, "OutputId", lambda one: one.output_id)}


def delete_reference(application: Application, params: Params) -> Changes:
    """DeleteApplicationReferenceDataSource."""
    return {"references": _without(application.references, params, "ReferenceId", lambda one: one.reference_id)}


def delete_logging_option(application: Application, params: Params) -> Changes:
    """DeleteApplicationCloudWatchLoggingOption."""
    member = "CloudWatchLoggingOptionId"
    return {"logging": _without(application.logging, params, member, lambda one: one.option_id)}


def update_parts(application: Application, updates: Params) -> Changes:
    """What an update says of inputs, outputs, reference tables and logging options."""
    changes: Changes = {}
    if "InputUpdates" in updates:
        changes["inputs"] = updated_parts(
            application.inputs, updates["InputUpdates"], "InputId", lambda one: one.input_id, updated_input
        )
    if "OutputUpdates" in updates:
        changes["outputs"] = updated_parts(
            application.outputs, updates["OutputUpdates"], "OutputId", lambda one: one.output_id, updated_output
        )
    if "ReferenceDataSourceUpdates" in updates:
        changes["references"] = updated_parts(
            application.references,
            updates["ReferenceDataSourceUpdates"],
            "ReferenceId",
            lambda one: one.reference_id,
            updated_reference,
        )
    if "CloudWatchLoggingOptionUpdates" in updates:
        changes["logging"] = updated_parts(
            application.logging,
            updates["CloudWatchLoggingOptionUpdates"],
            "CloudWatchLoggingOptionId",
            lambda one: one.option_id,
            updated_logging_option,
        )
    return changes


def update(application: Application, params: Params) -> Changes:
    """UpdateApplication of the first API."""
    updates = params["ApplicationUpdate"]
    changes = update_parts(application, updates)
    if "ApplicationCodeUpdate" in updates:
        changes["code"] = updates["ApplicationCodeUpdate"]
    return changes


def input_named(application: Application, params: Params) -> Input:
    """The input that a call names. Raises InvalidArgumentException."""
    for one in application.inputs:
        if one.input_id == params["InputId"]:
            return one
    raise unknown_id("InputId", params["InputId"], (one.input_id for one in application.inputs))


def _with_input(application: Application, changed: Input) -> Changes:
    return {"inputs": tuple(changed if one.input_id == changed.input_id else one for one in application.inputs)}


def _without(parts: tuple[P, ...], params: Params, member: str, id_of: Callable[[P], str]) -> tuple[P, ...]:
    kept = tuple(part for part in parts if id_of(part) != params[member])
    if len(kept) == len(parts):
        raise unknown_id(member, params[member], map(id_of, parts))
    return kept
