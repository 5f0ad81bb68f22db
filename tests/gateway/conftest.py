"""The real bridge on a free port, in front of an engine that a test scripts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from gateway.server import Server, make_server
from gateway.settings import GatewaySettings
from tests.gateway.fake_engine import FakeEngine


@dataclass(frozen=True, slots=True)
class Bridge:
    http: httpx.AsyncClient
    port: int
    server: Server

    def stream(self, order_id: str, **options: object) -> connect:
        """Connect to an order's stream; unknown options go to the WebSocket client."""
        return connect(f"ws://127.0.0.1:{self.port}/api/orders/{order_id}/stream", proxy=None, **options)  # type: ignore[arg-type]

    async def frames(self, order_id: str) -> list[str]:
        """Return every frame of an order that ends."""
        async with self.stream(order_id) as socket:
            return await everything(socket)


async def everything(socket: ClientConnection) -> list[str]:
    """Return every frame until the connection closes, however it does."""
    frames: list[str] = []
    with suppress(ConnectionClosedError):
        async for frame in socket:
            assert isinstance(frame, str)
            frames.append(frame)
    return frames


@asynccontextmanager
async def running_engine() -> AsyncIterator[FakeEngine]:
    engine = FakeEngine()
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def settings_for(engine: FakeEngine) -> GatewaySettings:
    return GatewaySettings(
        port=0, grpc_target=engine.target, grpc_timeout_seconds=1.0, stream_resume_seconds=5.0, drain_seconds=1
    )


@asynccontextmanager
async def running_bridge(settings: GatewaySettings) -> AsyncIterator[Bridge]:
    server = make_server(settings)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.01)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as http:
            yield Bridge(http, server.port, server)
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with running_engine() as engine:
        yield engine


@pytest.fixture
async def bridge(engine: FakeEngine) -> AsyncIterator[Bridge]:
    async with running_bridge(settings_for(engine)) as bridge:
        yield bridge
