"""The world of a running application: log, checkpoint file, parent, functions, objects, log events."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import logging
from collections.abc import Callable
from contextlib import suppress

from millstream.analytics.engine.ports import (
    ApplicationFailed,
    Refused,
    Transformed,
    TransformRecord,
    World,
)
from millstream.analytics.model import Application, Input, Output, Reference, ResourceKind
from millstream.base.clock import SystemClock
from millstream.catalog import SqliteCatalog
from millstream.disk import RealDisk
from millstream.disk.port import read_whole, write_atomically
from millstream.functions import FunctionError
from millstream.functions.http import HttpFunctions
from millstream.objects import StoreError, from_settings
from millstream.security import Keyring
from millstream.server.applications.channel import Put, PutDone, Told, ToParent, encode
from millstream.server.applications.functions import Preprocessor
from millstream.server.applications.source import InputLog
from millstream.server.config import Settings
from millstream.server.datadir import DataPaths, application_directory
from millstream.server.storesettings import store_settings
from millstream.telemetry import Outbox, OutboxError

_log = logging.getLogger("millstream.application")

_FUNCTION_S_MAX = 300.0


class Parent:
    """The api process, as its child sees it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._numbers = itertools.count(1)
        self._puts: dict[int, asyncio.Future[PutDone]] = {}

    def say(self, message: ToParent) -> None:
        """Send a message."""
        with suppress(OSError, RuntimeError):  # the parent is gone: its end of the other pipe tells
            self._writer.write(encode(message))

    async def flush(self) -> None:
        """Return once everything said has been taken."""
        with suppress(OSError, RuntimeError):
            await self._writer.drain()
            self._writer.close()
            await self._writer.wait_closed()

    async def put(self, kind: ResourceKind, arn: str, keys: list[bytes], data: list[bytes]) -> PutDone:
        """Have records put; what became of them."""
        number = next(self._numbers)
        done: asyncio.Future[PutDone] = asyncio.get_running_loop().create_future()
        self._puts[number] = done
        try:
            self.say(Put(number, kind, arn, keys, data))
            await self._writer.drain()
            return await done
        finally:
            del self._puts[number]

    def settle(self, done: PutDone) -> None:
        """Note the answer to a put."""
        if (waiting := self._puts.get(done.number)) is not None and not waiting.done():
            waiting.set_result(done)


class Senders:
    """The `Sender` of a process: streams and delivery streams by the parent, functions directly."""

    def __init__(self, parent: Parent, functions: HttpFunctions) -> None:
        self._parent = parent
        self._functions = functions

    async def put(self, output: Output, keys: list[bytes], data: list[bytes]) -> Refused | None:
        """See Sender.put."""
        if output.kind is ResourceKind.FUNCTION:
            return await self._invoke(output, keys, data)
        done = await self._parent.put(output.kind, output.arn, keys, data)
        return Refused(done.failed, done.code, done.message) if done.failed else None

    async def _invoke(self, output: Output, keys: list[bytes], data: list[bytes]) -> Refused | None:
        """Lambda as an output: every record comes back Ok or DeliveryFailed, and those that failed are sent again."""
        records = [
            {
                "recordId": key.decode(),
                "lambdaDeliveryRecordMetadata": {"retryHint": 0},
                "data": base64.b64encode(datum).decode(),
            }
            for key, datum in zip(keys, data, strict=True)
        ]
        event = {"invocationId": keys[0].decode(), "applicationArn": "", "records": records}
        everything = list(range(len(data)))
        try:
            answer = json.loads(await self._functions.invoke(output.arn, json.dumps(event).encode(), _FUNCTION_S_MAX))
            results = {entry["recordId"]: entry["result"] for entry in answer["records"]}
        except FunctionError as error:
            return Refused(everything, error.code, str(error))
        except (ValueError, KeyError, TypeError) as error:
            message = f"the function's answer is not {{'records': [{{'recordId', 'result'}}]}}: {error!r}"
            return Refused(everything, "Lambda.InvalidResponse", message)
        failed = [place for place, record in enumerate(records) if results.get(record["recordId"]) != "Ok"]
        if not failed:
            return None
        return Refused(failed, "Lambda.DeliveryFailed", "the function answered DeliveryFailed for some records")


def make_world(
    settings: Settings, paths: DataPaths, catalog: SqliteCatalog, application: Application, parent: Parent
) -> World:
    """The world of an application's process."""
    disk, clock = RealDisk(paths.path), SystemClock()
    keyring = Keyring(paths.read_root_key())
    functions = HttpFunctions(settings.lambda_endpoint)
    stores = from_settings(store_settings(settings), paths.objects_path)
    path = f"{application_directory(application.application_id)}/checkpoint"
    tell = _teller(application, paths, clock, parent)

    async def read_reference(reference: Reference) -> bytes:
        bucket = reference.bucket_arn.rpartition(":")[2]
        try:
            return await stores.bucket(bucket).get(reference.file_key)
        except StoreError as error:
            raise ApplicationFailed(
                f"the reference table {reference.table_name} cannot be read from s3://{bucket}/{reference.file_key}: "
                f"{error}"
            ) from error

    async def transform(source: Input, records: list[TransformRecord]) -> list[Transformed]:
        assert source.processor_arn is not None
        by_stream = source.kind is ResourceKind.STREAM
        preprocessor = Preprocessor(functions, application.arn, source.arn, by_stream=by_stream)
        return await preprocessor.insist(source.processor_arn, records, tell)

    return World(
        clock=clock,
        open_source=lambda source: InputLog(disk, catalog, keyring, source),
        sender=Senders(parent, functions),
        load=lambda: read_whole(disk, path) if disk.exists(path) else None,
        save=lambda content: write_atomically(disk, path, content),
        read_reference=read_reference,
        transform=transform,
        tell=tell,
    )


def _teller(
    application: Application, paths: DataPaths, clock: SystemClock, parent: Parent
) -> Callable[[str, str], None]:
    """Tells the parent, and the log streams of the application's logging options, in AWS's form of an event."""
    opened: list[Outbox] = []

    def tell(level: str, message: str) -> None:
        parent.say(Told(level, message))
        if not application.logging:
            return
        event = {
            "applicationARN": application.arn,
            "applicationVersionId": application.version,
            "messageType": level,
            "message": message,
            "inputId": None,
            "referenceId": None,
            "errorCode": "",
            "messageSchemaVersion": "1",
        }
        try:
            if not opened:
                opened.append(Outbox(paths.logs_path))
            for option in application.logging:
                _, _, _, region, account, _, group, _, stream = option.log_stream_arn.split(":", 8)
                opened[0].append(account, region, group, stream, [(clock.now_ms(), json.dumps(event))])
        except (OutboxError, ValueError) as error:
            _log.warning("%s: its log cannot be written: %s", application.arn, error)

    return tell
