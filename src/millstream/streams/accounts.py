"""Settings of an account in a region: the minimum throughput billing commitment.

Source: MinimumThroughputBillingCommitmentInput and -Output in the service model: a commitment lasts at least 24 hours;
disabled earlier, it ends by itself when they are over, unless it is enabled again before.
"""

from __future__ import annotations

from typing import Any

import msgspec

from millstream.base.units import HOUR_MS
from millstream.catalog import Catalog

_KIND = "kinesis-account"
_NAME = "settings"
_COMMITTED_MS = 24 * HOUR_MS


class Commitment(msgspec.Struct, frozen=True):
    """A minimum throughput billing commitment. `started_ms` 0: there never was one; `end_ms`: when it ends."""

    started_ms: int = 0
    end_ms: int | None = None

    def is_enabled(self, now_ms: int) -> bool:
        """Whether it holds at that time."""
        return bool(self.started_ms) and (self.end_ms is None or now_ms < self.end_ms)

    def enable(self, now_ms: int) -> Commitment:
        """The commitment, begun or with its end taken back."""
        return Commitment(self.started_ms) if self.is_enabled(now_ms) else Commitment(now_ms)

    def disable(self, now_ms: int) -> Commitment:
        """The commitment, to end as soon as it may."""
        if not self.is_enabled(now_ms):
            return self
        return Commitment(self.started_ms, max(now_ms, self.started_ms + _COMMITTED_MS))

    def output(self, now_ms: int) -> dict[str, Any]:
        """MinimumThroughputBillingCommitmentOutput."""
        if not self.started_ms:
            return {"Status": "DISABLED"}
        if not self.is_enabled(now_ms):
            return {"Status": "DISABLED", "StartedAt": self.started_ms, "EndedAt": self.end_ms}
        status = "ENABLED" if self.end_ms is None else "ENABLED_UNTIL_EARLIEST_ALLOWED_END"
        earliest_ms = self.started_ms + _COMMITTED_MS
        return {"Status": status, "StartedAt": self.started_ms, "EarliestAllowedEndAt": earliest_ms}


def load_commitment(catalog: Catalog, account: str, region: str) -> Commitment:
    """The account's commitment."""
    document = catalog.get(_KIND, account, region, _NAME)
    return msgspec.json.decode(document.body, type=Commitment) if document else Commitment()


def save_commitment(catalog: Catalog, account: str, region: str, commitment: Commitment) -> None:
    """Make `commitment` the account's; it is in the catalog when this returns."""
    document = catalog.get(_KIND, account, region, _NAME)
    version = document.version if document else 0
    catalog.put(_KIND, account, region, _NAME, msgspec.json.encode(commitment), version)
