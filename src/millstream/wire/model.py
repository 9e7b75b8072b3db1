"""Service models: what botocore's data files, and a few of our own, say of operations and shapes.

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
    sensitive: bool = False  # values are not to be shown


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


OWN_MODELS = Path(__file__).with_name("models")
"""Models of services that AWS does not have, in botocore's format: SERVICE/VERSION/service-2.json."""


_UNBOUND_SHAPES = {
    "firehose": (
        "AmazonOpenSearchServerlessCollectionEndpoint",
        "AmazonopensearchserviceClusterEndpoint",
        "ClusterJDBCURL",
        "ElasticsearchClusterEndpoint",
        "HttpEndpointUrl",
    ),
}
"""Shapes whose patterns take only hosts of AWS, or encrypted connections: people have others. The service checks.

Their values may have a user name and a password in them, so they are sensitive."""

_SENSITIVE_SHAPES = {"firehose": (*_UNBOUND_SHAPES["firehose"], "HECEndpoint", "HECToken")}
"""Shapes that the model forgot to mark, or that are more than the model knows."""


@cache
def load_model(service: str) -> ServiceModel:
    """The newest model of a service: one of our own, or the installed botocore's by botocore's name for the service.

    Raises FileNotFoundError if there is none.
    """
    own = sorted((OWN_MODELS / service).glob("*/service-2.json"))
    if own:
        return msgspec.json.decode(own[-1].read_bytes(), type=ServiceModel)
    spec = find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("botocore, whose service models are needed, is not installed")
    versions = sorted(Path(spec.submodule_search_locations[0], "data", service).glob("*/service-2.json.gz"))
    if not versions:
        raise FileNotFoundError(f"the installed botocore has no model of the service {service!r}")
    model = msgspec.json.decode(gzip.decompress(versions[-1].read_bytes()), type=ServiceModel)
    for name in _UNBOUND_SHAPES.get(service, ()):
        model.shapes[name].pattern = None
    for name in _SENSITIVE_SHAPES.get(service, ()):
        model.shapes[name].sensitive = True
    return model
