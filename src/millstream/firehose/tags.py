"""Tags of delivery streams. Source: API reference, TagDeliveryStream; the model has most rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from millstream.wire import tags
from millstream.wire.faults import LimitExceededException

TAGS_MAX = tags.TAGS_MAX


def merged(present: Mapping[str, str], added: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The tags `present` with those of the list `added`. Raises InvalidArgumentException, LimitExceededException."""
    return tags.merged(present, added, _too_many)


def _too_many(_: int) -> LimitExceededException:
    return LimitExceededException(f"A delivery stream cannot have more than {TAGS_MAX} tags.")
