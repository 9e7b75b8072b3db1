"""Scalar shapes: text, truth, numbers, moments and blobs; see `shapes` for what a shape does.

Numbers that are too big for their type are truncated to its bounds and fractions are cut off, as AWS does. The wording
of what cannot be converted is as recorded from AWS by kinesalite's tests.
"""

from __future__ import annotations

import binascii
import math
import sys
from abc import ABC, abstractmethod
from typing import Any

from millstream.wire.codecs import epoch_tag
from millstream.wire.constraints import Violations, clip, constraints_of
from millstream.wire.context import Codec
from millstream.wire.faults import SerializationException
from millstream.wire.model import ShapeModel

_JAVA_CLASSES: dict[type, str] = {
    bool: "java.lang.Boolean",
    int: "com.amazon.coral.value.json.numbers.TruncatingBigNumber",
    float: "com.amazon.coral.value.json.numbers.TruncatingBigNumber",
    str: "java.lang.String",
    bytes: "java.nio.HeapByteBuffer",
}

_BOOLEAN_WORDS = {"TRUE": True, "YES": True, "1": True, "FALSE": False, "NO": False, "0": False}

_BASE64_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

INTEGER_MAX = (1 << 31) - 1
LONG_MAX = (1 << 63) - 1
_EPOCH = "milliseconds since epoch"
_SECONDS_MAX = LONG_MAX // 1000
_DOUBLE_MAX = sys.float_info.max
_NUMBERS = {"integer": (INTEGER_MAX, "an Integer"), "long": (LONG_MAX, "an Long")}


class Scalar(ABC):
    """What all scalar shapes share: constraints on the value itself, and the same value inside and on the wire."""

    def __init__(self, model: ShapeModel) -> None:
        self.constraints = constraints_of(model)
        self._is_sensitive = model.sensitive

    @abstractmethod
    def read(self, value: Any) -> Any:
        """The value inside, from a decoded tree; nulls do not come here."""

    def check(self, value: Any, path: str, violations: Violations) -> None:
        for text, holds in self.constraints:
            if not holds(value):
                if self._is_sensitive:
                    violations.add_sensitive(path, text)
                else:
                    violations.add(path, self.show(value), text)

    def show(self, value: Any) -> str:
        return "***" if self._is_sensitive else str(value)

    def write(self, value: Any) -> Any:
        return value


class StringShape(Scalar):
    """Text, also of an enum."""

    def read(self, value: Any) -> str:
        if type(value) is not str:
            raise mismatch(value, "an String")
        return value


class BooleanShape(Scalar):
    """True or false, also as the words that AWS takes for them."""

    def read(self, value: Any) -> bool:
        if type(value) is bool:
            return value
        if type(value) is not str:
            raise mismatch(value, "an Boolean")
        word = value.upper()
        if word not in _BOOLEAN_WORDS:
            raise SerializationException(f"'{clip(word)}' can not be converted to an Boolean")
        return _BOOLEAN_WORDS[word]

    def show(self, value: Any) -> str:
        return "true" if value else "false"


class IntegerShape(Scalar):
    """A whole number of 32 or 64 bits."""

    def __init__(self, model: ShapeModel) -> None:
        super().__init__(model)
        self._most, self._target = _NUMBERS[model.type]

    def read(self, value: Any) -> int:
        return _truncated(value, self._most, self._target)


class DoubleShape(Scalar):
    """A number with a fraction, of 64 bits."""

    def read(self, value: Any) -> float:
        if not _is_number(value):
            raise mismatch(value, "an Double")
        return float(min(max(value, -_DOUBLE_MAX), _DOUBLE_MAX))


class JsonTimestampShape(Scalar):
    """A moment: inside, integer milliseconds since the epoch; in JSON seconds with a fraction."""

    def read(self, value: Any) -> int:
        if _is_number(value):
            value = round(min(max(value, -_SECONDS_MAX), _SECONDS_MAX) * 1000)
        return _truncated(value, LONG_MAX, _EPOCH)

    def write(self, value: int) -> float:
        return value / 1000


class CborTimestampShape(Scalar):
    """A moment: inside, integer milliseconds since the epoch; in CBOR the same, tagged."""

    def read(self, value: Any) -> int:
        return _truncated(value, LONG_MAX, _EPOCH)

    def write(self, value: Any) -> Any:
        return epoch_tag(value)


class BlobShape(Scalar):
    """Bytes; base64 in JSON."""

    def read(self, value: Any) -> bytes:
        if type(value) is bytes:
            return value
        if type(value) is not str:
            raise mismatch(value, "a Blob")
        return _base64(value)

    def show(self, value: Any) -> str:
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"


_SCALARS: dict[str, type[Scalar]] = {
    "string": StringShape,
    "boolean": BooleanShape,
    "integer": IntegerShape,
    "long": IntegerShape,
    "double": DoubleShape,
    "blob": BlobShape,
}

SCALARS: dict[Codec, dict[str, type[Scalar]]] = {
    Codec.JSON: {**_SCALARS, "timestamp": JsonTimestampShape},
    Codec.CBOR: {**_SCALARS, "timestamp": CborTimestampShape},
}
"""The scalar shapes of a codec by the model's name for their type."""


def mismatch(value: Any, target: str) -> SerializationException:
    """The fault for a value that should be a scalar and is of another type; `target` says of which."""
    return misplaced(value, f"class {_JAVA_CLASSES.get(type(value))} can not be converted to {target}")


def misplaced(value: Any, said_of_scalars: str) -> SerializationException:
    """The fault for a value of another type than its shape's."""
    if type(value) is list:
        return SerializationException("Start of list found where not expected")
    if type(value) in _JAVA_CLASSES:
        return SerializationException(said_of_scalars)
    return SerializationException("Start of structure or map found where not expected.")


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _truncated(value: Any, most: int, target: str) -> int:
    if not _is_number(value):
        raise mismatch(value, target)
    return min(max(int(value), -most - 1), most)


def _base64(text: str) -> bytes:
    """The bytes of canonical base64; AWS takes no other."""
    try:
        decoded = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise _not_base64(text) from None
    if binascii.b2a_base64(decoded, newline=False) != text.encode():
        raise _not_base64(text)
    return decoded


def _not_base64(text: str) -> SerializationException:
    found = f"'{clip(text)}' can not be converted to a Blob"
    if len(text) % 4:
        expected = "Base64 encoded length is expected a multiple of 4 bytes but found"
        return SerializationException(f"{found}: {expected}: {len(text)}")
    for character in text[:-2] + text[-2:].rstrip("="):
        if character not in _BASE64_ALPHABET:
            return SerializationException(f"{found}: Invalid Base64 character: '{character}'")
    return SerializationException(f"{found}: Invalid last non-pad Base64 character dectected")
