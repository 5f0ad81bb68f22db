"""The one supervisor: starts everything in dependency order, starts again what dies, stops everything.

Its children cannot outlive it, however it ends.
"""

import asyncio
import signal
from collections.abc import Sequence
from graphlib import TopologicalSorter
from pathlib import Path

from order_engine.embedded.child import ChildSpec
from order_engine.embedded.errors import StartInterrupted
from order_engine.embedded.listening import ensure_free
from order_engine.embedded.state import StateLock
from order_engine.embedded.supervised import EventKind, OnEvent, SupervisedChild

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _ignore(_name: str, _kind: EventKind, _detail: str) -> None:
    return


class Supervisor:
    """Use it on the event loop of the main thread: `start`, then `run_until_stopped`.

    From `start` on, SIGINT, SIGTERM and SIGHUP stop everything; a second one kills everything.
    `on_event` is called on the loop with the child's name, what happened, and a detail for humans.
    """

    def __init__(self, children: Sequence[ChildSpec], *, state_dir: Path, on_event: OnEvent = _ignore) -> None:
        _check(children)
        self._lock = StateLock(state_dir)
        log_dir = state_dir.resolve() / "logs"
        self._children = {spec.name: SupervisedChild(spec, log_dir, on_event) for spec in children}
        self._keepers: list[asyncio.Task[None]] = []
        self._stop_asked = asyncio.Event()
        self._kill_asked = asyncio.Event()

    async def start(self) -> None:
        """Start all, in parallel where `after` allows, and return when all are ready.

        Raises:
            AlreadyRunning: another process has the state directory.
            PortInUse: checked before anything is started.
            NotReady: a child ended or stayed silent; carries the end of its log.
            StartInterrupted: a stop was asked for meanwhile.
            StartError: a child could not be prepared or run.

        In each case nothing is left running.
        """
        self._lock.acquire()
        self._catch_signals()
        try:
            ensure_free(address for child in self._children.values() for address in child.spec.listens)
            await self._bring_all_up()
        except BaseException:
            await self.stop()
            raise

    async def run_until_stopped(self) -> None:
        """Keep all up until a signal or `request_stop`, then stop all."""
        stopping = asyncio.ensure_future(self._stop_asked.wait())
        try:
            done, _ = await asyncio.wait({stopping, *self._keepers}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await self.stop()
        for task in done - {stopping}:
            await task  # a keeper never ends by itself: this raises what ended it

    def request_stop(self) -> None:
        """Stop all; asked a second time, kill all."""
        if self._stop_asked.is_set():
            self._kill_asked.set()
        self._stop_asked.set()

    async def stop(self) -> None:
        """Stop all, each before what it came after, and give up the state directory."""
        self._stop_asked.set()
        await _cancel(self._keepers)
        await asyncio.gather(*(self._stop_after_dependents(child) for child in self._children.values()))
        self._release_signals()
        self._lock.release()

    def pid(self, name: str) -> int | None:
        """Return the process id of a child, None while it does not run."""
        return self._children[name].pid

    async def _bring_all_up(self) -> None:
        bringing = [asyncio.create_task(self._bring_up(child)) for child in self._children.values()]
        stopping = asyncio.ensure_future(self._stop_asked.wait())
        all_up = asyncio.create_task(_all(bringing))
        try:
            await asyncio.wait({all_up, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not all_up.done():
                raise StartInterrupted
            await all_up
        finally:
            stopping.cancel()
            await _cancel([*bringing, all_up])

    async def _bring_up(self, child: SupervisedChild) -> None:
        for name in child.spec.after:
            await self._children[name].up.wait()
        await child.bring_up()
        if not child.spec.once:
            self._keepers.append(asyncio.create_task(child.keep_up()))

    async def _stop_after_dependents(self, child: SupervisedChild) -> None:
        for other in self._children.values():
            if child.spec.name in (*other.spec.after, *other.spec.outlived_by):
                await other.down.wait()
        await child.stop(self._kill_asked)

    def _catch_signals(self) -> None:
        for number in STOP_SIGNALS:
            # nohup stays nohup; but a shell that starts us in the background ignores SIGINT, and Ctrl-C must stop us
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, self.request_stop)

    def _release_signals(self) -> None:
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)


async def _all(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _check(children: Sequence[ChildSpec]) -> None:
    names = {spec.name for spec in children}
    if len(names) != len(children):
        raise ValueError("two children have the same name")
    for spec in children:
        if unknown := {*spec.after, *spec.outlived_by} - names:
            raise ValueError(f"{spec.name} comes after unknown {', '.join(sorted(unknown))}")
    TopologicalSorter({spec.name: (*spec.after, *spec.outlived_by) for spec in children}).prepare()
