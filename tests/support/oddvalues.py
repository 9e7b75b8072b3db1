"""Parameters that are half right: made from a service model, from what is there, and from junk."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import cbor2

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

JSON, CBOR = "application/x-amz-json-1.1", "application/x-amz-cbor-1.1"
JUNK_SHARE = 0.02
FIT_SHARE = 0.8
LESS = 0.6
"""How much more seldom optional members get with each level: structures within structures end."""

JUNK: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31 - 1, 2**31, 2**63, 2**64, -(2**63), 1.5, 1e308, -0.0),
    *("", "x", "☃", "😀", "x" * 3000, [], {}, [[]], {"a": {}}, [None], {"": None}, "null", "0"),
]
CBOR_JUNK: list[Any] = [
    *(b"", b"x", float("nan"), float("inf"), cbor2.undefined),
    *(cbor2.CBORTag(1, value) for value in (0, -1, 1e300, 2**64, "x")),
    *(cbor2.CBORTag(2, b"x" * 20), cbor2.CBORTag(30, [1, 0]), cbor2.CBORTag(258, [1, 1])),
]


class Generator:
    """Makes parameters by the shapes of a model in botocore's format.

    `fitting` has values that are right for some shapes; `chances` are those of optional members, by name.
    """

    def __init__(
        self,
        shapes: Mapping[str, Any],
        rng: random.Random,
        fitting: dict[str, list[Any]],
        content_type: str = JSON,
        chances: Mapping[str, float] | None = None,
    ) -> None:
        self._shapes = shapes
        self._rng = rng
        self._fitting = fitting
        self._is_cbor = content_type == CBOR
        self._chances = chances or {}
        self._depth = 0

    def value(self, name: str) -> Any:
        """A value for the shape of that name, or for another."""
        rng = self._rng
        if rng.random() < JUNK_SHARE:
            return rng.choice(JUNK + CBOR_JUNK * self._is_cbor)
        if name in self._fitting and rng.random() < FIT_SHARE:
            return rng.choice(self._fitting[name])
        shape = self._shapes[name]
        made = {
            "structure": self._structure,
            "list": lambda shape: [self.value(shape["member"]["shape"]) for _ in range(rng.choice([0, 1, 2, 12]))],
            "map": self._map,
            "string": lambda shape: rng.choice(shape.get("enum") or ["a", "a.b_c-1", "", "x" * 300, "é", "a b", "7"]),
            "integer": self._number,
            "long": self._number,
            "double": lambda shape: rng.choice([0, 0.5, 1, -1, 1e300]),
            "boolean": lambda shape: rng.random() < 0.5,
            "blob": self._blob,
            "timestamp": self._timestamp,
        }
        self._depth += 1
        try:
            return made[shape["type"]](shape)
        finally:
            self._depth -= 1

    def _structure(self, shape: dict[str, Any]) -> dict[str, Any]:
        required = shape.get("required", [])
        usual = 0.35 * LESS ** max(0, self._depth - 2)
        return {
            member: self.value(spec["shape"])
            for member, spec in shape["members"].items()
            if self._rng.random() < (0.97 if member in required else self._chances.get(member, usual))
        }

    def _map(self, shape: dict[str, Any]) -> dict[str, Any]:
        key, value = shape["key"]["shape"], shape["value"]["shape"]
        return {str(self.value(key)): self.value(value) for _ in range(self._rng.randrange(4))}

    def _number(self, shape: dict[str, Any]) -> int:
        low, high = shape.get("min", -5), shape.get("max", 100)
        return int(self._rng.choice([low, high, low - 1, high + 1, 1, 2, 24, 100, self._rng.randint(low, high)]))

    def _blob(self, shape: dict[str, Any]) -> bytes | str:
        data = self._rng.randbytes(self._rng.choice([0, 1, 10, 1000]))
        return data if self._is_cbor else base64.b64encode(data).decode()

    def _timestamp(self, shape: dict[str, Any]) -> Any:
        value = self._rng.choice([0, time.time(), time.time() - 100, -1, 1e12, 1e300, 2**63])
        return cbor2.CBORTag(1, value * 1000) if self._is_cbor else value
