"""What the bridge counts: requests by route, WebSockets, and what the engine answered. No label is a client's text."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import grpc
from grpc.aio import Call, ClientCallDetails, UnaryUnaryCall, UnaryUnaryClientInterceptor
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.routing import ROUTE, WEBSOCKET

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SWITCHED: Final = 101

C = TypeVar("C", bound=Call)
Q = TypeVar("Q")
R = TypeVar("R")


def new_registry() -> CollectorRegistry:
    """Return a registry that already tells processor time, memory, open files and garbage collection."""
    disable_created_metrics()  # type: ignore[no-untyped-call] # one more series for every counter, which nobody reads
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class GatewayMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.requests = Counter(
            "order_engine_gateway_http_requests_total",
            "Requests and WebSocket handshakes answered; status none: the client went away first.",
            ("method", "route", "status"),
            registry=registry,
        )
        self.request_seconds = Histogram(
            "order_engine_gateway_http_request_seconds",
            "Time until the answer began.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.websockets = Gauge(
            "order_engine_gateway_websockets_open", "WebSockets open now.", ("route",), registry=registry
        )
        self.closes = Counter(
            "order_engine_gateway_websocket_closes_total",
            "WebSockets that ended, by the code the bridge closed with; gone: the client left, or the bridge stopped.",
            ("code",),
            registry=registry,
        )
        self.http_streams = Gauge(
            "order_engine_gateway_http_streams_open", "SSE and NDJSON streams open now.", ("route",), registry=registry
        )
        self.engine_calls = Counter(
            "order_engine_gateway_engine_calls_total",
            "RPCs to the engine that ended, by status code; streams that the bridge ended itself are CANCELLED.",
            ("method", "code"),
            registry=registry,
        )
        self.engine_seconds = Histogram(
            "order_engine_gateway_engine_call_seconds",
            "Time until the engine answered a unary RPC.",
            ("method",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.engine_away = Counter(
            "order_engine_gateway_engine_away_total",
            "Requests that gave up waiting for a connection to the engine.",
            registry=registry,
        )
        self._ending: set[asyncio.Task[None]] = set()

    def followed(self, method: str, call: C) -> C:
        """Count how a streaming call ends."""
        call.add_done_callback(lambda _: self._end(method, call))
        return call

    def _end(self, method: str, call: Call) -> None:
        ending = asyncio.get_running_loop().create_task(self._count_end(method, call))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _count_end(self, method: str, call: Call) -> None:
        self.engine_calls.labels(method.strip("/"), (await call.code()).name).inc()


class EngineCalls(UnaryUnaryClientInterceptor):
    """Counts and times unary calls to the engine."""

    def __init__(self, metrics: GatewayMetrics) -> None:
        self._metrics = metrics

    async def intercept_unary_unary(
        self,
        continuation: Callable[[ClientCallDetails, Q], Awaitable[UnaryUnaryCall[Q, R]]],
        client_call_details: ClientCallDetails,
        request: Q,
    ) -> R | UnaryUnaryCall[Q, R]:
        started, code = time.perf_counter(), grpc.StatusCode.CANCELLED
        path: object = client_call_details.method
        method = (path.decode() if isinstance(path, bytes) else str(path)).strip("/")
        try:
            call = await continuation(client_call_details, request)
            code = await call.code()
            return call
        finally:
            self._metrics.engine_calls.labels(method, code.name).inc()
            self._metrics.engine_seconds.labels(method).observe(time.perf_counter() - started)


class MeteredApp:
    """Around the whole application: sees what really goes out, whoever sends it."""

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(self._metrics, scope, send)
        try:
            await self._app(scope, receive, exchange.send)
        finally:
            exchange.end()


class _Exchange:
    """One request, from its arrival until the application is done with it."""

    def __init__(self, metrics: GatewayMetrics, scope: Scope, send: Send) -> None:
        self._metrics, self._scope, self._send = metrics, scope, send
        self._started = time.perf_counter()
        self._answered = False
        self._open: Gauge | None = None
        self._close_code: str | None = None

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in {"http.response.start", "websocket.http.response.start"}:
            self._answer(str(message["status"]))
        elif kind == "http.response.body" and message.get("more_body", False):
            self._begin(self._metrics.http_streams)
        elif kind == "websocket.accept":
            self._answer(str(_SWITCHED))
            self._close_code = "gone"
            self._begin(self._metrics.websockets)
        elif kind == "websocket.close":
            self._close_code = str(message.get("code", 1000))
        await self._send(message)

    def end(self) -> None:
        if not self._answered:
            self._answer("none")
        if self._open is not None:
            self._open.dec()
        if self._close_code is not None:
            self._metrics.closes.labels(self._close_code).inc()

    @property
    def _route(self) -> str:
        route: str = self._scope.get(ROUTE, "none")
        return route

    def _answer(self, status: str) -> None:
        self._answered = True
        method = WEBSOCKET if self._scope["type"] == "websocket" else self._scope["method"]
        known = method if method in _METHODS or method == WEBSOCKET else "OTHER"
        self._metrics.requests.labels(known, self._route, status).inc()
        self._metrics.request_seconds.labels(known, self._route).observe(time.perf_counter() - self._started)

    def _begin(self, gauge: Gauge) -> None:
        if self._open is None:
            self._open = gauge.labels(self._route)
            self._open.inc()
