"""The one interceptor: puts the layers around every RPC, the outermost last."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar, cast

import grpc

from order_engine.api.drain import Drain
from order_engine.api.interceptors.behavior import Behavior, Context, Generator, Handler, parsed
from order_engine.api.interceptors.errors import reported
from order_engine.api.interceptors.limits import Limits, with_deadline, written
from order_engine.api.interceptors.quotas import Quotas

Q = TypeVar("Q")
R = TypeVar("R")

_HEALTH = "/grpc.health.v1.Health/"  # answers while draining and however often it is asked: that is what it is for


class Guard(grpc.aio.ServerInterceptor):
    def __init__(self, drain: Drain, limits: Limits, quotas: Quotas) -> None:
        self._drain = drain
        self._limits = limits
        self._quotas = quotas
        self._guarded: dict[str, tuple[Handler, Handler]] = {}  # method → what was found, what it became

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Q, R] | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Q, R] | None":
        handler = await continuation(handler_call_details)
        if handler is None:
            return None  # the library answers UNIMPLEMENTED
        found = cast("Handler", handler)
        method = handler_call_details.method
        known = self._guarded.get(method)
        if known is None or known[0] is not found:
            known = self._guarded[method] = (found, self._guard(method, found))
        return cast("grpc.RpcMethodHandler[Q, R]", known[1])

    def _guard(self, method: str, handler: Handler) -> Handler:
        if handler.response_streaming:
            behavior = written(_generator(handler), self._limits.blocked_write, self._drain)
        else:
            behavior = with_deadline(_behavior(handler), self._limits.unary_deadline)
        if handler.request_deserializer is not None:
            behavior = parsed(behavior, handler.request_deserializer, streaming=handler.request_streaming)
        if not method.startswith(_HEALTH):
            behavior = self._refusing_while_draining(behavior)
        behavior = self._counted(behavior)
        if handler.response_streaming:
            return _rebuilt(handler, self._quotas.placed(behavior, partial(reported, method)))
        if not method.startswith(_HEALTH):
            behavior = self._quotas.rated(behavior)
        return _rebuilt(handler, reported(method, behavior))

    def _counted(self, behavior: Behavior) -> Behavior:
        async def call(request: object, context: Context) -> object:
            with self._drain.working():
                return await behavior(request, context)

        return call

    def _refusing_while_draining(self, behavior: Behavior) -> Behavior:
        async def call(request: object, context: Context) -> object:
            self._drain.check()
            return await behavior(request, context)

        return call


def _behavior(handler: Handler) -> Behavior:
    return cast("Behavior", handler.stream_unary if handler.request_streaming else handler.unary_unary)


def _generator(handler: Handler) -> Generator:
    return cast("Generator", handler.stream_stream if handler.request_streaming else handler.unary_stream)


def _rebuilt(handler: Handler, behavior: Behavior) -> Handler:
    """Return the handler with another behaviour, which parses the request itself."""
    build = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    rebuilt: Handler = build(behavior, None, handler.response_serializer)
    return rebuilt
