"""What the supervisor is told about a process: how to start it, what must be ready before, and when it is ready."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from order_engine.embedded.listening import Listen
from order_engine.embedded.process import Launch

Ready = Callable[[], Awaitable[bool]]
Prepare = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One supervised process. Its log is `<state_dir>/logs/<name>.log`."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)  # added to ours
    after: tuple[str, ...] = ()  # children that must be ready before this one starts, and that stop after it
    outlived_by: tuple[str, ...] = ()  # children that only stop after it: it can start without them
    listens: tuple[Listen, ...] = ()  # checked to be free before anything starts
    prepare: Prepare | None = None  # runs before every start
    ready: Ready | None = None  # None: ready as soon as it runs
    once: bool = False  # ready when it has ended with exit code 0; not started again
    ready_within: float = 30.0
    stop_within: float = 15.0  # then it is killed
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL  # what the kernel sends it when the supervisor dies
    user: int | None = None

    def launch(self, log_dir: Path) -> Launch:
        return Launch(
            arguments=self.command,
            log_path=log_dir / f"{self.name}.log",
            environment={"PYTHONUNBUFFERED": "1", **self.env},  # a crash must not swallow the last lines
            user=self.user,
            stop_signal=self.stop_signal,
            orphan_signal=self.orphan_signal,
        )


def tcp_ready(host: str, port: int) -> Ready:
    """Ready when it accepts connections."""

    async def ready() -> bool:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            return False
        writer.close()
        return True

    return ready


def http_ready(url: str) -> Ready:
    """Ready when a GET answers 200; plain http only."""
    target = urlsplit(url)
    request = f"GET {target.path or '/'} HTTP/1.1\r\nHost: {target.netloc}\r\nConnection: close\r\n\r\n".encode()

    async def ready() -> bool:
        try:
            reader, writer = await asyncio.open_connection(target.hostname, target.port or 80)
        except OSError:
            return False
        try:
            writer.write(request)
            status_line = await reader.readline()
        except OSError:
            return False
        finally:
            writer.close()
        return status_line.startswith(b"HTTP/") and status_line.split()[1:2] == [b"200"]

    return ready
