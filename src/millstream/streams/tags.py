"""What tags may be. Source: TagResource in the service model; replies of AWS recorded by kinesalite's tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from millstream.wire.faults import InvalidArgumentException

TAGS_MAX = 50

# letters, digits and white space of any script, the ranges that AWS is known to take, and some symbols
_INVALID = re.compile(r"[^\w\s.:/=+\-@%\u00C0-\u1FFF\u2C00-\uD7FF]")


def check_keys(keys: Iterable[str], failure: str) -> None:
    """Raises InvalidArgumentException if a key or value has a character that AWS refuses.

    `failure` says what could not be done: "Failed to add tags to stream S under account A".
    """
    for text in keys:
        if _INVALID.search(text):
            raise InvalidArgumentException(
                "Some tags contain invalid characters. Valid characters: "
                "Unicode letters, digits, white space, _ . / = + - % @."
            )
        if "%" in text:
            raise InvalidArgumentException(
                f"{failure} because some tags contained illegal characters. The allowed characters are "
                "Unicode letters, white-spaces, '_',',','/','=','+','-','@'."
            )


def merged(present: Mapping[str, str], added: Mapping[str, str], what: str) -> dict[str, str]:
    """The tags `present` on a resource with `added` ones; raises InvalidArgumentException if they may not be.

    `what` names the resource: "stream S under account A".
    """
    failure = f"Failed to add tags to {what}"
    check_keys([*added, *added.values()], failure)
    if any(key.lower().startswith("aws:") for key in added):
        raise InvalidArgumentException(f"{failure} because tag keys with the prefix aws: are reserved.")
    tags = {**present, **added}
    if len(tags) > TAGS_MAX:
        kind = what.partition(" ")[0]
        raise InvalidArgumentException(
            f"{failure} because a given {kind} cannot have more than {TAGS_MAX} tags associated with it."
        )
    return tags
