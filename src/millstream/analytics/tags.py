"""Tags of applications. Source: API reference, TagResource; the model has most rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from millstream.analytics.faults import TooManyTagsException
from millstream.wire.faults import InvalidArgumentException

TAGS_MAX = 50


def merged(present: Mapping[str, str], added: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The tags `present` with those of the list `added`. Raises InvalidArgumentException, TooManyTagsException."""
    given: dict[str, str] = {}
    for tag in added:
        if tag["Key"] in given:
            raise InvalidArgumentException(f"The tag key {tag['Key']} is given more than once.")
        given[tag["Key"]] = tag.get("Value", "")
    tags = {**present, **given}
    if len(tags) > TAGS_MAX:
        raise TooManyTagsException(f"An application cannot have more than {TAGS_MAX} tags; this would be {len(tags)}.")
    return tags


def described(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the API lists them, in order of their keys."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]
