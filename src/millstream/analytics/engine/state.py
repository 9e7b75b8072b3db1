"""Operators' states as bytes: MessagePack, with frames as Arrow IPC streams and arrays as they lie in memory.

ext 1  a polars DataFrame     Arrow IPC stream, lz4
ext 2  a NumPy array          MessagePack [dtype, shape, bytes]
"""

from __future__ import annotations

import io
from typing import Any, cast

import msgspec
import numpy as np
import polars as pl

from millstream.analytics.operators.frames import State
from millstream.base.errors import MillstreamError

_FRAME, _ARRAY = 1, 2


class StateBroken(MillstreamError):
    """A saved state cannot be read."""


def encode_state(state: State) -> bytes:
    """The state as bytes; `decode_state` gives it back."""
    return _ENCODER.encode(state)


def decode_state(content: bytes) -> State:
    """The state in `content`. Raises StateBroken."""
    try:
        return cast(State, _DECODER.decode(content))
    except (msgspec.MsgspecError, pl.exceptions.PolarsError, ValueError, TypeError, OSError) as error:
        raise StateBroken(f"a saved state cannot be read: {error}") from error


def _encode(value: object) -> msgspec.msgpack.Ext:
    if isinstance(value, pl.DataFrame):
        buffer = io.BytesIO()
        value.write_ipc_stream(buffer, compression="lz4")
        return msgspec.msgpack.Ext(_FRAME, buffer.getvalue())
    if isinstance(value, np.ndarray):
        return msgspec.msgpack.Ext(_ARRAY, msgspec.msgpack.encode([value.dtype.str, value.shape, value.tobytes()]))
    if isinstance(value, np.generic):
        raise TypeError(f"a NumPy scalar ({value!r}) is in a state: it must be a plain value")
    raise TypeError(f"{type(value).__name__} cannot be saved")


def _decode(code: int, content: memoryview) -> Any:
    if code == _FRAME:
        return pl.read_ipc_stream(io.BytesIO(content), use_pyarrow=False)
    if code == _ARRAY:
        dtype, shape, data = msgspec.msgpack.decode(content, type=tuple[str, list[int], bytes])
        return np.frombuffer(data, dtype=np.dtype(dtype)).reshape(shape).copy()
    raise ValueError(f"unknown extension {code}")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_encode)
_DECODER = msgspec.msgpack.Decoder(ext_hook=_decode)
