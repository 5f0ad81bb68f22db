"""Clients that behave badly, in a process of their own.

    python -m benchmarks.abusers KIND COUNT GRPC_PORT HTTP_PORT ORDER_ID

Writes one line once all are at it, and goes on until its input is closed.
"""

import asyncio
import resource
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import grpc
import uvloop

from benchmarks.load import REQUEST, connected
from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc

_CHANNELS: Final = 10
_AT_ONCE: Final = 100
_UPGRADE: Final = (
    "GET /api/orders/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@dataclass(slots=True)
class Abusers:
    count: int
    grpc_port: int
    http_port: int
    order_id: str

    async def grpc_watchers(self) -> str:
        """Open streams and never read from them."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        target = f"127.0.0.1:{self.grpc_port}"
        channels = [grpc.aio.insecure_channel(target, options=options) for _ in range(_CHANNELS)]
        request = pb.StreamOrderStatusRequest(order_id=self.order_id)
        stubs = [rpc.OrderServiceStub(channel) for channel in channels]
        streams = [stubs[number % _CHANNELS].StreamOrderStatus(request) for number in range(self.count)]
        for stream in streams:
            await stream.initial_metadata()
        _kept.extend((channels, streams))
        return f"{len(streams)} open"

    async def websockets(self) -> str:
        """Upgrade, and never read."""
        return await self._each(self._websocket)

    async def drips(self) -> str:
        """Send one byte a second: a request to the bridge, the HTTP/2 preface to the API."""
        return await self._each(self._drip)

    async def submits(self) -> str:
        """Submit all at once."""
        outcomes: Counter[str] = Counter()
        began = time.perf_counter()
        async with connected(f"127.0.0.1:{self.grpc_port}") as orders:

            async def one() -> None:
                try:
                    await orders.SubmitOrder(REQUEST, timeout=60)
                    outcomes["OK"] += 1
                except grpc.aio.AioRpcError as error:
                    outcomes[error.code().name] += 1

            await asyncio.gather(*(one() for _ in range(self.count)))
        return f"{dict(outcomes)} in {time.perf_counter() - began:.1f} s"

    async def _each(self, one: Callable[[int], Awaitable[str]]) -> str:
        gate = asyncio.Semaphore(_AT_ONCE)
        outcomes: Counter[str] = Counter()

        async def gated(number: int) -> None:
            async with gate:
                outcomes[await one(number)] += 1

        await asyncio.gather(*(gated(number) for number in range(self.count)))
        return str(dict(outcomes))

    async def _websocket(self, number: int) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.http_port, limit=1024)
        writer.write(_UPGRADE.format(f"{self.order_id}/stream").encode())
        status = (await reader.readline()).split()[1:2]
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        _kept.append((reader, writer))
        return status[0].decode() if status else "refused"

    async def _drip(self, number: int) -> str:
        port = self.http_port if number % 2 else self.grpc_port
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        text = b"POST /api/orders/execute HTTP/1.1\r\n" if number % 2 else b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        _kept.append(asyncio.create_task(_dripping(writer, text)))
        return "dripping"


_kept: list[object] = []


async def _dripping(writer: asyncio.StreamWriter, text: bytes) -> None:
    for byte in text:
        writer.write(bytes([byte]))
        await asyncio.sleep(1)


async def main(kind: str, abusers: Abusers) -> None:
    kinds: Mapping[str, Callable[[], Awaitable[str]]] = {
        "grpc": abusers.grpc_watchers,
        "websocket": abusers.websockets,
        "drip": abusers.drips,
        "submit": abusers.submits,
    }
    print(await kinds[kind](), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kind, count, grpc_port, http_port, order_id = sys.argv[1:]
    uvloop.run(main(kind, Abusers(int(count), int(grpc_port), int(http_port), order_id)))
