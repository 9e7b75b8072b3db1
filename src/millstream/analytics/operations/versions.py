"""The versions of an application. AWS has them of Flink applications only; here SQL applications have them, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.analytics.descriptions import describe_v2
from millstream.analytics.model import Application
from millstream.analytics.registry import past_versions
from millstream.wire.context import CallContext
from millstream.wire.faults import InvalidArgumentException, ResourceNotFoundException

if TYPE_CHECKING:
    from millstream.analytics.service import AnalyticsService

Params = Mapping[str, Any]

VERSIONS_LISTED = 50
"""How many versions a page has if no limit is given."""


def describe_application_version(service: AnalyticsService, context: CallContext, params: Params) -> dict[str, Any]:
    """An application as it was in a version that is kept, with its present status."""
    wanted = params["ApplicationVersionId"]
    kept = _newest_first(service, context, params)
    found = next((one for one in kept if one.version == wanted), None)
    if found is None:
        raise ResourceNotFoundException(
            f"Application {params['ApplicationName']} has no version {wanted}, or it is not kept any more: "
            f"versions {kept[-1].version} to {kept[0].version} are."
        )
    return {"ApplicationVersionDetail": describe_v2(found)}


def list_application_versions(service: AnalyticsService, context: CallContext, params: Params) -> dict[str, Any]:
    """The versions of an application that are kept, newest first, page by page; the token is the last one's id."""
    kept = _newest_first(service, context, params)
    token = params.get("NextToken")
    if token is not None:
        if not token.isdecimal() or len(token) > 9:
            raise InvalidArgumentException("NextToken is not one that ListApplicationVersions gave.")
        kept = [one for one in kept if one.version < int(token)]
    limit = params.get("Limit", VERSIONS_LISTED)
    page = kept[:limit]
    return {
        "ApplicationVersionSummaries": [
            {"ApplicationVersionId": one.version, "ApplicationStatus": one.status.value} for one in page
        ],
        "NextToken": str(page[-1].version) if len(kept) > limit else None,
    }


def _newest_first(service: AnalyticsService, context: CallContext, params: Params) -> list[Application]:
    application = service.registry.find(context, params["ApplicationName"]).application
    return [application, *reversed(past_versions(application))]
