"""Tags of applications. Source: API reference, TagResource; the model has most rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from millstream.analytics.faults import TooManyTagsException
from millstream.wire import tags as wire_tags

TAGS_MAX = wire_tags.TAGS_MAX


def merged(present: Mapping[str, str], added: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The tags `present` with those of the list `added`. Raises InvalidArgumentException, TooManyTagsException."""
    return wire_tags.merged(present, added, _too_many)


def described(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the API lists them, in order of their keys."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def _too_many(count: int) -> TooManyTagsException:
    return TooManyTagsException(f"An application cannot have more than {TAGS_MAX} tags; this would be {count}.")
