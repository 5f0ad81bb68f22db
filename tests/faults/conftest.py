"""One engine for all tests of outages: each leaves it as it was."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.calling import Engine
from tests.faults.collect_chain import ChainReader
from tests.faults.stack import Processes


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    processes = Processes(tmp_path_factory.mktemp("outages") / "state")
    try:
        await processes.start()
        chain = ChainReader(processes.stack.rpc_url, processes.stack.wallet)
        yield Engine(processes, await chain.holdings())
    finally:
        await processes.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def engine(running_engine: Engine) -> AsyncIterator[Engine]:
    """The engine, with every process up and no death counted yet."""
    processes = running_engine.processes
    async with asyncio.timeout(60):
        await processes.all_back()
    processes.deaths.clear()
    yield running_engine
    for link in processes.links.values():
        link.set_weather("fair")
