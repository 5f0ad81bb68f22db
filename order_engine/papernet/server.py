"""The paper network as a process: slots by the monotonic clock, JSON-RPC over HTTP, until it is told to stop."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from pathlib import Path

import uvicorn
from solders.pubkey import Pubkey

from order_engine.papernet.http import PapernetApp
from order_engine.papernet.network import Network
from order_engine.papernet.startup import open_network
from order_engine.settings import PapernetSettings

_LANDED_AT_ONCE = 50  # between answers to clients
_DRAIN_SECONDS = 2
_BACKLOG = 1024
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Ready = Callable[[str], None]
Beside = Callable[[Network], AbstractAsyncContextManager[object]]  # what else this process does meanwhile


def serve(
    settings: PapernetSettings,
    *,
    state_dir: Path,
    host: str = "127.0.0.1",
    fund: Sequence[Pubkey] = (),
    programs: Mapping[Pubkey, Path] | None = None,
    account_dir: Path | None = None,
    ready: Ready | None = None,
    beside: Beside = nullcontext,
) -> None:
    """Run the paper network in `state_dir` until SIGINT or SIGTERM. `ready` learns the URL once it answers.

    Raises:
        OSError: the port is taken.
        JournalLocked, WrongSeed, InvalidFaultPlan, UnreadableFile: see `open_network`.
    """
    network = open_network(settings, state_dir, fund=fund, programs=programs, account_dir=account_dir)
    try:
        asyncio.run(_until_signalled(network, host, settings.port, ready, beside))
    finally:
        network.journal.close()


async def run(network: Network, stop: asyncio.Event, *, host: str, port: int, ready: Ready | None = None) -> None:
    """Serve the network until `stop` is set, or the network itself dies: then its error is raised."""
    with _listen(host, port) as listener:
        server = _Server(PapernetApp(network), _url(listener), ready, stop)
        slots = asyncio.create_task(_slots(network))
        serving = asyncio.create_task(server.serve([listener]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({slots, serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await serving
        stopping.cancel()
        slots.cancel()
        await asyncio.wait({slots, stopping})
        if not slots.cancelled():
            slots.result()


async def _until_signalled(network: Network, host: str, port: int, ready: Ready | None, beside: Beside) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    async with beside(network):
        await run(network, stop, host=host, port=port, ready=ready)


async def _slots(network: Network) -> None:
    """Step through every slot, late ones too, so that a transaction lands in its own; let clients in between."""
    start, first, seconds = time.monotonic(), network.head, network.rules.slot_ms / 1000
    while True:
        elapsed = int((time.monotonic() - start) / seconds)
        while network.head < first + elapsed + network.skipped_slots:
            network.step()
            more = True
            while more:
                more = network.land_due(_LANDED_AT_ONCE)
                await asyncio.sleep(0)
        next_at = start + (network.head - first - network.skipped_slots + 1) * seconds
        await asyncio.sleep(max(0.0005, next_at - time.monotonic()))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named: else 40 ms per answer
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Uvicorn that leaves signals to us and says when it answers."""

    def __init__(self, app: PapernetApp, url: str, ready: Ready | None, stop: asyncio.Event) -> None:
        config = uvicorn.Config(
            app,
            interface="asgi3",
            lifespan="off",
            log_level="warning",
            access_log=False,
            date_header=False,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
        super().__init__(config)
        self._url, self._ready, self._stop = url, ready, stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._ready is not None:
            self._ready(self._url)

    async def main_loop(self) -> None:
        await self._stop.wait()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
