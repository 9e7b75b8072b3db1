"""Resource policies of streams and consumers: put, get, delete. Here they are kept; they are not yet enforced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.streams.resources import find_resource
from millstream.wire.context import CallContext
from millstream.wire.faults import InvalidArgumentException

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

Params = Mapping[str, Any]

POLICY_BYTES_MAX = 20 * 1024
_VERSIONS = ("2008-10-17", "2012-10-17")
_EFFECTS = ("Allow", "Deny")


def put_resource_policy(service: StreamsService, context: CallContext, params: Params) -> None:
    """Attach a policy to a stream or a consumer, in place of the one it has."""
    resource = find_resource(service, context, params["ResourceARN"])
    _check_policy(params["Policy"])
    resource.require_changeable()
    resource.save(service, policy=params["Policy"])


def get_resource_policy(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """The policy of a stream or a consumer; an empty answer if it has none, as AWS gives."""
    return {"Policy": find_resource(service, context, params["ResourceARN"]).bearer.policy}


def delete_resource_policy(service: StreamsService, context: CallContext, params: Params) -> None:
    """Take the policy off a stream or a consumer."""
    resource = find_resource(service, context, params["ResourceARN"])
    resource.require_changeable()
    resource.save(service, policy=None)


def _check_policy(text: str) -> None:
    """Raises InvalidArgumentException for what is not an IAM policy document with principals."""
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise _invalid(f"it is larger than {POLICY_BYTES_MAX} bytes")
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError):
        raise _invalid("it is not valid JSON") from None
    if not isinstance(policy, dict):
        raise _invalid("it is not a JSON object")
    if policy.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise _invalid(f"Version must be one of {', '.join(_VERSIONS)}")
    statements = policy.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise _invalid("Statement is missing")
    for statement in statements:
        _check_statement(statement)


def _check_statement(statement: Any) -> None:
    if not isinstance(statement, dict):
        raise _invalid("a statement is not a JSON object")
    if statement.get("Effect") not in _EFFECTS:
        raise _invalid(f"Effect must be one of {', '.join(_EFFECTS)}")
    for one, other in (("Action", "NotAction"), ("Principal", "NotPrincipal")):
        if (one in statement) == (other in statement):
            raise _invalid(f"a statement must have either {one} or {other}")
    actions = statement.get("Action", statement.get("NotAction"))
    for action in actions if isinstance(actions, list) else [actions]:
        if not isinstance(action, str) or not (action == "*" or action.lower().startswith("kinesis:")):
            raise _invalid(f"{action} is not an action of kinesis")


def _invalid(reason: str) -> InvalidArgumentException:
    return InvalidArgumentException(f"The resource policy is invalid: {reason}.")
