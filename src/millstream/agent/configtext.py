"""agent.json as text: JSON with comments, in which `"log": {"level": …}` and `"log.level": …` mean the same.

A file is read wholly before anything is said of it: what is wrong with values is `configfile`'s matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from millstream.base.units import MIB
from millstream.client.errors import ConfigurationError

_SIZE_BYTES_MAX = 16 * MIB
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/|/\*', re.DOTALL)
_NOT_LINE_END = re.compile(r"[^\n]")


def read_document(path: Path, warn: Callable[[str], None]) -> dict[str, Any]:
    """The object in a file. `warn` hears of names that are given twice. Raises ConfigurationError."""
    try:
        if path.stat().st_size > _SIZE_BYTES_MAX:
            raise ConfigurationError(f"{path} has more than {_SIZE_BYTES_MAX // MIB} MiB: that is no configuration")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path} is not UTF-8: byte {error.start:,} is {error.object[error.start]:#04x}"
        ) from error
    document = _parse(path, without_comments(text), warn)
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} holds {_kind(document)}: it must hold an object, " + '{"flows": […]}')
    return document


def without_comments(text: str) -> str:
    """The text with blanks for comments, so that places in it stay where they are. Strings keep what looks like one."""
    return _TOKENS.sub(lambda token: token[0] if token[0][0] == '"' or token[0] == "/*" else _blank(token[0]), text)


def flatten(document: dict[str, Any], groups: Iterable[str]) -> dict[str, Any]:
    """The document with objects named as in `groups` dissolved: {"log": {"level": "INFO"}} is {"log.level": "INFO"}."""
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if name in groups and isinstance(value, dict):
            flat.update({f"{name}.{inner}": inner_value for inner, inner_value in value.items()})
        else:
            flat[name] = value
    return flat


def _parse(path: Path, text: str, warn: Callable[[str], None]) -> Any:
    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            twice = sorted({name for name in names if names.count(name) > 1})
            warn(f"{path}: {', '.join(twice)} given more than once in one object: the last one counts")
        return made

    try:
        document = json.loads(text, object_pairs_hook=object_of)
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start]).strip("'")
        raise ConfigurationError(f"{path} holds {half}, which is half a character and means nothing alone") from error
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"{path}, line {error.lineno}, column {error.colno}: {_reason(text, error)}"
        ) from error
    except (RecursionError, ValueError) as error:
        raise ConfigurationError(f"{path} is no JSON that can be read: {error}") from error
    return document


def _reason(text: str, error: json.JSONDecodeError) -> str:
    rest, before = text[error.pos :].lstrip(), text[: error.pos].rstrip()
    if rest.startswith("#"):
        return "# begins no comment here: use // or /* */"
    if rest.startswith("/*"):
        return "the comment has no end: */ is missing"
    if before.endswith(",") and rest[:1] in ("}", "]"):
        return "a comma too many before the end"
    if rest.startswith("'"):
        return "names and texts stand in double quotes"
    return f"no valid JSON: {error.msg[:1].lower()}{error.msg[1:]}"


def _blank(comment: str) -> str:
    return _NOT_LINE_END.sub(" ", comment)


def _kind(document: object) -> str:
    return {list: "a list", str: "a text", bool: "true or false", type(None): "null"}.get(type(document), "a number")
