"""Log: the durable record log, one per stream, whatever the number of its shards.

Flows in: batches of records, each for one shard. Flows out: runs of records with offsets and arrival times.
May import base and disk.

Promises
- An append returns after its commit is synced (fdatasync); no reader sees a record before that.
- A commit is whole or absent after a crash; offsets of a shard are dense and grow in the order of appends.
- A sync that failed stops the log's writes (LogStopped) and is never retried; a full disk does not (LogFull).
- Memory does not grow with the log: a sparse index for the newest segment, 24 bytes a shard for each sealed one.

On disk, below the log's directory:

    00000000000000000000.log     a segment, named by the log position of its first byte
    00000000000000000000.index   what a scan of that segment's first bytes would find (only saves time)
    00000000000134217728.log     ...

`frame` has the format of a block, `index` of an index file, `segment` scans blocks, `recovery` opens a directory.
`segments` has those of a log and the way to each: what writers and readers share, and by which locks. `store` commits,
rolls and trims, `reader` reads by shard, `embedded` is the group commit around both. `follower` reads a log from front
to back, also in another process, `check` verifies a directory.
"""

from millstream.log.embedded import EmbeddedLog
from millstream.log.follower import FollowedBlock, LogFollower
from millstream.log.packed import Packed
from millstream.log.port import (
    Batch,
    BlockCipher,
    LogCorrupt,
    LogError,
    LogFull,
    LogStopped,
    NoCipher,
    Placement,
    RecordLog,
    RecordRun,
)

__all__ = [
    "Batch",
    "BlockCipher",
    "EmbeddedLog",
    "FollowedBlock",
    "LogCorrupt",
    "LogError",
    "LogFollower",
    "LogFull",
    "LogStopped",
    "NoCipher",
    "Packed",
    "Placement",
    "RecordLog",
    "RecordRun",
]
