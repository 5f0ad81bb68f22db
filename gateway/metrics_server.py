"""GET /metrics: a few lines of HTTP on a port of its own, bounded in connections, time and size."""

import asyncio
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from gateway.settings import GatewaySettings

_REQUEST_BYTES: Final = 16 * 1024
_CONNECTIONS: Final = 16
_SECONDS: Final = 10.0  # from connecting to the last byte taken

_log = structlog.get_logger()


class MetricsServer:
    def __init__(self, settings: GatewaySettings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._registry = registry
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen, unless it is switched off.

        Raises:
            OSError: METRICS_PORT cannot be had, and it is required; otherwise that is a warning in the log.
        """
        host, port, required = self._settings.host, *self._settings.metrics_listener
        if port < 0:
            return
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=_REQUEST_BYTES)
        except OSError as error:
            if required:
                raise OSError(error.errno, f"METRICS_PORT: cannot listen on {host}:{port}: is it in use?") from error
            _log.warning("metrics_not_served", host=host, port=port, error=str(error))
        else:
            _log.info("metrics_served", host=host, port=self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(writer)
        writer.transport.set_write_buffer_limits(high=0)  # drained means taken: what is not taken in time is dropped
        try:
            async with asyncio.timeout(_SECONDS):
                writer.write(self._reply(await reader.readuntil(b"\r\n\r\n")))
                await writer.drain()
            writer.close()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            self._open.discard(writer)

    def _reply(self, head: bytes) -> bytes:
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, _, target = request_line.partition(" ")
        if target.split(" ")[0].split("?")[0] != "/metrics":
            return _http("404 Not Found", "text/plain", b"/metrics is here\n")
        if method not in {"GET", "HEAD"}:
            return _http("405 Method Not Allowed", "text/plain", b"")
        encode, content_type = choose_encoder(_accepted(lines))
        return _http("200 OK", content_type, encode(self._registry), shown=method == "GET")


def _accepted(lines: list[str]) -> str:
    headers = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in headers if name.lower() == "accept"), "")


def _http(status: str, content_type: str, body: bytes, *, shown: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (body if shown else b"")
