"""What callers do, and how long it takes them. The same code for the engine and for the bare server."""

from __future__ import annotations  # the async stubs exist for the type checker only

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import grpc

from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc
from tests.e2e.live import TERMINAL

REQUEST: Final = pb.SubmitOrderRequest(token_in="SOL", token_out="USDC", amount_in=1_000_000, slippage_bps=500)
_ANSWER_SECONDS: Final = 20.0


@dataclass(slots=True)
class Taken:
    """What a run took: each call's milliseconds, and the run's seconds."""

    calls_ms: list[float] = field(default_factory=list)
    events_ms: list[float] = field(default_factory=list)  # from an event's own time to its arrival
    order_ids: list[str] = field(default_factory=list)
    confirmed: int = 0
    unfinished: int = 0  # whole orders that took longer than anybody waits
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return len(self.calls_ms) / self.seconds


@asynccontextmanager
async def connected(target: str) -> AsyncIterator[rpc.OrderServiceAsyncStub]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        await channel.channel_ready()
        yield rpc.OrderServiceStub(channel)


async def submits(orders: rpc.OrderServiceAsyncStub, *, callers: int, count: int, seconds: float) -> Taken:
    """Submit until `count` orders are accepted or the time is up; each caller waits for its answer."""
    taken = Taken()

    async def one() -> None:
        taken.order_ids.append((await orders.SubmitOrder(REQUEST, timeout=_ANSWER_SECONDS)).order_id)

    return await _repeated(taken, one, callers, count, seconds)


async def whole_orders(orders: rpc.OrderServiceAsyncStub, *, callers: int, count: int, seconds: float) -> Taken:
    """Submit and follow to the end, then the next one."""
    taken = Taken()

    async def one() -> None:
        order_id = (await orders.SubmitOrder(REQUEST, timeout=_ANSWER_SECONDS)).order_id
        try:
            status = await followed(orders, order_id, taken.events_ms)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
            taken.unfinished += 1
            return
        taken.confirmed += status == pb.ORDER_STATUS_CONFIRMED

    return await _repeated(taken, one, callers, count, seconds)


async def followed(orders: rpc.OrderServiceAsyncStub, order_id: str, events_ms: list[float]) -> int:
    """Follow an order to its end and return its last status."""
    status = 0
    async for update in orders.StreamOrderStatus(
        pb.StreamOrderStatusRequest(order_id=order_id), timeout=_ANSWER_SECONDS
    ):
        events_ms.append((time.time_ns() - update.event_time.ToNanoseconds()) / 1e6)
        status = update.status
    if status not in TERMINAL:
        raise ValueError(f"the stream of {order_id} ended at status {status}")
    return status


async def _repeated(
    taken: Taken, one: Callable[[], Awaitable[None]], callers: int, count: int, seconds: float
) -> Taken:
    began = time.perf_counter()
    left = count

    async def caller() -> None:
        nonlocal left
        while left > 0 and time.perf_counter() - began < seconds:
            left -= 1
            started = time.perf_counter()
            await one()
            taken.calls_ms.append((time.perf_counter() - started) * 1000)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    taken.seconds = time.perf_counter() - began
    return taken


def percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
