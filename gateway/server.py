"""The bridge as a process: one uvicorn server, tuned and bounded."""

import resource
import signal
import socket
from types import FrameType
from typing import Final

import structlog
import uvicorn

from gateway.app import Gateway, create_app
from gateway.logs import configure_logs
from gateway.protocol import AbortableHttpProtocol, AbortableWebSocketProtocol
from gateway.settings import GatewaySettings

_PING_INTERVAL_SECONDS: Final = 30.0
_PONG_SECONDS: Final = 20.0
_MAX_MESSAGE_BYTES: Final = 64 * 1024


_log = structlog.get_logger()


class Server(uvicorn.Server):
    """Says where it listens once it does, and tells the bridge when it stops."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gateway.drain()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _log.info("gateway_listening", host=self.config.host, port=self.port)

    @property
    def port(self) -> int:
        """The port it listens on, also when any free one was asked for."""
        port: int = self.servers[0].sockets[0].getsockname()[1]
        return port


def make_server(settings: GatewaySettings) -> Server:
    """Return the server, not yet started."""
    gateway = create_app(settings)
    config = uvicorn.Config(
        gateway,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=AbortableHttpProtocol,
        ws=AbortableWebSocketProtocol,
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
    return Server(config, gateway)


def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish requests, close WebSockets with 1012, and return."""
    configure_logs(settings)
    _allow_many_connections()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignore)  # uvicorn raises the signal again once it has stopped
    make_server(settings).run()


def _allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _ignore(number: int, frame: FrameType | None) -> None:
    """Swallow a signal that was already obeyed."""
