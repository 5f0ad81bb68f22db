import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from order_engine.papernet.server import run
from order_engine.papernet.startup import open_network
from order_engine.settings import PapernetSettings
from tests.papernet.client import PaperRpc

ROOT = Path(__file__).parents[2]
STILL = {"port": 0, "slot_ms": 60_000, "land_after_slots_min": 0, "land_after_slots_max": 0, "failure_rate": 0.0,
         "market_volatility_bps": 0}  # fmt: skip
START_SECONDS = 20
_TLS = ssl.create_default_context()  # made once: it takes longer than a whole network

Start = Callable[..., Awaitable[PaperRpc]]


@pytest.fixture
def wallet() -> Keypair:
    return Keypair()


@asynccontextmanager
async def serving(
    state_dir: Path,
    wallet: Keypair,
    *,
    account_dir: Path | None = None,
    programs: Mapping[Pubkey, Path] | None = None,
    **settings: object,
) -> AsyncIterator[PaperRpc]:
    chosen = PapernetSettings(_env_file=None, **{**STILL, **settings})
    network = open_network(chosen, state_dir, fund=[wallet.pubkey()], programs=programs, account_dir=account_dir)
    stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run(network, stop, host="127.0.0.1", port=0, ready=url.set_result))
    try:
        async with httpx.AsyncClient(verify=_TLS) as http:
            yield PaperRpc(await asyncio.wait_for(url, START_SECONDS), http)
    finally:
        stop.set()
        await task
        network.journal.close()


@pytest.fixture
async def start(tmp_path: Path, wallet: Keypair) -> AsyncIterator[Start]:
    """Starts networks inside the test; time stands still there, only paperAdvance moves it."""
    async with AsyncExitStack() as stack:

        async def begin(**settings: object) -> PaperRpc:
            return await stack.enter_async_context(serving(tmp_path / "net", wallet, **settings))

        yield begin


@pytest.fixture
async def paper(start: Start) -> PaperRpc:
    return await start()


class PaperProcess:
    """A network as a process of its own, to be killed and started again on the same state."""

    def __init__(self, state_dir: Path, fund: list[Keypair], **settings: object) -> None:
        self._arguments = [
            str(state_dir),
            json.dumps({**STILL, **settings}),
            json.dumps([str(wallet.pubkey()) for wallet in fund]),
        ]
        self._child: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        command = [sys.executable, str(ROOT / "tests/papernet/serve.py"), *self._arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._child.stdout is not None
        self.url = self._child.stdout.readline().strip()
        assert self.url.startswith("http://")

    def kill(self) -> None:
        self._end(lambda child: child.kill())

    def terminate(self) -> int:
        return self._end(lambda child: child.terminate())

    def _end(self, how: Callable[[subprocess.Popen[str]], None]) -> int:
        child, self._child = self._child, None
        if child is None:
            return 0
        how(child)
        code = child.wait(timeout=START_SECONDS)
        assert child.stdout is not None
        child.stdout.close()
        return code


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Callable[..., PaperProcess]]:
    made: list[PaperProcess] = []

    def make(fund: list[Keypair], **settings: object) -> PaperProcess:
        process = PaperProcess(tmp_path / "net", fund, **settings)
        made.append(process)
        process.start()
        return process

    yield make
    for process in made:
        process.kill()
