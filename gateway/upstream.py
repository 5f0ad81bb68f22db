"""The engine, over gRPC: channels, unary calls with a deadline, and streams that survive the engine's restart."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import cycle
from typing import Final, TypeVar

import grpc
from grpc.aio import AioRpcError, Channel, ClientInterceptor, UnaryUnaryMultiCallable, insecure_channel
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from gateway.client_address import forwarded
from gateway.http_status import refusal_of
from gateway.metrics import EngineCalls, GatewayMetrics
from gateway.settings import GatewaySettings
from protos.order_engine.v1.order_service_pb2 import (
    ORDER_STATUS_CANCELLED,
    ORDER_STATUS_CONFIRMED,
    ORDER_STATUS_EXPIRED,
    ORDER_STATUS_FAILED,
    GetOrderRequest,
    GetTokenRequest,
    Order,
    OrderStatusUpdate,
    StreamOrderStatusRequest,
    SubmitOrderRequest,
    Token,
)
from protos.order_engine.v1.order_service_pb2_grpc import (
    OrderServiceStub,
    TokenServiceStub,
)

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

TERMINAL: Final = frozenset({ORDER_STATUS_CONFIRMED, ORDER_STATUS_FAILED, ORDER_STATUS_CANCELLED, ORDER_STATUS_EXPIRED})
_STREAM_CHANNELS: Final = 4
_FOLLOWED: Final = "order_engine.v1.OrderService/StreamOrderStatus"
_HEALTH_SECONDS: Final = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # the one that counts: keepalive_timeout alone never fires
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.use_local_subchannel_pool", 1),  # else equal channels share one connection
    ("grpc.enable_http_proxy", 0),
    ("grpc.min_reconnect_backoff_ms", 3_000),  # how long one attempt to connect may take
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)


class EngineAway(Exception):
    """The engine could not be reached for longer than we wait for it."""


class Upstream:
    """Unary calls have a channel of their own, so that no number of watchers delays them."""

    def __init__(self, settings: GatewaySettings, metrics: GatewayMetrics) -> None:
        self._settings = settings
        self.metrics = metrics
        self._unary = _channel(settings.engine_target, EngineCalls(metrics))
        streams = [_channel(settings.engine_target) for _ in range(_STREAM_CHANNELS)]
        self._channels = [self._unary, *streams]
        self._orders = OrderServiceStub(self._unary)
        self._tokens = TokenServiceStub(self._unary)
        self._health = health_pb2_grpc.HealthStub(self._unary)
        self._stream_channels = cycle(streams)

    async def submit_order(self, request: SubmitOrderRequest) -> Order:
        """Store an order. A request that was sent is never repeated."""
        return (await self._call(self._orders.SubmitOrder, request)).order

    async def get_order(self, order_id: str) -> Order:
        return await self._call(self._orders.GetOrder, GetOrderRequest(order_id=order_id))

    async def get_token(self, token: str) -> Token:
        return await self._call(self._tokens.GetToken, GetTokenRequest(token=token))

    async def unary_channel(self) -> Channel:
        """Return the channel for unary calls once it is connected, so that a restarting engine is waited for.

        Raises:
            EngineAway: there is no connection.
        """
        if self._unary.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.READY:
            try:
                async with asyncio.timeout(self._settings.grpc_timeout_seconds):
                    await self._unary.channel_ready()
            except TimeoutError:
                self.metrics.engine_away.inc()
                raise EngineAway from None
        return self._unary

    def stream_channel(self) -> Channel:
        """Return the next of the channels for streams."""
        return next(self._stream_channels)

    async def health(self, service: str = "") -> str:
        """Return the status of a service as its health enum names it; NOT_SERVING when nobody answers."""
        try:
            reply = await self._health.Check(health_pb2.HealthCheckRequest(service=service), timeout=_HEALTH_SECONDS)
        except AioRpcError as error:
            return "SERVICE_UNKNOWN" if error.code() is grpc.StatusCode.NOT_FOUND else "NOT_SERVING"
        name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)
        return name

    async def follow(self, order_id: str) -> AsyncGenerator[OrderStatusUpdate, None]:
        """Yield an order's updates from the first to the terminal one, without gap and without duplicate.

        An engine that goes away is looked for again and the stream resumed after the last sequence. Close the
        generator when done with it: an abandoned call would live on.

        Raises:
            AioRpcError: the engine refused.
            EngineAway: it did not come back in time.
        """
        last = 0
        patience = _Patience(self._settings.grpc_timeout_seconds)
        while True:
            call = OrderServiceStub(self.stream_channel()).StreamOrderStatus(
                StreamOrderStatusRequest(order_id=order_id, after_sequence=last), metadata=forwarded()
            )
            self.metrics.followed(_FOLLOWED, call)
            try:
                async for update in call:
                    if update.sequence != last + 1:
                        break
                    last = update.sequence
                    patience = _Patience(self._settings.stream_resume_seconds)
                    yield update
                    if update.status in TERMINAL:
                        return
            except AioRpcError as error:
                if not _passes(error, resuming=last > 0):
                    raise
            finally:
                call.cancel()
            await patience.pause()

    async def _call(self, method: UnaryUnaryMultiCallable[RequestT, ResponseT], request: RequestT) -> ResponseT:
        """Call with a deadline.

        Raises:
            AioRpcError: the engine refused, or went away meanwhile.
            EngineAway: there is no connection to it.
        """
        await self.unary_channel()
        return await method(request, timeout=self._settings.grpc_timeout_seconds, metadata=forwarded())

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()


class _Patience:
    """Growing pauses, up to a total. Starts counting at the first pause."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: float | None = None
        self._pause = _FIRST_PAUSE

    async def pause(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self._until = now + self._seconds
        if now + self._pause > self._until:
            raise EngineAway
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)


def _passes(error: AioRpcError, *, resuming: bool) -> bool:
    """Say whether trying again can help: always when the engine is away, and when a connection broke in mid-stream."""
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return True
    broke = not refusal_of(error).reason
    return resuming and (broke or error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED)


def _channel(target: str, *interceptors: ClientInterceptor) -> Channel:
    return insecure_channel(target, options=_OPTIONS, interceptors=interceptors)
