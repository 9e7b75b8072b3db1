"""Tags as lists of Key and Value, which most services have them as."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from millstream.wire.faults import Fault, InvalidArgumentException

TAGS_MAX = 50


def merged(
    present: Mapping[str, str], added: Iterable[Mapping[str, Any]], too_many: Callable[[int], Fault]
) -> dict[str, str]:
    """The tags `present` with those of the list `added`.

    Raises InvalidArgumentException for a key that is given twice, and what `too_many` makes of their number.
    """
    given: dict[str, str] = {}
    for tag in added:
        if tag["Key"] in given:
            raise InvalidArgumentException(f"The tag key {tag['Key']} is given more than once.")
        given[tag["Key"]] = tag.get("Value", "")
    tags = {**present, **given}
    if len(tags) > TAGS_MAX:
        raise too_many(len(tags))
    return tags
