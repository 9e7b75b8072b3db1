"""The destination of a delivery stream: made with it, changed by UpdateDestination."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from millstream.firehose.checks import check_destination
from millstream.firehose.checks.buckets import check_hints_given
from millstream.firehose.defaults import with_defaults
from millstream.firehose.descriptions import DESTINATION_ID, OpenSecret
from millstream.firehose.kinds import Given, given_configuration, given_update
from millstream.firehose.merging import merged
from millstream.firehose.model import DeliveryStream, Destination, StreamStatus
from millstream.firehose.registry import not_active
from millstream.firehose.secrets import SEAL_PURPOSE, conceal, recall, reveal
from millstream.wire.context import CallContext
from millstream.wire.faults import (
    ConcurrentModificationException,
    InvalidArgumentException,
)

if TYPE_CHECKING:
    from millstream.firehose.service import FirehoseService

Params = Mapping[str, Any]


def new_destination(service: FirehoseService, params: Params) -> Destination:
    """The destination that a CreateDeliveryStream configures. Raises InvalidArgumentException."""
    given = given_configuration(params)
    return _checked(service, given, given.configuration)


def update_destination(service: FirehoseService, context: CallContext, params: Params) -> dict[str, Any]:
    """Change the destination; records that wait to be delivered go as the new configuration says."""
    handle = service.registry.find(context, params["DeliveryStreamName"])
    stream = handle.stream
    _check_current(stream, params)
    before = _whole(service, stream.destination)
    update = given_update(params)
    if update.kind == before.kind:
        update = update._replace(configuration=recall(update.kind, update.configuration, before.configuration))
    destination = _checked(service, update, merged(before, update))
    service.registry.save(
        handle, destination=destination, version=stream.version + 1, updated_ms=service.clock.now_ms()
    )
    return {}


def secret_opener(service: FirehoseService) -> OpenSecret:
    """A function that opens sealed secrets of destinations."""
    return lambda sealed: service.sealer.open(sealed, SEAL_PURPOSE).decode()


def _whole(service: FirehoseService, destination: Destination) -> Destination:
    """The destination with its secrets in its configuration."""
    open_secret = secret_opener(service)
    secrets = {name: open_secret(sealed) for name, sealed in destination.secrets.items()}
    return replace(destination, configuration=reveal(destination.kind, destination.configuration, secrets), secrets={})


def _checked(service: FirehoseService, given: Given, configuration: dict[str, Any]) -> Destination:
    """The destination with that whole configuration, of which `given` is what this request says."""
    kind = given.kind
    check_hints_given(kind, given.configuration)
    whole = with_defaults(kind, configuration)
    check_destination(
        kind, whole, limits_aws=service.settings.limits_aws, warehouse_paths=service.settings.warehouse_paths
    )
    shown, secrets = conceal(kind, whole)
    sealed = {name: service.sealer.seal(secret.encode(), SEAL_PURPOSE) for name, secret in secrets.items()}
    return Destination(kind=kind, configuration=shown, secrets=sealed)


def _check_current(stream: DeliveryStream, params: Params) -> None:
    if stream.status is not StreamStatus.ACTIVE:
        raise not_active(stream)
    version = params["CurrentDeliveryStreamVersionId"]
    if version != str(stream.version):
        raise ConcurrentModificationException(
            f"Cannot update firehose: {stream.name} since the current version id: {stream.version} and specified "
            f"version id: {version} do not match"
        )
    if params["DestinationId"] != DESTINATION_ID:
        raise InvalidArgumentException(f"Destination Id {params['DestinationId']} not found")
