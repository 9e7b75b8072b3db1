"""Disk: the narrow file-system port that storage code is written against, and its three implementations.

Promises: a write is durable only after `File.sync`, a name only after `Disk.sync_directory`; every failure is a
`DiskError`, and `DiskFull` where space would help. `RealDisk` is the machine's; `MemoryDisk` can clone itself as a
crash would leave it; `FaultyDisk` fails on demand. May import base. Paths are relative to the disk's root, with `/`.
"""

from millstream.disk.faulty import FaultyDisk
from millstream.disk.memory import MemoryDisk
from millstream.disk.port import Buffer, Disk, DiskError, DiskFull, File, SharedNumber
from millstream.disk.real import RealDisk

__all__ = ["Buffer", "Disk", "DiskError", "DiskFull", "FaultyDisk", "File", "MemoryDisk", "RealDisk", "SharedNumber"]
