"""A service's wire format: bytes to validated parameters, results to bytes, for every operation of its model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from millstream.wire import codecs
from millstream.wire.constraints import Violations
from millstream.wire.context import Codec
from millstream.wire.faults import UnknownOperationException, UnsupportedOperationException
from millstream.wire.model import ServiceModel, load_model
from millstream.wire.operation import Operation
from millstream.wire.shapes import ShapeCompiler
from millstream.wire.typed import TypedDecoder


class _Coding:
    """The compiled shapes of a service's operations in one codec; operations without output have none."""

    def __init__(self, model: ServiceModel, codec: Codec, operations: Iterable[str]) -> None:
        compiler = ShapeCompiler(model, codec)
        models = {name: model.operations[name] for name in operations}
        self.inputs = {name: compiler.structure(operation.input.shape) for name, operation in models.items()}
        self.outputs = {
            name: compiler.structure(operation.output.shape)
            for name, operation in models.items()
            if operation.output is not None
        }


class Service:
    """The operations of one service, decoded and encoded as its model says.

    `name` is botocore's name for the service, `operations` those that are served. Everything that depends on the model
    is compiled here, once.
    """

    def __init__(self, name: str, operations: Mapping[str, Operation]) -> None:
        model = load_model(name)
        self.target_prefix = model.metadata.target_prefix
        """What stands before the operation in X-Amz-Target."""
        self.operations_known = frozenset(model.operations)
        """Every operation of the model, served or not."""
        self._operations = dict(operations)
        self._codings = {codec: _Coding(model, codec, self._operations) for codec in Codec}
        self._typed = {
            name: TypedDecoder(model, model.operations[name].input.shape, operation.request)
            for name, operation in self._operations.items()
            if operation.request is not None
        }

    def find(self, operation_name: str) -> Operation:
        """The operation of that name. Raises UnknownOperationException, or UnsupportedOperationException."""
        operation = self._operations.get(operation_name)
        if operation is not None:
            return operation
        if operation_name in self.operations_known:
            raise UnsupportedOperationException(f"{operation_name} is not supported yet by Millstream.")
        raise UnknownOperationException

    def decode(self, operation: Operation, codec: Codec, body: bytes) -> Any:
        """The validated parameters of a request, as the operation's handler takes them.

        Raises SerializationException or ValidationException with AWS's wording, and nothing else, whatever the body.
        """
        if len(body) > codecs.LARGE_BYTES:
            codecs.refuse_swarm(codec, body)
        typed = self._typed.get(operation.name)
        if typed is not None and (request := typed.decode(codec, body)) is not None:
            return request
        shape = self._codings[codec].inputs[operation.name]
        params = shape.read(codecs.decode(codec, body))
        violations = Violations()
        shape.check(params, "", violations)
        violations.settle()
        return params if typed is None else typed.build(params)

    def encode(self, operation: Operation, codec: Codec, result: Mapping[str, Any] | None) -> bytes:
        """The body of a reply; empty for operations without output."""
        shape = self._codings[codec].outputs.get(operation.name)
        if shape is None:
            return b""
        return codecs.encode(codec, shape.write({} if result is None else result))
