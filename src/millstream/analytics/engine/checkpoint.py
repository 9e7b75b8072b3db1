"""Where an application is: one file, replaced atomically, with its place in the source and all that its operators
remember.

What was put out before a checkpoint was acknowledged before it was saved; what comes after it is put out again after
a
crash: at least once. In the operators' states every row counts once, because they and the place are saved together.
"""

from __future__ import annotations

import msgspec

from millstream.analytics.engine.state import StateBroken, decode_state, encode_state
from millstream.analytics.operators.frames import State

FORMAT = 1


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """`position` is where to read on in the source's log; `run` the start of the application that it belongs to.

    `next_row` is the number of the next source row, `until_ms` the time up to which windows have been closed.
    """

    format: int = FORMAT
    run: int
    source_id: str
    position: int
    until_ms: int
    next_row: int
    flow: bytes

    def state(self) -> State:
        """The data flow's state. Raises StateBroken."""
        return decode_state(self.flow)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The checkpoint as the file has it."""
    return msgspec.msgpack.encode(checkpoint)


def decode_checkpoint(content: bytes) -> Checkpoint:
    """The checkpoint in a file. Raises StateBroken, also for one of a later format."""
    try:
        checkpoint = msgspec.msgpack.decode(content, type=Checkpoint)
    except msgspec.MsgspecError as error:
        raise StateBroken(f"the checkpoint cannot be read: {error}") from error
    if checkpoint.format > FORMAT:
        raise StateBroken(f"the checkpoint has format {checkpoint.format}; this version of Millstream knows {FORMAT}")
    return checkpoint


__all__ = ["Checkpoint", "StateBroken", "decode_checkpoint", "encode_checkpoint", "encode_state"]
