"""Jsonpaths files: where in a JSON document each column's value is (COPY from JSON, "JSONPaths file")."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from millstream.firehose.ports import DeliveryError

Path = tuple[str | int, ...]

_STEP = re.compile(r"\.([^.\[\]'\"]+)|\[\s*(?:'([^']*)'|\"([^\"]*)\"|(\d+))\s*\]")


def _invalid(reason: str) -> DeliveryError:
    return DeliveryError("Redshift.IncorrectJsonPathsFile", f"The jsonpaths file is not in a supported form: {reason}.")


def parse_jsonpaths(data: bytes) -> list[Path]:
    """Read a jsonpaths file. Raises DeliveryError (Redshift.IncorrectJsonPathsFile)."""
    try:
        document = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise _invalid(str(error)) from None
    paths = document.get("jsonpaths") if isinstance(document, dict) else None
    if not isinstance(paths, list) or not paths:
        raise _invalid('it must be {"jsonpaths": ["$.name", …]}')
    return [_parse(path) for path in paths]


def _parse(text: Any) -> Path:
    if not isinstance(text, str) or not text.startswith("$"):
        raise _invalid(f"{text!r} does not begin with $")
    steps: list[str | int] = []
    at = 1
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise _invalid(f"{text!r} is not a path of names and indexes")
        steps.append(int(match[4]) if match[4] else next(name for name in match.group(1, 2, 3) if name is not None))
        at = match.end()
    return tuple(steps)


def follow(path: Path, value: Any) -> Any:
    """What is at the end of a path; None if there is nothing."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
    return value
