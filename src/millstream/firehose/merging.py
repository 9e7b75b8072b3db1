"""What UpdateDestination makes of a destination.

A member that an update does not have keeps its value. One that it has replaces the value, but for a few that are
merged in turn, as documented and (processors replaced, conversion merged) observed. An update of another kind of
destination replaces everything.
"""

from __future__ import annotations

from typing import Any

from millstream.firehose.defaults import is_enabled
from millstream.firehose.kinds import SEARCH, SEARCH_PLACES, Given
from millstream.firehose.model import Destination
from millstream.wire.faults import InvalidArgumentException
from millstream.wire.model import load_model

Description = dict[str, Any]

_MERGED = frozenset(
    {
        "BufferingHints",
        "DataFormatConversionConfiguration",
        "DynamicPartitioningConfiguration",
        "S3BackupDescription",
        "S3DestinationDescription",
    }
)

_LESSER_BACKUP = frozenset({"Disabled", "FailedDataOnly", "FailedEventsOnly"})


def merged(before: Destination, update: Given) -> Description:
    """The configuration of `before` after `update`, its defaults not filled in. Raises InvalidArgumentException."""
    if update.kind != before.kind:
        _check_change_of_kind(before.kind, update)
        return update.configuration
    after = _merged(_moved(before.configuration, update.configuration), update.configuration)
    _check_fixed(before.configuration, after)
    return after


def _moved(before: Description, update: Description) -> Description:
    """A search destination is in one place: that of the update, if it names one."""
    return {name: v for name, v in before.items() if name not in SEARCH_PLACES or not SEARCH_PLACES & update.keys()}


def _merged(before: Description, update: Description) -> Description:
    after = {**before, **update}
    for name in _MERGED & before.keys() & update.keys():
        after[name] = _merged(before[name], update[name])
    return after


def _check_change_of_kind(kind: str, update: Given) -> None:
    """Source: API reference, UpdateDestination."""
    if kind in SEARCH or update.kind in SEARCH:
        raise InvalidArgumentException(
            f"Switching between {kind} and {update.kind} destinations is not supported: a search destination can only "
            "be updated to another of the same type. Create a new delivery stream instead."
        )
    required = load_model("firehose").shapes[f"{update.kind}DestinationConfiguration"].required
    names = ("S3DestinationDescription" if name == "S3Configuration" else name for name in required)
    missing = [name for name in names if name not in update.configuration]
    if missing:
        raise InvalidArgumentException(
            f"The destination changes from {kind} to {update.kind}: all of its parameters must be specified. "
            f"Missing: {', '.join(missing).replace('S3DestinationDescription', 'S3Update')}"
        )
    if is_enabled(update.configuration.get("DynamicPartitioningConfiguration")):
        raise _partitioning_fixed()


def _check_fixed(before: Description, after: Description) -> None:
    name = "DynamicPartitioningConfiguration"
    if is_enabled(before.get(name)) != is_enabled(after.get(name)):
        raise _partitioning_fixed()
    mode_before, mode_after = before["S3BackupMode"], after["S3BackupMode"]
    if mode_before != mode_after and mode_after in _LESSER_BACKUP:
        raise InvalidArgumentException(f"S3BackupMode cannot be updated from {mode_before} to {mode_after}.")


def _partitioning_fixed() -> InvalidArgumentException:
    return InvalidArgumentException(
        "Dynamic Partitioning can be enabled only when a delivery stream is created, and cannot be disabled later. "
        "Create a new delivery stream instead."
    )
