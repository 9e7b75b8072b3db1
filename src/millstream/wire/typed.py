"""The fast path: requests straight into structs, validated in the same pass.

A handler's struct names the members of an input shape; the decoder is made for a subclass of it whose fields carry the
constraints of the service model, so that a request which the fast path takes is one that the generic path takes too,
with one difference: spare bits in the last digit of base64 are ignored here and refused there. What the fast path does
not take goes through the generic path, which knows AWS's words for what is wrong, and which also takes what is unusual
but legal (nulls, words for booleans, numbers to be truncated).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from millstream.wire.codecs import decode_cbor
from millstream.wire.constraints import anchored
from millstream.wire.context import Codec
from millstream.wire.faults import SerializationException
from millstream.wire.model import ServiceModel, ShapeModel
from millstream.wire.scalars import INTEGER_MAX, LONG_MAX

_BUILTIN_TYPES = (bytes,)

_NUMBER_BOUNDS = {"integer": INTEGER_MAX, "long": LONG_MAX}


class TypedDecoder:
    """Decodes the requests of one operation into `request`, whose fields are the members of the shape `input_name`.

    Raises TypeError, when made, for a struct that does not fit the shape: its fields must be all the members, required
    ones without a default and the others with None. Timestamps are not supported.
    """

    def __init__(self, model: ServiceModel, input_name: str, request: type[msgspec.Struct]) -> None:
        self._request = request
        self._constrained = _constrained_struct(model, input_name, request)
        self._decode_json = msgspec.json.Decoder(self._constrained).decode

    def decode(self, codec: Codec, body: bytes) -> msgspec.Struct | None:
        """The request, or None if the fast path does not take it, for whatever reason."""
        try:
            if codec is Codec.JSON:
                return self._decode_json(body)
            return msgspec.convert(decode_cbor(body), self._constrained, builtin_types=_BUILTIN_TYPES)
        except (ValueError, RecursionError, SerializationException):
            return None

    def build(self, params: dict[str, Any]) -> msgspec.Struct:
        """The request made of parameters that the generic path has accepted."""
        return msgspec.convert(params, self._request, builtin_types=_BUILTIN_TYPES)


def _constrained_struct(model: ServiceModel, name: str, declared: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """A subclass of `declared` with the constraints of the structure shape `name`."""
    shape = model.shapes[name]
    info = msgspec.inspect.type_info(declared)
    assert isinstance(info, msgspec.inspect.StructType)
    optional = {field.encode_name for field in info.fields if field.default is None}
    if {field.encode_name for field in info.fields} != shape.members.keys():
        raise TypeError(f"the fields of {declared.__name__} are not the members of {name}")
    if optional != shape.members.keys() - set(shape.required):
        raise TypeError(f"the optional fields of {declared.__name__} are not those of {name}")
    fields: list[Any] = []
    for field in info.fields:
        member = shape.members[field.encode_name].shape
        if field.encode_name in optional:
            fields.append((field.name, _constrained_type(model, member, _without_none(field.type)) | None, None))
        else:
            fields.append((field.name, _constrained_type(model, member, field.type)))
    return msgspec.defstruct(declared.__name__, fields, bases=(declared,))


def _constrained_type(model: ServiceModel, name: str, declared: msgspec.inspect.Type) -> Any:
    """The type of a value of the shape `name`, for msgspec; `declared` only says which struct a structure is."""
    shape = model.shapes[name]
    match shape.type, declared:
        case "structure", msgspec.inspect.StructType(cls=struct):
            return _constrained_struct(model, name, struct)
        case "list", msgspec.inspect.ListType(item_type=item):
            assert shape.member is not None
            return _with_length(shape, list[_constrained_type(model, shape.member.shape, item)])  # type: ignore[misc]
        case "map", msgspec.inspect.DictType(key_type=key, value_type=value):
            assert shape.key is not None
            assert shape.value is not None
            keys, values = (
                _constrained_type(model, shape.key.shape, key),
                _constrained_type(model, shape.value.shape, value),
            )
            return _with_length(shape, dict[keys, values])  # type: ignore[valid-type]
        case "blob", msgspec.inspect.BytesType():
            return _with_length(shape, bytes)
        case "boolean", msgspec.inspect.BoolType():
            return bool
        case (("integer" | "long"), msgspec.inspect.IntType()):
            most = _NUMBER_BOUNDS[shape.type]
            least = -most - 1 if shape.min is None else shape.min
            return Annotated[int, msgspec.Meta(ge=least, le=most if shape.max is None else shape.max)]
        case "string", msgspec.inspect.StrType():
            if shape.enum is not None:
                return Literal[tuple(shape.enum)]
            pattern = None if shape.pattern is None else anchored(shape.pattern)
            return _with_length(shape, Annotated[str, msgspec.Meta(pattern=pattern)])
    raise TypeError(f"a field of the shape {name} cannot be declared as {declared}")


def _with_length(shape: ShapeModel, declared: Any) -> Any:
    least = None if shape.min is None else int(shape.min)
    most = None if shape.max is None else int(shape.max)
    return Annotated[declared, msgspec.Meta(min_length=least, max_length=most)]


def _without_none(type_: msgspec.inspect.Type) -> msgspec.inspect.Type:
    if isinstance(type_, msgspec.inspect.UnionType):
        return next(t for t in type_.types if not isinstance(t, msgspec.inspect.NoneType))
    return type_
