"""Tokens of listings, and of places among events."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from millstream.logs.events import Place, event_id, place_of
from millstream.logs.faults import InvalidParameterException

Item = TypeVar("Item")
Key = tuple[int, str]
"""What a listing is in order of: a number (0 where there is none), then a name."""

PAGE_MAX = 50


def page_of(
    items: Sequence[Item], params: Mapping[str, Any], key: Callable[[Item], Key], *, descending: bool = False
) -> tuple[list[Item], str | None]:
    """The page that nextToken asks for, and the token of the next one. Raises InvalidParameterException.

    A token is the key of the last item before the page, so that what comes and goes meanwhile does no harm.
    """
    ordered = sorted(items, key=key, reverse=descending)
    if "nextToken" in params:
        last = _open(params["nextToken"])
        ordered = [item for item in ordered if (key(item) < last if descending else key(item) > last)]
    limit = params.get("limit", PAGE_MAX)
    page = ordered[:limit]
    return page, _token(key(page[-1])) if len(ordered) > limit else None


def _token(key: Key) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(key)).decode()


def _open(token: str) -> Key:
    try:
        key: Key = msgspec.msgpack.decode(base64.b64decode(token, altchars=b"-_", validate=True), type=Key)
    except (binascii.Error, ValueError):
        raise bad_token() from None
    return key


class EventToken(NamedTuple):
    """Where reading goes on: from a cut among a group's events on, or back from it."""

    cut: Place
    forward: bool

    def text(self, group_number: int) -> str:
        """The token as callers get it; it looks as AWS's do."""
        return f"{'f' if self.forward else 'b'}/{event_id(group_number, self.cut)}"


def event_token(text: str, group_number: int) -> EventToken:
    """The token of a caller. Raises InvalidParameterException."""
    direction, _, digits = text.partition("/")
    cut = place_of(digits, group_number)
    if direction not in ("f", "b") or cut is None:
        raise bad_token()
    return EventToken(cut, direction == "f")


def bad_token() -> InvalidParameterException:
    """The fault for a token that was not given out here."""
    return InvalidParameterException("The specified nextToken is invalid.")
