"""Prefixes of objects' keys, and the expressions in them.

    orders/year=!{timestamp:yyyy}/!{partitionKeyFromQuery:customer}/   ->   orders/year=2026/7/

A prefix without any expression is followed by the time as `yyyy/MM/dd/HH/`, as it stands: no slash is put between.
One with an expression is followed by nothing, whatever the expression (observed; the developer guide says that only a
timestamp suppresses the time). Source: developer guide, "Understand custom prefixes for Amazon S3 objects".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

from millstream.base.errors import MillstreamError
from millstream.firehose.timepatterns import Format, PatternInvalid, compile_pattern

RANDOM_STRING_CHARACTERS = 11
EVALUATED_CHARACTERS_MAX = 512

_EXPRESSION = re.compile(r"!\{([^:{}]*):([^{}]*)\}")
_TIME = compile_pattern("yyyy/MM/dd/HH/")
_RANDOM_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"

# What evaluates to the longest text: the longest names of a month and a day, and a long error output type.
_LONG_TIME = datetime(2026, 9, 30, 23, 59, 59, 999_000, tzinfo=timezone(timedelta(hours=-11, minutes=-30)))
_LONG_ERROR_TYPE = "AmazonOpenSearchService-failed"


class PrefixInvalid(MillstreamError):
    """Not a prefix; the text says what is wrong with it."""


class _Values(NamedTuple):
    time: datetime
    random_strings: Callable[[], str]
    error_type: str | None
    partition: dict[str, str]


_Part = Callable[[_Values], str]


class Prefix:
    """A prefix, parsed: what it has in it, and what it is at a time."""

    def __init__(self, text: str) -> None:
        """Parse `text`. Raises PrefixInvalid."""
        self.text = text
        self.has_expressions = False
        self.has_error_type = False
        self.query_keys: list[str] = []
        """The keys of partitionKeyFromQuery expressions, in order."""
        self.lambda_keys: list[str] = []
        """The keys of partitionKeyFromLambda expressions, in order."""
        self._parts: list[_Part] = []
        position = 0
        for match in _EXPRESSION.finditer(text):
            self._add_literal(text[position : match.start()])
            self._add_expression(match[0], match[1], match[2])
            position = match.end()
        self._add_literal(text[position:])

    @property
    def has_partition_keys(self) -> bool:
        """Whether there are partitionKeyFromQuery or partitionKeyFromLambda expressions."""
        return bool(self.query_keys or self.lambda_keys)

    def evaluate(
        self,
        time: datetime,
        *,
        random_string: str,
        error_type: str | None = None,
        partition: tuple[tuple[str, str], ...] = (),
    ) -> str:
        """What the prefix is at `time`, which is aware of its zone.

        `random_string` is the first random string; more of them, if the prefix has more, follow from it.
        `partition` has a value for ("query:name", …) or ("lambda:name", …) of every partition key in the prefix.
        With an `error_type`, a prefix without expressions is followed by it, a slash, and the time.
        """
        values = _Values(time, _random_strings(random_string), error_type, dict(partition))
        evaluated = "".join([part(values) for part in self._parts])
        if self.has_expressions:
            return evaluated
        return f"{evaluated}{f'{error_type}/' if error_type else ''}{_TIME(time)}"

    def evaluated_length_max(self) -> int:
        """How many characters the prefix may evaluate to, partition keys not counted."""
        keys = [f"query:{key}" for key in self.query_keys] + [f"lambda:{key}" for key in self.lambda_keys]
        partition = tuple((key, "") for key in keys)
        error_type = _LONG_ERROR_TYPE if self.has_error_type else None
        random_string = "x" * RANDOM_STRING_CHARACTERS
        return len(self.evaluate(_LONG_TIME, random_string=random_string, error_type=error_type, partition=partition))

    def _add_literal(self, text: str) -> None:
        if "!{" in text:
            raise PrefixInvalid(f"the sequence !{{ can only appear in an expression !{{namespace:value}}: {self.text}")
        if text:
            self._parts.append(lambda _: text)

    def _add_expression(self, expression: str, namespace: str, value: str) -> None:
        add = _NAMESPACES.get(namespace)
        if add is None:
            raise PrefixInvalid(f"{expression} has an unknown namespace; there are {', '.join(_NAMESPACES)}")
        if not value:
            raise PrefixInvalid(f"{expression} has no value")
        self.has_expressions = True
        self._parts.append(add(self, value))


def _timestamp(_: Prefix, value: str) -> _Part:
    try:
        form: Format = compile_pattern(value)
    except PatternInvalid as error:
        raise PrefixInvalid(f"!{{timestamp:{value}}} is not a valid expression: {error}") from error
    return lambda values: form(values.time)


def _firehose(prefix: Prefix, value: str) -> _Part:
    if value == "random-string":
        return lambda values: values.random_strings()
    if value == "error-output-type":
        prefix.has_error_type = True
        return lambda values: values.error_type or ""
    raise PrefixInvalid(f"!{{firehose:{value}}} is unknown; there are random-string and error-output-type")


def _from_query(prefix: Prefix, value: str) -> _Part:
    prefix.query_keys.append(value)
    return lambda values: values.partition[f"query:{value}"]


def _from_lambda(prefix: Prefix, value: str) -> _Part:
    prefix.lambda_keys.append(value)
    return lambda values: values.partition[f"lambda:{value}"]


_NAMESPACES: dict[str, Callable[[Prefix, str], _Part]] = {
    "timestamp": _timestamp,
    "firehose": _firehose,
    "partitionKeyFromQuery": _from_query,
    "partitionKeyFromLambda": _from_lambda,
}


@lru_cache(maxsize=1024)
def parse(text: str) -> Prefix:
    """The prefix `text`, parsed. Cached. Raises PrefixInvalid."""
    return Prefix(text)


def random_string(seed: str) -> str:
    """The random string that belongs to `seed`: lower-case letters and digits."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:12], "big")
    letters = []
    for _ in range(RANDOM_STRING_CHARACTERS):
        number, index = divmod(number, len(_RANDOM_ALPHABET))
        letters.append(_RANDOM_ALPHABET[index])
    return "".join(letters)


def _random_strings(first: str) -> Callable[[], str]:
    """Gives `first`, then others that follow from it: every instance in a prefix is to be another."""
    current: list[str] = []

    def following() -> str:
        current.append(first if not current else random_string(current[-1]))
        return current[-1]

    return following
