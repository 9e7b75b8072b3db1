"""What delivery streams are loaded with: events in JSON, as applications send them, and their table."""

from __future__ import annotations

import random

COLUMNS = (
    ("device", "string"),
    ("sector", "string"),
    ("change", "double"),
    ("price", "double"),
    ("volume", "bigint"),
    ("at", "timestamp"),
    ("trace", "string"),
    ("items", "array<struct<sku:string,quantity:int,price:double,discounted:boolean>>"),
    ("note", "string"),
)
"""The columns of the events' table: all their fields but for `group`."""

_SECTORS = ("ENERGY", "FINANCIAL", "HEALTHCARE", "RETAIL", "TECHNOLOGY")
_TEXT = (
    "leave it with the neighbours if nobody opens the door, please ring twice before that; call the customer about any "
    "change of the hour; two boxes of this order came back last month since their labels could not be read"
)


def events(count: int, size_bytes: int, groups: int = 1, seed: int = 2015) -> list[bytes]:
    """So many events of `size_bytes` each, line ends included, whose field `group` takes `groups` values in turn."""
    chance = random.Random(seed)
    return [_event(chance, number % groups, size_bytes) for number in range(count)]


def _event(chance: random.Random, group: int, size_bytes: int) -> bytes:
    fields = (
        f'{{"device":"device-{chance.randrange(10_000):05d}","sector":"{chance.choice(_SECTORS)}","group":"g{group}",'
        f'"change":{chance.uniform(-2, 2):.2f},"price":{chance.uniform(1, 200):.2f},"volume":{chance.randrange(10**6)},'
    )
    if size_bytes > 250:
        fields += f'"at":"2026-01-02T10:11:12.{chance.randrange(1000):03d}Z","trace":"{chance.getrandbits(128):032x}",'
        items = [_item(chance) for _ in range((size_bytes - len(fields) - 100) // len(_item(chance)))]
        fields += f'"items":[{",".join(items)}],'
    front, end = fields + '"note":"', '"}\n'
    return (front + _text(chance, size_bytes - len(front) - len(end)) + end).encode()


def _item(chance: random.Random) -> str:
    price, discounted = chance.uniform(10, 99), ("true", "false")[chance.randrange(2)]
    sku = f"sku-{chance.randrange(9999):04d}"
    return f'{{"sku":"{sku}","quantity":{chance.randrange(1, 9)},"price":{price:.2f},"discounted":{discounted}}}'


def _text(chance: random.Random, size: int) -> str:
    start = chance.randrange(len(_TEXT))
    return (_TEXT[start:] + " " + _TEXT * (1 + size // len(_TEXT)))[: max(0, size)]
