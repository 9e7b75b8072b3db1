"""Upkeep of Iceberg tables: old snapshots of deliveries go, with the files that only they need.

Every delivery makes a snapshot, and every commit writes all snapshots anew into the table's metadata. pyiceberg drops
snapshots, but leaves their files: manifest lists, and manifests that have been merged into others.
"""

from __future__ import annotations

import logging

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from millstream.objects.port import StoreError

KEEP_PROPERTY = "history.expire.min-snapshots-to-keep"
"""Iceberg's own name; a table without it is somebody else's to look after."""

_log = logging.getLogger(__name__)


def expire_snapshots(table: Table, made_by: str, owner: str) -> None:
    """Drop the oldest of the snapshots whose property `made_by` is `owner`, once there are twice as many as to keep.

    Those that a branch or a tag points to stay. A crash meanwhile leaves files that nothing refers to, as pyiceberg
    itself does with one manifest at every merge.
    Raises what pyiceberg raises.
    """
    keep = int(table.properties.get(KEEP_PROPERTY, "0"))
    named = {reference.snapshot_id for reference in table.metadata.refs.values()}
    own = [each for each in table.metadata.snapshots if _property(each, made_by) == owner]
    if not keep or len(own) < 2 * keep:
        return
    expired = [each for each in own[:-keep] if each.snapshot_id not in named]
    files = _files(table, expired)
    table.maintenance.expire_snapshots().by_ids([each.snapshot_id for each in expired]).commit()
    table.refresh()
    _delete(table, files - _files(table, table.metadata.snapshots))


def _property(snapshot: Snapshot, name: str) -> str | None:
    return snapshot.summary.additional_properties.get(name) if snapshot.summary else None


def _files(table: Table, snapshots: list[Snapshot]) -> set[str]:
    """The manifest lists of snapshots, and the manifests in them; data files are in the table still."""
    manifests = {manifest.manifest_path for each in snapshots for manifest in each.manifests(table.io)}
    return manifests | {each.manifest_list for each in snapshots}


def _delete(table: Table, files: set[str]) -> None:
    for path in files:
        try:
            table.io.delete(path)
        except (OSError, StoreError) as error:
            _log.warning("a file of old snapshots could not be deleted: %s", error)
