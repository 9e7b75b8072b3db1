"""What the worker has that every delivery stream's pipeline stands on."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

from millstream.base.clock import Clock
from millstream.disk import Disk
from millstream.firehose.engine.buffers import Memory
from millstream.firehose.engine.checkpoints import Checkpoints
from millstream.firehose.model import DeliveryStream
from millstream.firehose.ports import ErrorLog, RecordSource, Tables
from millstream.functions import Functions
from millstream.log import BlockCipher
from millstream.objects.port import ObjectStores


class Ground(NamedTuple):
    """Shared by all pipelines of a worker.

    `reader` runs what never waits for a destination (reading, processing), `threads` what may, `converters` conversions
    to Parquet and ORC, of which each takes some 100 MiB. `open_source` opens what a delivery stream reads: its own log,
    or the Kinesis stream's; it raises MillstreamErrors. `journal_cipher` gives what encrypts the journal of a function,
    as the source is encrypted.
    """

    data_dir: Path
    disk: Disk
    clock: Clock
    generator: random.Random
    reader: Executor
    threads: Executor
    converters: Executor
    checkpoints: Checkpoints
    memory: Memory
    stores: ObjectStores
    functions: Functions
    tables: Tables
    open_source: Callable[[DeliveryStream], RecordSource]
    journal_cipher: Callable[[DeliveryStream], BlockCipher]
    open_secret: Callable[[str], str]
    error_log: Callable[[DeliveryStream], ErrorLog]
    scratch: Path
    sequence_numbers: Callable[[DeliveryStream], Callable[[int, int, int], str]]
    limits_aws: bool
