"""Tags of delivery streams. Source: API reference, TagDeliveryStream; the model has most rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from millstream.wire.faults import InvalidArgumentException, LimitExceededException

TAGS_MAX = 50


def merged(present: Mapping[str, str], added: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The tags `present` with those of the list `added`. Raises InvalidArgumentException, LimitExceededException."""
    given: dict[str, str] = {}
    for tag in added:
        if tag["Key"] in given:
            raise InvalidArgumentException(f"The tag key {tag['Key']} is given more than once.")
        given[tag["Key"]] = tag.get("Value", "")
    tags = {**present, **given}
    if len(tags) > TAGS_MAX:
        raise LimitExceededException(f"A delivery stream cannot have more than {TAGS_MAX} tags.")
    return tags
