"""Records of the log as rows are decoded from: those that the Kinesis Producer Library packed into one taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from millstream.analytics.records.rows import Indexes
from millstream.analytics.records.texts import Records, from_list, from_packed
from millstream.log import FollowedBlock
from millstream.wire.aggregation import MAGIC, unpack


class Unpacked(NamedTuple):
    """Records, and for each: `source`, the record of the blocks that it was in (counted over all blocks), and `sub`,
    its place in that; both None where no record was aggregated, so that record i is record i. `keys` are those of
    aggregated records by index: the others have the keys that the blocks have."""

    records: Records
    source: Indexes | None
    sub: Indexes | None
    keys: dict[int, bytes]


def unpack_blocks(blocks: Sequence[FollowedBlock]) -> Unpacked:
    """The records of blocks that follow each other. Costs a search for four bytes where nothing is aggregated."""
    packed = [block.data for block in blocks if len(block.data)]
    if not any(data.has(MAGIC) for data in packed):
        return Unpacked(from_packed(packed) if packed else from_list([]), None, None, {})
    return _taken_apart([record for data in packed for record in data.cut()])


def _taken_apart(records: Sequence[bytes]) -> Unpacked:
    found: list[bytes] = []
    source: list[int] = []
    sub: list[int] = []
    keys: dict[int, bytes] = {}
    for index, record in enumerate(records):
        inner = unpack(record)
        if inner is None:
            found.append(record)
            source.append(index)
            sub.append(0)
            continue
        for place, one in enumerate(inner):
            keys[len(found)] = one.key
            found.append(one.data)
            source.append(index)
            sub.append(place)
    return Unpacked(from_list(found), np.array(source, dtype=np.int64), np.array(sub, dtype=np.int64), keys)
