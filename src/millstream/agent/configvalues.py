"""What values in agent.json may be: readers that take what the Java agent takes, and say why they refuse the rest."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

Reader = Callable[[Any], Any]
"""Takes a value out of JSON, never None; gives the setting, or None for "as if it were not there". Raises Refused."""

_SHOWN_MAX = 60
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_HOST = re.compile(r"(https?://)?[A-Za-z0-9._\[\]:-]+/?(/.*)?")


class Refused(Exception):
    """Why a value cannot be: the end of a sentence that begins with the key and the value."""


def shown(value: Any) -> str:
    """A value as it stands in the file, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def integer(low: int, high: int | None = None) -> Reader:
    """A whole number of [low, high]; texts that hold one are taken, too."""

    def read(value: Any) -> int:
        number = _number(value)
        if number < low or (high is not None and number > high):
            raise Refused(f"must be {low:,} to {high:,}" if high is not None else f"must be {low:,} or more")
        return number

    return read


def _number(value: Any) -> int:
    if isinstance(value, str):
        with suppress(ValueError):
            value = int(value.strip()) if len(value) <= 20 else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused("must be a whole number")
    return value


def flag(value: Any) -> bool:
    """true or false; also as a text."""
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        value = value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise Refused("must be true or false")
    return value


def text(value: Any) -> str | None:
    """A text; an empty one says nothing."""
    if not isinstance(value, str):
        raise Refused("must be a text")
    return value or None


def any_text(value: Any) -> str:
    """A text, of which an empty one is meant."""
    return text(value) or ""


def path(value: Any) -> str | None:
    """A file's path; a relative one is meant from where the agent was started."""
    found = text(value)
    if found is not None and "\0" in found:
        raise Refused("must not hold the character NUL")
    return str(Path(os.path.expanduser(found)).absolute()) if found else None


def file_pattern(value: Any) -> str | None:
    """A glob whose last part names files."""
    found = text(value)
    if found is not None and found.endswith("/"):
        raise Refused("names a directory: its last part must name files, as in /var/log/app/*.log")
    return path(value)


def choice(*names: str) -> Reader:
    """One of the names, in upper or lower case."""

    def read(value: Any) -> str | None:
        for name in names:
            if isinstance(value, str) and value.strip().upper() == name.upper():
                return name
        if value == "":
            return None
        raise Refused(f"must be {' or '.join(names)}" if len(names) < 3 else f"must be one of {', '.join(names)}")

    return read


def stream_name(length_max: int, *, arn: bool) -> Reader:
    """A name as AWS allows it, or an ARN where the service takes one."""

    def read(value: Any) -> str | None:
        found = text(value)
        if found is None or (arn and found.startswith("arn:")):
            return found
        if len(found) > length_max or not _NAME.fullmatch(found):
            raise Refused(f"must be 1 to {length_max} letters, digits, '_', '.' and '-'")
        return found

    return read


def endpoint(value: Any) -> str | None:
    """A URL, or a host alone, which is meant with https."""
    found = (text(value) or "").strip()
    if found and not _HOST.fullmatch(found):
        raise Refused("must be a URL such as http://127.0.0.1:4566, or a host name")
    return found or None
