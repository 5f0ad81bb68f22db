"""The bridge as a process: one uvicorn server, tuned and bounded."""

import resource
import signal
import socket
import sys
from types import FrameType
from typing import Final

import structlog
import uvicorn

from gateway.app import Gateway, create_app
from gateway.client_address import Proxies
from gateway.connections import Connections
from gateway.logs import configure_logs
from gateway.metrics import GatewayMetrics, MeteredApp, new_registry
from gateway.metrics_server import MetricsServer
from gateway.protocol import counted_by
from gateway.settings import GatewaySettings

_PING_INTERVAL_SECONDS: Final = 30.0
_PONG_SECONDS: Final = 20.0
_MAX_MESSAGE_BYTES: Final = 64 * 1024


_log = structlog.get_logger()


class Server(uvicorn.Server):
    """Says where it listens once it does, and tells the bridge when it stops."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway, metrics: GatewayMetrics) -> None:
        super().__init__(config)
        self._gateway = gateway
        self.metrics = metrics
        self.metrics_server: MetricsServer | None = None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gateway.drain()
        await super().shutdown(sockets)
        if self.metrics_server is not None:
            self.metrics_server.stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.metrics_server is not None:
            await _started(self.metrics_server)
        await super().startup(sockets)
        _log.info("gateway_listening", host=self.config.host, port=self.port)

    @property
    def port(self) -> int:
        """The port it listens on, also when any free one was asked for."""
        port: int = self.servers[0].sockets[0].getsockname()[1]
        return port


def make_server(settings: GatewaySettings) -> Server:
    """Return the server, not yet started. It counts; what it counts is served by `metrics_server`, if given one."""
    metrics = GatewayMetrics(new_registry())
    gateway = create_app(settings, metrics)
    http, websocket = counted_by(
        Connections(
            at_most=settings.max_connections,
            per_client=settings.max_connections_per_client,
            proxies=Proxies(settings.trusted_proxies),
        )
    )
    config = uvicorn.Config(
        MeteredApp(gateway, metrics),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=http,
        ws=websocket,
        ws_max_size=_MAX_MESSAGE_BYTES,
        ws_ping_interval=_PING_INTERVAL_SECONDS,
        ws_ping_timeout=_PONG_SECONDS,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
    )
    return Server(config, gateway, metrics)


def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish requests, close WebSockets with 1012, and return."""
    configure_logs(settings)
    _allow_many_connections()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignore)  # uvicorn raises the signal again once it has stopped
    server = make_server(settings)
    server.metrics_server = MetricsServer(settings, server.metrics.registry)
    server.run()


async def _started(server: MetricsServer) -> None:
    try:
        await server.start()
    except OSError as error:
        _log.error("metrics_not_served", error=str(error))
        sys.exit(1)


def _allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _ignore(number: int, frame: FrameType | None) -> None:
    """Swallow a signal that was already obeyed."""
