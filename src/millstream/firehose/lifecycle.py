"""The state machine of delivery streams: what happens by itself once a call has been answered.

    delivery stream   CREATING ──► ACTIVE ──► DELETING ──► gone
    its encryption    DISABLED ──► ENABLING ──► ENABLED ──► DISABLING ──► DISABLED

An operation saves the first status and answers, and the scheduler does the rest. All that the rest needs is in the
saved delivery stream, so a start after a crash carries on where the last process stopped.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from msgspec.structs import replace

from millstream.base.scheduler import Scheduler
from millstream.base.steps import Steps
from millstream.firehose.model import Encryption, EncryptionStatus, StreamStatus
from millstream.firehose.registry import Files, Handle, Registry


class Delays(NamedTuple):
    """How long a status lasts before it changes by itself, in milliseconds; `update_ms` is that of encryption."""

    create_ms: int
    update_ms: int
    delete_ms: int


class Lifecycle:
    """Moves delivery streams from status to status."""

    def __init__(self, registry: Registry, scheduler: Scheduler, files: Files, delays: Delays) -> None:
        self._registry = registry
        self._files = files
        self._delays = delays
        self._steps = Steps[Handle](
            scheduler, holds=registry.holds, name=lambda handle: f"delivery stream {handle.stream.arn}"
        )

    def resume(self, handle: Handle) -> None:
        """See to what `handle`'s statuses say is under way: after creation, and for all of them at a start."""
        stream = handle.stream
        if stream.status is StreamStatus.CREATING:
            self._steps.later(self._delays.create_ms, handle, self._activate)
        elif stream.status is StreamStatus.DELETING:
            self._steps.later(self._delays.delete_ms, handle, self._finish_delete)
        elif stream.encryption.status in (EncryptionStatus.ENABLING, EncryptionStatus.DISABLING):
            self._steps.later(self._delays.update_ms, handle, self._finish_encryption)

    def delete(self, handle: Handle) -> None:
        """Save the status DELETING; the delivery stream, its records and all its files follow."""
        self._registry.save(handle, status=StreamStatus.DELETING)
        self._steps.later(self._delays.delete_ms, handle, self._finish_delete)

    def change_encryption(self, handle: Handle, encryption: Encryption) -> None:
        """Save `encryption`, which is ENABLING or DISABLING; ENABLED or DISABLED follows."""
        self._registry.save(handle, encryption=encryption)
        self._steps.later(self._delays.update_ms, handle, self._finish_encryption)

    async def close(self) -> None:
        """Begin nothing more, and let what has begun come to its next save."""
        await self._steps.close()

    async def _activate(self, handle: Handle) -> None:
        if handle.stream.status is StreamStatus.CREATING:
            encryption = _finished(handle.stream.encryption)
            self._registry.save(handle, status=StreamStatus.ACTIVE, encryption=encryption)

    async def _finish_encryption(self, handle: Handle) -> None:
        encryption = _finished(handle.stream.encryption)
        if encryption is not handle.stream.encryption:
            self._registry.save(handle, encryption=encryption)

    async def _finish_delete(self, handle: Handle) -> None:
        # the document goes last: after a crash in between, the next start finds it and deletes the rest
        if handle.log is not None:
            await handle.log.close()
        await asyncio.get_running_loop().run_in_executor(None, self._files.delete, handle.stream.stream_id)
        self._registry.remove(handle)


def _finished(encryption: Encryption) -> Encryption:
    """The encryption once what is under way is done: a data key that is to be used was made last."""
    if encryption.status is EncryptionStatus.ENABLING:
        return replace(encryption, status=EncryptionStatus.ENABLED, data_key=encryption.data_keys[-1].number)
    if encryption.status is EncryptionStatus.DISABLING:
        return replace(encryption, status=EncryptionStatus.DISABLED, data_key=0, key_type=None, key_arn=None)
    return encryption
