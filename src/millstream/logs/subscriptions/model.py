"""A subscription filter as a plain value: what the catalog keeps."""

from __future__ import annotations

import msgspec

from millstream.logs.subscriptions.ports import Destination, Kind

FILTER_KIND = "log-subscription-filter"

BY_LOG_STREAM = "ByLogStream"
RANDOM = "Random"


class SubscriptionFilter(msgspec.Struct, kw_only=True, frozen=True):
    """A subscription filter of a log group (of that life of its name).

    `position` in the group's log: all that is before it has been delivered; what follows it, perhaps.
    """

    account: str
    region: str
    group_id: str
    group_name: str
    name: str
    pattern: str
    destination_arn: str
    role_arn: str | None = None
    distribution: str = BY_LOG_STREAM
    created_ms: int
    position: int

    @property
    def destination(self) -> Destination:
        """Where the matching events go."""
        return Destination(Kind(self.destination_arn.split(":")[2]), self.destination_arn)

    @property
    def document_name(self) -> str:
        """The name of its document: those of one group stand together."""
        return f"{self.group_id}/{self.name}"
