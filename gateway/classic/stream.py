"""WebSocket /api/orders/{orderId}/stream: the whole life of one order, from its beginning."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import structlog
from grpc.aio import AioRpcError

from gateway.classic.frames import FrameWriter
from gateway.classic.order_facts import OrderFactsCache
from gateway.connection import while_connected
from gateway.http import HttpError, Request
from gateway.settings import GatewaySettings
from gateway.upstream import EngineAway, Upstream
from gateway.websocket import WebSocket
from protos.order_engine.v1.order_service_pb2 import OrderStatusUpdate

DONE: Final = 1000
FAILED: Final = 1011
TRY_AGAIN: Final = 1013

_log = structlog.get_logger()


class OrderStream:
    """Counts the open WebSockets, and refuses more than it may hold."""

    def __init__(self, settings: GatewaySettings, upstream: Upstream, facts: OrderFactsCache) -> None:
        self._settings = settings
        self._upstream = upstream
        self._facts = facts
        self.active = 0

    async def serve(self, request: Request, order_id: str) -> None:
        """Accept once the order's first update is here, then send frame after frame and close.

        Raises:
            HttpError: too many WebSockets (503). Not yet accepted.
            AioRpcError, EngineAway: the engine refused, or is away. Not yet accepted.
        """
        if self.active >= self._settings.max_websockets:
            raise HttpError(503, {"error": "Too many connections"}, {"retry-after": "1"})
        self.active += 1
        try:
            async with aclosing(self._upstream.follow(order_id)) as updates:
                await self._converse(request, order_id, updates)
        finally:
            self.active -= 1

    async def _converse(
        self, request: Request, order_id: str, updates: AsyncGenerator[OrderStatusUpdate, None]
    ) -> None:
        try:
            async with asyncio.timeout(self._settings.grpc_timeout_seconds + 1):
                writer = FrameWriter(order_id, await self._facts.of(order_id))
                first = await anext(updates)
        except TimeoutError:
            raise EngineAway from None
        socket = WebSocket(request, self._settings.send_timeout_seconds)
        await socket.accept()
        await while_connected(request, _tell(socket, writer, first, updates))


async def _tell(
    socket: WebSocket, writer: FrameWriter, first: OrderStatusUpdate, updates: AsyncGenerator[OrderStatusUpdate, None]
) -> None:
    try:
        await _send_frame(socket, writer, first)
        async for update in updates:
            await _send_frame(socket, writer, update)
    except EngineAway:
        await socket.close(TRY_AGAIN, "the order engine is not available, connect again")
    except AioRpcError as error:
        _log.warning("stream_refused", order_id=first.order_id, code=error.code().name)
        await socket.close(FAILED, "the order engine ended the stream")
    else:
        await socket.close(DONE)


async def _send_frame(socket: WebSocket, writer: FrameWriter, update: OrderStatusUpdate) -> None:
    frame = writer.frame(update)
    if frame is not None:
        await socket.send_text(frame)
