"""A program that reads a stream with the client library: a line for each batch that it is done with.

python clientprogram.py STREAM GROUP      prints `shard number number …`; tests kill it
"""

from __future__ import annotations

import asyncio
import sys

from millstream.client import consume


async def main(stream: str, group: str) -> None:
    async for batch in consume(stream, group=group, lease_s=1.5, checkpoint_s=0.1, idle_s_max=0.1, records_max=20):
        numbers = " ".join(record.data.decode() for record in batch.records)
        print(f"{batch.shard_id} {numbers}", flush=True)
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
