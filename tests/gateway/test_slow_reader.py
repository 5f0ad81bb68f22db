"""A client that does not read costs bounded memory and bounded time."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message, Scope

from gateway.connection import SlowReader, while_connected
from gateway.http import Request
from gateway.protocol import abort_of
from gateway.websocket import WebSocket
from protos.order_engine.v1.order_service_pb2 import ORDER_STATUS_PENDING, Failure, Retry
from tests.gateway.conftest import running_bridge, settings_for
from tests.gateway.fake_engine import FakeEngine
from tests.gateway.lives import PLACED


class DeafClient:
    """Connects, and never takes anything."""

    def __init__(self) -> None:
        self.dropped = False
        self.scope: Scope = {"type": "websocket", "extensions": {"gateway.abort": {"abort": self._abort}}}

    def _abort(self) -> None:
        self.dropped = True

    async def receive(self) -> Message:
        return await asyncio.Future[Message]()

    async def send(self, message: Message) -> None:
        await asyncio.Future[None]()

    @property
    def request(self) -> Request:
        return Request(self.scope, self.receive, self.send, {})

    @property
    def socket(self) -> WebSocket:
        return WebSocket(self.request, send_timeout_seconds=0.05)


async def test_a_send_that_lasts_too_long_drops_the_connection() -> None:
    client = DeafClient()
    with pytest.raises(SlowReader):
        await client.socket.send_text("x")
    assert client.dropped


async def test_the_work_for_a_deaf_client_ends_and_its_source_is_closed() -> None:
    client = DeafClient()
    closed = asyncio.Event()

    async def source() -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
        finally:
            closed.set()

    async def work() -> None:
        texts = source()
        try:
            async for text in texts:
                await client.socket.send_text(text)
        finally:
            await texts.aclose()  # type: ignore[attr-defined]

    with pytest.raises(SlowReader):
        await while_connected(client.request, work())
    assert closed.is_set()


def test_a_server_that_cannot_abort_offers_nothing() -> None:
    assert abort_of({"type": "websocket"}) is None


@pytest.mark.parametrize(
    ("path", "upgrade"),
    [("/api/orders/{}/stream", True), ("/v1/orders/{}/stream", True), ("/v1/orders/{}/stream", False)],
)
async def test_a_client_that_reads_nothing_loses_its_connection(engine: FakeEngine, path: str, upgrade: bool) -> None:
    long_story = Retry(cause=Failure(reason="NO_ROUTE", message="x" * 20_000))
    order_id = engine.place([PLACED, *[(ORDER_STATUS_PENDING, 1, long_story)] * 1_000]).order.order_id
    settings = settings_for(engine).model_copy(update={"send_timeout_seconds": 0.2})
    async with running_bridge(settings) as bridge:
        reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port, limit=1024)
        writer.write(_handshake(path.format(order_id), upgrade=upgrade))
        await asyncio.wait_for(engine.stream_closed.wait(), 10)
        assert engine.open_streams == 0
        taken = len(await asyncio.wait_for(reader.read(), 10))
        assert 20_000 < taken < 1_000 * 20_000
        writer.close()


def _handshake(path: str, *, upgrade: bool) -> bytes:
    headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"] if upgrade else []
    headers.append("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()
