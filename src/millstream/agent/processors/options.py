"""Reads the keys of one processing option, noting everything that is wrong with them."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any

from millstream.agent.configkeys import FLOW


class Options:
    """One entry of dataProcessingOptions. What is wrong goes to `problems`, and a value of the right type is returned.

    `path` is the entry's place, as in `dataProcessingOptions[1]`; every problem begins with the key's place.
    """

    def __init__(self, values: dict[str, Any], path: str) -> None:
        self._values = values
        self._path = path
        self._read = {"optionName"}
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def refuse(self, key: str, why: str) -> None:
        """Note a problem with a key."""
        self.problems.append(f"{self._path}.{key}: {why}")

    def warn(self, key: str, why: str) -> None:
        """Note something that may not be meant."""
        self.warnings.append(f"{self._path}.{key}: {why}")

    def ignore(self, *keys: str) -> None:
        """These keys mean nothing here, but are no mistake."""
        self._read.update(keys)

    def unread(self) -> list[str]:
        """A warning for each key that nobody asked for."""
        known = sorted(self._read)
        unread = [key for key in self._values if key not in self._read]
        return [
            f"{self._path}.{key}: is ignored: {_elsewhere(key) or f'unknown key{_meant(key, known)}'}" for key in unread
        ]

    def text(self, key: str, default: str | None = None) -> str | None:
        """A text that is not empty."""
        value = self._value(key)
        if value is None:
            return default
        if isinstance(value, str) and value:
            return value
        self.refuse(key, f"{value!r} is not a text")
        return default

    def choice(self, key: str, allowed: Collection[str], default: str | None) -> str | None:
        """One of `allowed`, in capitals or not; without a default the key must be there."""
        value = self._value(key)
        if value is None:
            if default is None:
                self.refuse(key, f"is missing; give one of {', '.join(allowed)}")
            return default
        if isinstance(value, str) and value.upper() in allowed:
            return value.upper()
        self.refuse(key, f"{value!r} is not one of {', '.join(allowed)}{_meant(value, allowed)}")
        return default

    def names(self, key: str) -> list[str]:
        """A list of different texts; empty if the key is missing."""
        value = self._value(key)
        if value is None:
            return []
        if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
            self.refuse(key, f"{value!r} is not a list of field names")
            return []
        if repeated := sorted({name for name in value if value.count(name) > 1}):
            self.refuse(key, f"the name {repeated[0]!r} is there more than once")
            return []
        return value

    def choices(self, key: str, allowed: Collection[str]) -> frozenset[str]:
        """A list of some of `allowed`."""
        value = self._value(key)
        entries = [value] if isinstance(value, str) else value
        if entries is None:
            return frozenset()
        if isinstance(entries, list) and all(isinstance(entry, str) and entry in allowed for entry in entries):
            return frozenset(entries)
        self.refuse(key, f"{value!r} is not a list of {', '.join(allowed)}")
        return frozenset()

    def flag(self, key: str) -> bool:
        """A truth value, also as a text; false if the key is missing."""
        value = self._value(key)
        spelling = value.lower() if isinstance(value, str) else value
        if spelling in (True, "true"):
            return True
        if spelling not in (None, False, "false"):
            self.refuse(key, f"{value!r} is neither true nor false")
        return False

    def mapping(self, key: str) -> dict[str, Any]:
        """An object, which must be there."""
        value = self._value(key)
        if isinstance(value, dict):
            return value
        self.refuse(key, "is missing" if value is None else f"{value!r} is not an object")
        return {}

    def _value(self, key: str) -> Any:
        self._read.add(key)
        return self._values.get(key)


def _elsewhere(key: str) -> str:
    """Keys of the flow stand in many published configurations where processors' keys belong, misspelt ones as well."""
    guess = difflib.get_close_matches(key, FLOW, n=1, cutoff=0.9)
    return f"{guess[0]} belongs into the flow, beside dataProcessingOptions" if guess else ""


def _meant(value: object, known: Collection[str]) -> str:
    guess = difflib.get_close_matches(value, known, n=1) if isinstance(value, str) else []
    return f"; did you mean {guess[0]}?" if guess else ""
