"""Service models: what botocore's data files say of operations and shapes, and nothing else of botocore.

The files are read directly: importing botocore's loader alone takes longer than Millstream's whole start should.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import msgspec


class ShapeRef(msgspec.Struct, gc=False):
    """A use of a shape by another shape or by an operation."""

    shape: str


class ShapeModel(msgspec.Struct, gc=False):
    """A shape as the model spells it; which fields mean something depends on `type`."""

    type: str
    members: dict[str, ShapeRef] = {}
    required: list[str] = []
    member: ShapeRef | None = None
    key: ShapeRef | None = None
    value: ShapeRef | None = None
    min: int | float | None = None
    max: int | float | None = None
    pattern: str | None = None
    enum: list[str] | None = None


class OperationModel(msgspec.Struct, gc=False):
    """An operation's shapes; without an output shape its reply has no body."""

    input: ShapeRef
    output: ShapeRef | None = None


class Metadata(msgspec.Struct, rename="camel", gc=False):
    """What of a service's metadata is used: the version and the target prefix, as in X-Amz-Target."""

    api_version: str
    endpoint_prefix: str
    target_prefix: str


class ServiceModel(msgspec.Struct, gc=False):
    """A service's operations and shapes."""

    metadata: Metadata
    operations: dict[str, OperationModel]
    shapes: dict[str, ShapeModel]


@cache
def load_model(service: str) -> ServiceModel:
    """The newest model of a service that the installed botocore has, by botocore's name for the service.

    Raises FileNotFoundError if there is none.
    """
    spec = find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("botocore, whose service models are needed, is not installed")
    versions = sorted(Path(spec.submodule_search_locations[0], "data", service).glob("*/service-2.json.gz"))
    if not versions:
        raise FileNotFoundError(f"the installed botocore has no model of the service {service!r}")
    return msgspec.json.decode(gzip.decompress(versions[-1].read_bytes()), type=ServiceModel)
