"""One application's process, as the api process sees it: started, told things, started again, stopped."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import sys
from collections.abc import Callable
from contextlib import suppress

from millstream.analytics.model import Application
from millstream.base.units import KIB, MIB
from millstream.server.applications.channel import (
    Begin,
    Crashed,
    Failed,
    Progress,
    Put,
    PutDone,
    Rows,
    Running,
    Stop,
    Tail,
    ToChild,
    Told,
    ToParent,
    Update,
    encode,
    receive_from_child,
)
from millstream.server.applications.puts import Puts

_log = logging.getLogger("millstream.applications")

_STOP_S_MAX = 10.0  # more than the process takes by itself
_END_S_MAX = 5.0
_PAUSE_S = 0.2
_PAUSE_S_MAX = 30.0
_STEADY_S = 30.0  # a process that lived so long is replaced at once
_CRASHES_MAX = 5  # in a row: then the application itself is taken for the cause
_READ_BYTES = 1 << 20
_TAIL_S_MAX = 5.0
_UNREAD_BYTES_MAX = 8 * MIB  # of what a process was told: it reads nothing, and never will
_UNREAD_TAIL_BYTES = 64 * KIB  # from which on nobody's tail is added


class ApplicationProcess:
    """One application's process, through restarts, until it is stopped or fails."""

    def __init__(
        self,
        settings: dict[str, object],
        puts: Puts,
        application: Application,
        ended: Callable[[Application, str | None], None],
        running: Callable[[Application], None],
    ) -> None:
        self._settings = {name: str(value) for name, value in settings.items() if value is not None}
        self._puts = puts
        self._application = application
        self._ended = ended
        self._running = running
        self._child: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._failure: str | None = None
        self._crash = ""  # what the process that has just ended said of its end
        self._crashes = 0
        self._reached = -1  # the position of the last checkpoint when a process ended
        self._numbers = itertools.count(1)
        self._tails: dict[int, asyncio.Future[Rows]] = {}
        self._put_tasks: set[asyncio.Task[None]] = set()
        self.progress: Progress | None = None
        self._minding = asyncio.create_task(self._mind())

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    def follow(self, application: Application) -> None:
        """Tell the process of a change."""
        changed = application.version != self._application.version or application.status != self._application.status
        if application.run != self._application.run or not application.is_wanted:
            self.stop()
            return
        self._application = application
        if changed:
            self._tell(Update())

    def stop(self) -> None:
        """Have the process save where it is, and end; one that takes too long is killed."""
        if not self._stopping:
            self._stopping = True
            self._tell(Stop())
            asyncio.get_running_loop().call_later(_STOP_S_MAX, self._kill, f"did not end within {_STOP_S_MAX:g} s")

    async def wait(self) -> None:
        """Return once the process has ended after `stop`."""
        await asyncio.gather(self._minding, return_exceptions=True)

    def _kill(self, why: str) -> None:
        if self.pid is not None and self._child is not None:
            _log.warning("%s: its process %s: it is killed", self._application.arn, why)
            self._child.kill()

    async def tail(self, stream: str, after: int, rows_max: int) -> Rows | None:
        if self.pid is None or self._unread_bytes > _UNREAD_TAIL_BYTES:
            return None
        number = next(self._numbers)
        answer: asyncio.Future[Rows] = asyncio.get_running_loop().create_future()
        self._tails[number] = answer
        self._tell(Tail(number, stream, after, rows_max))
        try:
            async with asyncio.timeout(_TAIL_S_MAX):
                return await answer
        except TimeoutError:
            return None
        finally:
            self._tails.pop(number, None)

    @property
    def _unread_bytes(self) -> int:
        """How much of what it was told the process has not read yet."""
        pipe = self._child.stdin if self._child is not None else None
        return pipe.transport.get_write_buffer_size() if pipe is not None else 0

    def _tell(self, message: ToChild) -> None:
        child = self._child
        if child is not None and child.returncode is None and child.stdin is not None:
            with suppress(OSError, RuntimeError):  # it has just died
                child.stdin.write(encode(message))
            if self._unread_bytes > _UNREAD_BYTES_MAX:
                self._kill("does not read what it is told")

    async def _mind(self) -> None:
        while not self._stopping:
            began_s = asyncio.get_running_loop().time()
            how = await self._live()
            if self._stopping or self._failure is not None:
                break
            self._count_crash(asyncio.get_running_loop().time() - began_s)
            if self._crashes >= _CRASHES_MAX:
                why = f"{self._crash}: a mistake of Millstream's" if self._crash else how
                self._failure = f"its process ended {self._crashes} times in a row ({why}); see the server's log"
                break
            pause_s = min(_PAUSE_S_MAX, _PAUSE_S * 2**self._crashes) * random.uniform(0.8, 1.2)  # noqa: S311
            arn = self._application.arn
            _log.error(
                "%s: its process ended (%s): another goes on from the last checkpoint in %.1f s", arn, how, pause_s
            )
            await self._pause(pause_s)
        self._ended(self._application, self._failure)

    def _count_crash(self, lived_s: float) -> None:
        """Count the ends in a row: of processes that made mistakes, or that somebody ended before they got further."""
        reached = self.progress.checkpoint_position if self.progress is not None else -1
        is_further = not self._crash and reached > self._reached
        self._crashes = 1 if lived_s > _STEADY_S or is_further else self._crashes + 1
        self._reached = max(reached, self._reached)
        self.progress = None

    async def _pause(self, pause_s: float) -> None:
        deadline_s = asyncio.get_running_loop().time() + pause_s
        while not self._stopping and (left_s := deadline_s - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left_s, 0.1))

    async def _live(self) -> str:
        """One process from its start to its end; how it ended."""
        try:
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "millstream.server.applications.process"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_READ_BYTES,
            )
        except OSError as error:
            return str(error)
        self._crash = ""
        application = self._application
        key = (application.account, application.region, application.name, application.application_id, application.run)
        self._tell(Begin(self._settings, *key))
        if self._stopping:
            self._tell(Stop())
        await self._listen(self._child)
        code = await self._child.wait()
        await asyncio.gather(*self._put_tasks, return_exceptions=True)
        return f"signal {-code}" if code < 0 else f"exit {code}"

    async def _listen(self, child: asyncio.subprocess.Process) -> None:
        """Take what the process says until it has ended, or is to."""
        assert child.stdout is not None
        try:
            while (message := await receive_from_child(child.stdout)) is not None:
                self._take(message)
        except Exception:  # noqa: BLE001 - a message that is none, or a mistake in taking it
            _log.exception("%s: its process cannot be understood", self._application.arn)
        try:
            async with asyncio.timeout(_END_S_MAX):
                await child.wait()
        except TimeoutError:
            self._kill("is still there when it has nothing more to say")

    def _take(self, message: ToParent) -> None:
        match message:
            case Put():
                task = asyncio.create_task(self._put(message))
                self._put_tasks.add(task)
                task.add_done_callback(self._put_tasks.discard)
            case Running():
                if message.version == self._application.version:
                    self._running(self._application)
            case Failed():
                self._failure = message.message
            case Crashed():
                self._crash = message.message
            case Told():
                _log.warning("%s: %s", self._application.arn, message.message)
            case Progress():
                self.progress = message
            case Rows():
                if (answer := self._tails.get(message.number)) is not None and not answer.done():
                    answer.set_result(message)

    async def _put(self, put: Put) -> None:
        try:
            done = await self._puts.put(self._application, put)
        except Exception as error:  # noqa: BLE001 - it is tried again
            _log.exception("%s: its results cannot be put", self._application.arn)
            done = PutDone(put.number, list(range(len(put.data))), "InternalFailure", str(error))
        self._tell(done)
