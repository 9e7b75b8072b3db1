"""Shapes compiled from a service model: they read, check and write the values of one type.

- `read` turns a decoded tree into parameters: it drops nulls and members that the shape does not know, and raises a
  SerializationException, in AWS's words, where a value is of another type.
- `check` collects the constraints that a read value breaks.
- `show` is the value as AWS's messages quote it, which is Java's `toString`.
- `write` turns a result into a tree for the codec, and leaves out what is None.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from millstream.wire.constraints import (
    NOT_NULL,
    Violations,
    clip,
    constraints_of,
    join_clipped,
    joined_constraints,
)
from millstream.wire.context import Codec
from millstream.wire.model import ServiceModel, ShapeModel
from millstream.wire.scalars import SCALARS, Scalar, misplaced


class Shape(Protocol):
    """A compiled shape; see the module's docstring for the four methods."""

    def read(self, value: Any) -> Any: ...
    def check(self, value: Any, path: str, violations: Violations) -> None: ...
    def show(self, value: Any) -> str: ...
    def write(self, value: Any) -> Any: ...


class ListShape:
    """Values of one shape in order. A null among them is kept and breaks the element's rule."""

    def __init__(self, model: ShapeModel, element: Shape, element_model: ShapeModel) -> None:
        self._constraints = constraints_of(model)
        self._element = element
        self._scalars = element if isinstance(element, Scalar) else None
        self._element_rule = f"Member must satisfy constraint: {joined_constraints(element_model)}"

    def read(self, value: Any) -> list[Any]:
        if type(value) is not list:
            raise misplaced(value, "Expected list or null")
        read = self._element.read
        return [None if element is None else read(element) for element in value]

    def check(self, value: Any, path: str, violations: Violations) -> None:
        for text, holds in self._constraints:
            if not holds(value):
                violations.add(path, self.show(value), text)
        if self._scalars is not None:
            if not _all_hold(self._scalars, value):
                violations.add(path, self.show(value), self._element_rule)
            return
        for number, element in enumerate(value, 1):
            _check_present(self._element, element, f"{path}.{number}.member", violations)

    def show(self, value: Any) -> str:
        return f"[{join_clipped(_show_each(self._element, value))}]"

    def write(self, value: Any) -> list[Any]:
        write = self._element.write
        return [write(element) for element in value]


class MapShape:
    """Values of one shape by text keys."""

    def __init__(
        self, model: ShapeModel, key: Shape, key_model: ShapeModel, value: Shape, value_model: ShapeModel
    ) -> None:
        assert isinstance(key, Scalar), "the model has only scalar keys"
        self._constraints = constraints_of(model)
        self._key = key
        self._value = value
        self._scalars = value if isinstance(value, Scalar) else None
        self._key_rule = f"Map keys must satisfy constraint: {joined_constraints(key_model)}"
        self._value_rule = f"Map value must satisfy constraint: {joined_constraints(value_model)}"

    def read(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise misplaced(value, "Expected map or null")
        key, read = self._key.read, self._value.read
        return {key(k): None if v is None else read(v) for k, v in value.items()}

    def check(self, value: Any, path: str, violations: Violations) -> None:
        for text, holds in self._constraints:
            if not holds(value):
                violations.add(path, self.show(value), text)
        if not _all_hold(self._key, value):
            violations.add(path, self.show(value), self._key_rule)
        if self._scalars is not None:
            if not _all_hold(self._scalars, value.values()):
                violations.add(path, self.show(value), self._value_rule)
            return
        for key, element in value.items():
            _check_present(self._value, element, f"{path}.{clip(key)}.member", violations)

    def show(self, value: Any) -> str:
        shown = _show_each(self._value, value.values())
        return f"{{{join_clipped(f'{key}={element}' for key, element in zip(value, shown, strict=False))}}}"

    def write(self, value: Any) -> dict[str, Any]:
        write = self._value.write
        return {key: write(element) for key, element in value.items()}


class StructureShape:
    """Named members; `members` is filled by the compiler after construction, so that shapes may contain themselves."""

    def __init__(self, java_name: str, model: ShapeModel) -> None:
        self._java_name = java_name
        self._required = frozenset(model.required)
        self.members: dict[str, Shape] = {}

    def read(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise misplaced(value, "Expected null")
        read = {}
        for name, shape in self.members.items():
            if (member := value.get(name)) is not None:
                read[name] = shape.read(member)
        return read

    def check(self, value: Any, path: str, violations: Violations) -> None:
        prefix = f"{path}." if path else ""
        for name, shape in self.members.items():
            member = value.get(name)
            if member is not None:
                shape.check(member, prefix + _member_path(name), violations)
            elif name in self._required:
                violations.add(prefix + _member_path(name), None, NOT_NULL)

    def show(self, value: Any) -> str:
        # Java shows a hash code here; which one means nothing to anybody, so any that depends on the value will do.
        return f"{self._java_name}@{zlib.crc32(','.join(value).encode()):x}"

    def write(self, value: Any) -> dict[str, Any]:
        members = self.members
        return {name: members[name].write(member) for name, member in value.items() if member is not None}


class ShapeCompiler:
    """Compiles the shapes of a service model for one codec, each once, when something first needs it."""

    def __init__(self, model: ServiceModel, codec: Codec) -> None:
        self._model = model
        self._scalars = SCALARS[codec]
        self._compiled: dict[str, Shape] = {}
        version = model.metadata.api_version.replace("-", "")
        self._java_package = f"com.amazonaws.{model.metadata.endpoint_prefix}.v{version}"

    def shape(self, name: str) -> Shape:
        """The compiled shape of that name."""
        if name not in self._compiled:
            self._compile(name)
        return self._compiled[name]

    def structure(self, name: str) -> StructureShape:
        """The compiled shape of that name, which is a structure."""
        shape = self.shape(name)
        assert isinstance(shape, StructureShape), f"{name} is no structure"
        return shape

    def _compile(self, name: str) -> None:
        model = self._model.shapes[name]
        if model.type == "structure":
            structure = StructureShape(f"{self._java_package}.{name}", model)
            self._compiled[name] = structure
            structure.members = {member: self.shape(ref.shape) for member, ref in model.members.items()}
        elif model.type == "list":
            assert model.member is not None
            element = model.member.shape
            self._compiled[name] = ListShape(model, self.shape(element), self._model.shapes[element])
        elif model.type == "map":
            assert model.key is not None
            assert model.value is not None
            key, value = model.key.shape, model.value.shape
            shapes = self._model.shapes
            self._compiled[name] = MapShape(model, self.shape(key), shapes[key], self.shape(value), shapes[value])
        else:
            self._compiled[name] = self._scalars[model.type](model)


def _member_path(name: str) -> str:
    return name[:1].lower() + name[1:]


def _check_present(shape: Shape, value: Any, path: str, violations: Violations) -> None:
    if value is None:
        violations.add(path, None, NOT_NULL)
    else:
        shape.check(value, path, violations)


def _all_hold(shape: Scalar, values: Iterable[Any]) -> bool:
    constraints = shape.constraints
    return all(value is not None and all(holds(value) for _, holds in constraints) for value in values)


def _show_each(shape: Shape, values: Iterable[Any]) -> Iterator[str]:
    return ("null" if value is None else shape.show(value) for value in values)
