"""JSON objects of texts, made fast: the output of CSVTOJSON and LOGTOJSON."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import msgspec

from millstream.agent.processors.converter import Converter
from millstream.agent.processors.options import Options

JSON_FORMATS = ("COMPACT", "PRETTYPRINT")

_encoder = msgspec.json.Encoder()
encode = _encoder.encode
"""The JSON of a value, compact."""

FieldsMaker = Callable[..., object]
"""Called with a text or None for each value, in order; gives what `encode` makes a JSON object of."""


class ToFields:
    """A converter whose JSON is made of objects: `read` makes one of a record, or raises Rejected.

    A Chain that has nothing else encodes the objects of many records at once, which saves a tenth of the time.
    """

    def __init__(self, read: Callable[[bytes], object]) -> None:
        self.read = read

    def __call__(self, record: bytes) -> bytes:
        return encode(self.read(record)) + b"\n"


def encode_all(objects: Sequence[object | None]) -> list[bytes | None]:
    """A line of JSON for each object; None stays None."""
    there = [each for each in objects if each is not None]
    lines = io.BytesIO(_encoder.encode_lines(there))
    if len(there) == len(objects):
        return list(lines)
    return [None if each is None else next(lines) for each in objects]


def fields_maker(names: Sequence[str], *, values: int) -> FieldsMaker:
    """A maker of objects with these, different, names from so many values; those beyond the last name are left out.

    A class of its own for the names is three times as fast as a dict: they are encoded only once, here.
    """
    attributes = [f"field_{number}" for number in range(len(names))]
    fields = msgspec.defstruct(
        "Fields",
        [(attribute, str | None) for attribute in attributes],
        rename=dict(zip(attributes, names, strict=True)),
        gc=False,
    )
    if values > (count := len(names)):
        return lambda *texts: fields(*texts[:count])
    return fields


def in_json_format(convert: Converter, options: Options) -> Converter:
    """`convert`, with its compact JSON made pretty where jsonFormat asks for it."""
    if options.choice("jsonFormat", JSON_FORMATS, "COMPACT") == "COMPACT":
        return convert
    return lambda record: msgspec.json.format(convert(record), indent=2) + b"\n"
