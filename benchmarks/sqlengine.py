"""Our SQL engine over a log: run by `sql` in a process of its own, as an application's process does its work.

Usage: python -m benchmarks.sqlengine PROGRAM DIRECTORY ROWS; reads the log in DIRECTORY from front to back, decodes
records, runs the program, drops what comes out; prints what that took as JSON. Start-up is not counted.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"  # as an application's process has it

from millstream.analytics.engine.batch import Batch
from millstream.analytics.engine.program import prepare
from millstream.analytics.engine.turns import Turns
from millstream.analytics.model import Application, Input, ResourceKind
from millstream.analytics.records.schema import RecordColumn, Schema
from millstream.disk import RealDisk
from millstream.log import LogFollower
from millstream.server.malloc import keep_freed_memory

_READ_BYTES = 4 << 20
SCHEMA = Schema(
    columns=(
        RecordColumn(name="TICKER_SYMBOL", sql_type="VARCHAR(4)", mapping="$.TICKER_SYMBOL"),
        RecordColumn(name="SECTOR", sql_type="VARCHAR(16)", mapping="$.SECTOR"),
        RecordColumn(name="CHANGE", sql_type="REAL", mapping="$.CHANGE"),
        RecordColumn(name="PRICE", sql_type="REAL", mapping="$.PRICE"),
    )
)


def main(program: Path, directory: Path, rows_max: int) -> None:
    """Runs the program over the log, or its first `rows_max` rows."""
    keep_freed_memory()
    source = Input(input_id="1.1", name_prefix="SOURCE_SQL_STREAM", kind=ResourceKind.STREAM, arn="", schema=SCHEMA)
    application = Application(
        application_id="",
        account="",
        region="",
        name="",
        created_ms=0,
        updated_ms=0,
        code=program.read_text(),
        inputs=(source,),
    )
    turns = Turns(prepare(application, {}), (), lambda *_: "")
    follower = LogFollower(RealDisk(directory), "log")
    position, rows, results = 0, 0, 0
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    while rows < rows_max and (blocks := follower.read(position, bytes_max=_READ_BYTES)):
        turn = turns.run(Batch(blocks), blocks[-1].arrival_ms)
        position, rows = blocks[-1].end, rows + turn.rows_in
        results += sum(frame.height for name, frame in turn.streams.items() if not name.startswith("SOURCE"))
    seconds, cpu_seconds = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"rows": rows, "results": results, "seconds": seconds, "cpu_seconds": cpu_seconds, "memory_mib": memory_mib}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
