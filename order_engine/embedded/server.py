"""What both embedded servers have in common."""

import asyncio
import time
from abc import ABC, abstractmethod
from pathlib import Path

from order_engine.embedded.child import ChildSpec
from order_engine.embedded.errors import NotReady, StartError
from order_engine.embedded.process import Process, describe_exit

READY_SECONDS = 60.0
STOP_SECONDS = 20.0


class EmbeddedServer(ABC):
    """A server that keeps its port and its data over any number of starts.

    Either start and stop it here, or hand `child()` to a supervisor, never both at once.
    """

    name: str
    url: str

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._process: Process | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make the data directory ready for a start, after whatever kind of end."""

    @abstractmethod
    def answers(self) -> bool:
        """Say whether it serves requests."""

    @abstractmethod
    def child(self) -> ChildSpec:
        """Return how a supervisor runs it."""

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self) -> None:
        """Start it, anew if it runs, and return when it serves requests.

        Raises:
            NotReady: with the end of its log.
        """
        self.stop()
        self.prepare()
        child = self.child()
        launch = child.launch(self._log_dir)
        self._process = process = Process(launch)
        deadline = time.monotonic() + READY_SECONDS
        while not self.answers():
            if (code := process.poll()) is not None:
                raise NotReady(self.name, describe_exit(code), launch.log_path, process.last_lines())
            if time.monotonic() > deadline:
                raise NotReady(
                    self.name, f"is not ready after {READY_SECONDS:g} s", launch.log_path, process.last_lines()
                )
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it if it runs."""
        if self._process is not None:
            self._process.stop(STOP_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End it as kill -9 does."""
        self._running().kill()
        self._process = None

    async def _prepare(self) -> None:
        await asyncio.to_thread(self.prepare)

    async def _answers(self) -> bool:
        return await asyncio.to_thread(self.answers)

    def _running(self) -> Process:
        if self._process is None:
            raise StartError(f"{self.name} was not started here")
        return self._process
