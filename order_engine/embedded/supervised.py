"""One child of the supervisor: brought up, kept up, stopped."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from order_engine.embedded.child import ChildSpec
from order_engine.embedded.errors import NotReady, StartError
from order_engine.embedded.process import Process, describe_exit

EventKind = Literal["started", "ready", "died", "restarted", "stopped"]
OnEvent = Callable[[str, EventKind, str], None]

FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
HEALTHY_SECONDS = 10.0
READY_INTERVAL = 0.05
EXIT_INTERVAL = 0.1
LAST_WORDS_AT_MOST = 200


class SupervisedChild:
    """Holds the current process of one child. `up` is set once it was ready, `down` once it is stopped for good."""

    def __init__(self, spec: ChildSpec, log_dir: Path, on_event: OnEvent) -> None:
        self.spec = spec
        self.up = asyncio.Event()
        self.down = asyncio.Event()
        self._log_dir = log_dir
        self._on_event = on_event
        self._process: Process | None = None
        self._delay = FIRST_DELAY

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    async def bring_up(self) -> None:
        """Prepare it, start it, and return when it is ready.

        Raises:
            NotReady: it ended, or took too long.
            StartError: it could not be prepared or run.
        """
        began = time.monotonic()
        if self.spec.prepare is not None:
            await _to_the_end(self.spec.prepare())
        self._process = process = Process(self.spec.launch(self._log_dir))
        self._tell("started", f"pid {process.pid}")
        await (self._until_done(process) if self.spec.once else self._until_ready(process))
        self._tell("ready", f"after {time.monotonic() - began:.1f} s")
        self.up.set()

    async def keep_up(self) -> None:
        """Start it again whenever it dies, forever, waiting longer each time until it has been healthy for a while."""
        while self._process is not None:
            healthy_since = time.monotonic()
            code = await until_exit(self._process)
            if time.monotonic() - healthy_since >= HEALTHY_SECONDS:
                self._delay = FIRST_DELAY
            await self._revive(describe_exit(code) + (self._last_words() if code > 0 else ""))

    async def stop(self, kill_now: asyncio.Event) -> None:
        """Ask it to stop; kill it when its time is over or `kill_now` is set."""
        process = self._process
        if process is not None and process.poll() is None:
            process.ask_to_stop()
            await _first_of(until_exit(process), kill_now.wait(), at_most=self.spec.stop_within)
            self._tell("stopped", _end(process))
        self.down.set()

    async def _revive(self, reason: str) -> None:
        while True:
            delay, self._delay = self._delay, min(self._delay * 2, LONGEST_DELAY)
            self._tell("died", f"{reason}, starting again in {delay:g} s")
            await asyncio.sleep(delay)
            try:
                await self.bring_up()
            except StartError as error:
                reason = str(error).partition("\n")[0]
                continue
            self._tell("restarted", f"pid {self.pid}")
            return

    async def _until_ready(self, process: Process) -> None:
        try:
            async with asyncio.timeout(self.spec.ready_within):
                while process.poll() is None:
                    if self.spec.ready is None or await self.spec.ready():
                        break
                    await _first_of(until_exit(process), at_most=READY_INTERVAL)
        except TimeoutError:
            raise self._not_ready(process) from None
        if process.poll() is not None:  # also when something else answered in its place
            raise self._not_ready(process)

    async def _until_done(self, process: Process) -> None:
        await _first_of(until_exit(process), at_most=self.spec.ready_within)
        if process.poll() != 0:
            raise self._not_ready(process)

    def _last_words(self) -> str:
        """Return what its log says last, for whoever watches: a child that cannot start usually says why."""
        lines = self._process.last_lines().strip().splitlines() if self._process is not None else []
        return f" ({lines[-1][:LAST_WORDS_AT_MOST]})" if lines else ""

    def _not_ready(self, process: Process) -> NotReady:
        code = process.poll()
        reason = describe_exit(code) if code is not None else f"is not ready after {self.spec.ready_within:g} s"
        process.kill()
        return NotReady(self.spec.name, reason, process.log_path, process.last_lines())

    def _tell(self, kind: EventKind, detail: str) -> None:
        self._on_event(self.spec.name, kind, detail)


async def until_exit(process: Process) -> int:
    """Return its exit code when it has ended: at once where the kernel can wake us for that."""
    if process.poll() is None and sys.platform == "linux":
        await _until_signalled(process.pid)
    while (code := process.poll()) is None:  # noqa: ASYNC110 - nothing else tells
        await asyncio.sleep(EXIT_INTERVAL)
    return code


async def _until_signalled(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:  # an old kernel, or a sandbox
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _first_of(*awaitables: Awaitable[object], at_most: float) -> None:
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        await asyncio.wait(tasks, timeout=at_most, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _to_the_end(awaitable: Awaitable[None]) -> None:
    """Wait for it also when cancelled: a thread at work in a data directory cannot be abandoned."""
    work = asyncio.ensure_future(awaitable)
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


def _end(process: Process) -> str:
    code = process.poll()
    if code is None:
        process.kill()
        return "killed"
    return describe_exit(code)
