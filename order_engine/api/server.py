"""The gRPC server: what is served, with which limits, and how it starts and stops."""

import asyncio
import errno
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import grpc
import structlog
from grpc_health.v1 import health, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc  # type: ignore[import-untyped]

from order_engine.api.drain import Drain
from order_engine.api.health import CheckReady, Health
from order_engine.api.interceptors.guard import Guard
from order_engine.api.interceptors.limits import Limits
from order_engine.api.interceptors.quotas import Quotas
from order_engine.api.order_service import OrderService, QuoteService
from order_engine.api.reflection import Reflection
from order_engine.api.services import Services
from order_engine.api.token_service import TokenService
from protos.order_engine.v1 import order_service_pb2, order_service_pb2_grpc

SERVICES: Final = tuple(service.full_name for service in order_service_pb2.DESCRIPTOR.services_by_name.values())
MESSAGE_BYTES_AT_MOST: Final = 64 * 1024

# No grpc.max_concurrent_streams: many watchers on one channel would starve its unary calls.
OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # a port in use is an error, not half of the calls
    ("grpc.max_receive_message_length", MESSAGE_BYTES_AT_MOST),
    ("grpc.server.max_pending_requests", 20_000),  # by default a burst of 1,500 calls is cancelled in part
    ("grpc.server.max_pending_requests_hard_limit", 30_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # the one that fires; without it a dead client is noticed after 63 s
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # the longer name in some docs is not known
    ("grpc.max_connection_age_ms", 1_800_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
)

MAX_CONNECTIONS: Final = 15_000
_CONNECTIONS_OPTION: Final = "grpc.max_allowed_incoming_connections"
_DELIVERY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class ApiServer:
    def __init__(
        self,
        services: Services,
        check_ready: CheckReady,
        limits: Limits | None = None,
        outermost: Sequence[grpc.aio.ServerInterceptor] = (),
        quotas: Quotas | None = None,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._drain = Drain()
        self._health = Health(SERVICES, check_ready)
        guard = Guard(self._drain, limits or Limits(), quotas or Quotas())
        self._server = grpc.aio.server(
            interceptors=[*outermost, guard], options=[*OPTIONS, (_CONNECTIONS_OPTION, max_connections)]
        )
        self._readiness: asyncio.Task[None] | None = None
        self._register(services)

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port; 0 takes a free one.

        Raises:
            OSError: the port is in use, or the host is not of this machine.
        """
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(errno.EADDRINUSE, f"cannot listen on {address} for gRPC: is the port in use?") from error
        await self._health.check_once()
        await self._server.start()
        self._readiness = asyncio.create_task(self._health.watch_readiness())
        return bound

    async def stop(self, drain_seconds: float) -> None:
        """Say NOT_SERVING, end the streams, take nothing new, and let unary calls finish for `drain_seconds`.

        Answers that are not read hold nothing up: they have a second once there is no call left to answer.
        """
        self._health.drain()
        await asyncio.sleep(0)  # health watchers are told before anything else ends
        self._drain.begin()
        await self._stop(drain_seconds)
        if self._readiness is not None:
            self._readiness.cancel()
            with suppress(asyncio.CancelledError):
                await self._readiness

    async def _stop(self, drain_seconds: float) -> None:
        stopping = asyncio.create_task(self._server.stop(drain_seconds))
        settled = asyncio.create_task(self._drain.settled())
        await asyncio.wait({stopping, settled}, return_when=asyncio.FIRST_COMPLETED)
        settled.cancel()
        await asyncio.wait({stopping}, timeout=min(_DELIVERY_SECONDS, drain_seconds))
        stopping.cancel()
        await asyncio.gather(stopping, settled, return_exceptions=True)
        await self._server.stop(None)

    def _register(self, services: Services) -> None:
        order_service_pb2_grpc.add_OrderServiceServicer_to_server(OrderService(services, self._drain), self._server)
        order_service_pb2_grpc.add_QuoteServiceServicer_to_server(QuoteService(services), self._server)
        order_service_pb2_grpc.add_TokenServiceServicer_to_server(TokenService(services), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        listed = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)  # v1 has no descriptor to describe it by
        reflecting = Reflection(listed, self._drain)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflecting, self._server)
        self._server.add_generic_rpc_handlers((reflecting.v1_handler(),))


async def serve(
    services: Services,
    *,
    host: str,
    port: int,
    drain_seconds: float,
    check_ready: CheckReady,
    on_ready: Callable[[int], None],
    stop: asyncio.Event | None = None,
    outermost: Sequence[grpc.aio.ServerInterceptor] = (),
    quotas: Quotas | None = None,
    max_connections: int = MAX_CONNECTIONS,
) -> None:
    """Serve until `stop` is set or SIGTERM or SIGINT arrives, then drain. `on_ready` is told the port.

    Raises:
        OSError: the port is in use, or the host is not of this machine.
    """
    stop = stop or asyncio.Event()
    server = ApiServer(services, check_ready, outermost=outermost, quotas=quotas, max_connections=max_connections)
    with _set_by_signals(stop):
        bound = await server.start(host, port)
        try:
            _log.info("grpc_listening", host=host, port=bound)
            on_ready(bound)
            await stop.wait()
        finally:
            _log.info("grpc_draining", drain_seconds=drain_seconds)
            await server.stop(drain_seconds)
            _log.info("grpc_stopped")


@contextmanager
def _set_by_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
