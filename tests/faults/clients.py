"""The users: they submit by gRPC and by the classic HTTP API, repeat what got no answer, cancel, and watch."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import grpc
import httpx

from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc
from tests.faults.evidence import Watcher
from tests.faults.watchers import Watchers
from tests.faults.wish import Wish

CALL_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 0.2
DEFINITE: Final = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.INTERNAL}


@dataclass(slots=True)
class Users:
    """`in_flight` orders at a time, until `stop` is called; then what was begun is brought to its end."""

    target: str
    http: str
    seed: int
    in_flight: int
    most: int
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    refused_for_good: list[str] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)  # by outcome, seconds
    cancels: Counter[str] = field(default_factory=Counter)
    begun: int = 0
    _stopped: bool = False
    _channel: grpc.aio.Channel | None = None
    _watching: Watchers | None = None

    @property
    def watchers(self) -> list[Watcher]:
        return self._watching.all if self._watching else []

    async def run(self) -> None:
        async with grpc.aio.insecure_channel(self.target, options=[("grpc.max_reconnect_backoff_ms", 500)]) as channel:
            self._channel = channel
            self._watching = Watchers(self._orders, self.http)
            limits = httpx.Limits(max_connections=100)
            async with httpx.AsyncClient(base_url=self.http, timeout=CALL_SECONDS, limits=limits) as http:
                await asyncio.gather(*(self._use(http) for _ in range(self.in_flight)))
            await self._watching.finish()

    def stop(self) -> None:
        self._stopped = True

    async def give_up_watching(self) -> None:
        if self._watching is not None:
            await self._watching.give_up()

    @property
    def _orders(self) -> rpc.OrderServiceAsyncStub:
        assert self._channel is not None
        return rpc.OrderServiceStub(self._channel)

    async def _use(self, http: httpx.AsyncClient) -> None:
        while not self._stopped and self.begun < self.most:
            self.begun += 1
            wish = Wish.numbered(self.seed, self.begun)
            found = await asyncio.gather(*(self._until_acknowledged(http, wish) for _ in range(wish.clients)))
            order_id = next(filter(None, found), "")
            if order_id and self._watching is not None:
                cancelling = asyncio.create_task(self._maybe_cancel(wish, order_id))
                await self._watching.follow(order_id, wish.watchers)
                await cancelling

    async def _until_acknowledged(self, http: httpx.AsyncClient, wish: Wish) -> str:
        """Repeat the same request until it is answered; "" when it was refused for good."""
        while True:
            began = time.monotonic()
            order_id, why = await (self._submit_classic(http, wish) if wish.classic else self._submit(wish))
            self.slowest[why] = max(self.slowest.get(why, 0.0), time.monotonic() - began)
            self.refusals[why] += 1
            if order_id:
                self.acknowledged.append((wish.request_id, order_id))
                return order_id
            if why.startswith("!"):
                self.refused_for_good.append(f"{wish.request_id}: {why}")
                return ""
            await asyncio.sleep(AGAIN_SECONDS)

    async def _submit(self, wish: Wish) -> tuple[str, str]:
        try:
            reply = await self._orders.SubmitOrder(wish.as_request(), timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            return "", f"{'!' if error.code() in DEFINITE else ''}grpc {error.code().name}"
        return reply.order_id, "grpc OK"

    async def _submit_classic(self, http: httpx.AsyncClient, wish: Wish) -> tuple[str, str]:
        try:
            key = {"idempotency-key": wish.request_id}
            reply = await http.post("/api/orders/execute", json=wish.as_classic_body(), headers=key)
        except httpx.HTTPError as error:
            return "", f"http {type(error).__name__}"
        if reply.status_code == 201:
            return str(reply.json()["orderId"]), "http 201"
        return "", f"{'!' if reply.status_code < 500 or reply.status_code == 500 else ''}http {reply.status_code}"

    async def _maybe_cancel(self, wish: Wish, order_id: str) -> None:
        if wish.cancel_after is None:
            return
        await asyncio.sleep(wish.cancel_after)
        for _ in range(20):
            try:
                reply = await self._orders.CancelOrder(pb.CancelOrderRequest(order_id=order_id), timeout=CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                self.cancels[error.code().name] += 1
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            self.cancels[pb.CancelVerdict.Name(reply.verdict)] += 1
            return
