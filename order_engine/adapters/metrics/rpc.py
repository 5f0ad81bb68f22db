"""The gRPC server's calls, from outside everything that could answer them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, TypeVar, cast

import grpc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

Context = grpc.aio.ServicerContext[object, object]
Behavior = Callable[[object, Context], Awaitable[object]]
Handler: TypeAlias = "grpc.RpcMethodHandler[object, object]"  # quoted: generic for type checkers only
Q = TypeVar("Q")
R = TypeVar("R")


class RpcMetrics(grpc.aio.ServerInterceptor):
    """Must be the first interceptor, around ones whose streaming handlers write to the context."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "order_engine_rpcs_total", "RPCs answered, by status code.", ("method", "code"), registry=registry
        )
        self._seconds = Histogram(
            "order_engine_rpc_seconds",
            "Time to answer a unary RPC.",
            ("method",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._streams = Gauge("order_engine_streams_open", "Streaming RPCs open now.", ("method",), registry=registry)
        self._metered: dict[str, tuple[Handler, Handler]] = {}  # method → what was found, what it became

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Q, R] | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Q, R] | None":
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None:
            self._calls.labels("unknown", "UNIMPLEMENTED").inc()
            return None
        found = cast("Handler", handler)
        known = self._metered.get(method)
        if known is None or known[0] is not found:
            known = self._metered[method] = (found, self._meter(method.strip("/"), found))
        return cast("grpc.RpcMethodHandler[Q, R]", known[1])

    def _meter(self, method: str, handler: Handler) -> Handler:
        behavior, build = _parts(handler)
        metered = self._stream(method, behavior) if handler.response_streaming else self._unary(method, behavior)
        rebuilt: Handler = build(metered, handler.request_deserializer, handler.response_serializer)
        return rebuilt

    def _unary(self, method: str, behavior: Behavior) -> Behavior:
        counted, seconds = self._counted(method, behavior), self._seconds.labels(method)

        async def call(request: object, context: Context) -> object:
            started = time.perf_counter()
            try:
                return await counted(request, context)
            finally:
                seconds.observe(time.perf_counter() - started)

        return call

    def _stream(self, method: str, behavior: Behavior) -> Behavior:
        counted, streams = self._counted(method, behavior), self._streams.labels(method)

        async def call(request: object, context: Context) -> object:
            with streams.track_inprogress():
                return await counted(request, context)

        return call

    def _counted(self, method: str, behavior: Behavior) -> Behavior:
        async def call(request: object, context: Context) -> object:
            code = grpc.StatusCode.OK
            try:
                return await behavior(request, context)
            except asyncio.CancelledError:
                code = _why_cancelled(context)
                raise
            except BaseException:
                code = _code(context)
                raise
            finally:
                self._calls.labels(method, code.name).inc()

        return call


def _parts(handler: Handler) -> tuple[Behavior, Callable[..., Handler]]:
    behavior, build = {
        (False, False): (handler.unary_unary, grpc.unary_unary_rpc_method_handler),
        (False, True): (handler.unary_stream, grpc.unary_stream_rpc_method_handler),
        (True, False): (handler.stream_unary, grpc.stream_unary_rpc_method_handler),
        (True, True): (handler.stream_stream, grpc.stream_stream_rpc_method_handler),
    }[handler.request_streaming, handler.response_streaming]
    return cast("Behavior", behavior), cast("Callable[..., Handler]", build)


def _why_cancelled(context: Context) -> grpc.StatusCode:
    left = context.time_remaining()
    return grpc.StatusCode.DEADLINE_EXCEEDED if left is not None and left <= 0 else grpc.StatusCode.CANCELLED


def _code(context: Context) -> grpc.StatusCode:
    """Return what the call was aborted with: the library keeps it as a number or as its enum."""
    code: object = context.code()
    if isinstance(code, grpc.StatusCode) and code is not grpc.StatusCode.OK:
        return code
    return next((one for one in grpc.StatusCode if code and one.value[0] == code), grpc.StatusCode.UNKNOWN)
