"""What every filter pattern is, whatever its language."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from millstream.base.errors import MillstreamError

_NOTHING: Mapping[str, str] = MappingProxyType({})


class PatternError(MillstreamError):
    """A filter pattern that cannot be understood; the text says where (columns count from 1), why, and what to do.

    Operations answer it as InvalidParameterException, `Invalid filter pattern:` before it.
    """


class Match(NamedTuple):
    """A message that matched, and the fields that the pattern took out of it: `extractedFields` of a subscription's
    records. Only space-delimited patterns take out any."""

    fields: Mapping[str, str] = _NOTHING


MATCHED = Match()
"""The match of all patterns that take out no fields."""


class Pattern(Protocol):
    """A compiled filter pattern. Neither method raises for a message, whatever is in it."""

    def match(self, message: str) -> Match | None:
        """The match of an event's message, None if the pattern does not match it."""
        ...

    def values(self, message: str) -> dict[str, str]:
        """What TestMetricFilter calls `extractedValues` of a message that matches: names begin with `$`."""
        ...
