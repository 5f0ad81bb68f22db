"""Watchers of an order: gRPC streams that resume, classic WebSockets that begin again; some slow, some that vanish."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import grpc
import orjson
import websockets

from order_engine.domain.lifecycle import TERMINAL
from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc
from tests.faults.collect import status_name
from tests.faults.evidence import Connection, Watcher

STREAM_SECONDS: Final = 30.0  # then a silent stream is opened again, as a careful client does
SLOW_SECONDS: Final = 0.4
VANISH_AFTER: Final = 2
AGAIN_SECONDS: Final = 0.2
_TERMINAL: Final = frozenset(status.value for status in TERMINAL)


class Watchers:
    def __init__(self, orders: rpc.OrderServiceAsyncStub, http: str) -> None:
        self.all: list[Watcher] = []
        self._orders = orders
        self._websocket = http.replace("http:", "ws:")
        self._running: set[asyncio.Task[None]] = set()

    async def follow(self, order_id: str, kinds: Sequence[str]) -> None:
        """Begin to watch in all these ways, and return when the order has ended or the vanishing ones are gone."""
        tasks = [asyncio.create_task(self._watch(order_id, kind)) for kind in kinds]
        self._running.update(tasks)
        for task in tasks:
            task.add_done_callback(self._running.discard)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def finish(self) -> None:
        await asyncio.gather(*self._running, return_exceptions=True)

    async def give_up(self) -> None:
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _watch(self, order_id: str, kind: str) -> None:
        watcher = Watcher(kind="classic" if kind.startswith("classic") else "grpc", order_id=order_id)
        self.all.append(watcher)
        while watcher.end == "open":
            try:
                await (self._frames(watcher, kind) if watcher.kind == "classic" else self._updates(watcher, kind))
            except (grpc.aio.AioRpcError, websockets.WebSocketException, OSError, TimeoutError):
                await asyncio.sleep(AGAIN_SECONDS)

    async def _updates(self, watcher: Watcher, kind: str) -> None:
        last, status = max((update for one in watcher.connections for update in one.seen), default=(0, ""))
        if status in _TERMINAL:  # the connection broke just after it
            watcher.end = "terminal"
            return
        connection = Connection(after_sequence=last)
        watcher.connections.append(connection)
        request = pb.StreamOrderStatusRequest(order_id=watcher.order_id, after_sequence=last)
        call = self._orders.StreamOrderStatus(request, timeout=STREAM_SECONDS)
        try:
            async for update in call:
                status = status_name(update.status)
                connection.seen.append((update.sequence, status))
                if kind == "vanishing" and update.sequence >= VANISH_AFTER:
                    watcher.end = "vanished"
                    return
                if kind == "slow":
                    await asyncio.sleep(SLOW_SECONDS)
        finally:
            call.cancel()
        if connection.seen and connection.seen[-1][1] in _TERMINAL:
            watcher.end = "terminal"

    async def _frames(self, watcher: Watcher, kind: str) -> None:
        connection = Connection()
        url = f"{self._websocket}/api/orders/{watcher.order_id}/stream"
        async with websockets.connect(url, open_timeout=10, ping_interval=5, ping_timeout=5, proxy=None) as socket:
            watcher.connections.append(connection)
            async for frame in socket:
                connection.seen.append((0, orjson.loads(frame)["status"]))
                if kind == "classic vanishing" and len(connection.seen) >= VANISH_AFTER:
                    watcher.end = "vanished"
                    return
                if kind == "classic slow":
                    await asyncio.sleep(SLOW_SECONDS)
        if socket.close_code == 1000:
            watcher.end = "terminal"
