"""GET /metrics: a few lines of HTTP on the process's own event loop, bounded in connections, time and size."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

OFF: Final = -1
_REQUEST_BYTES: Final = 16 * 1024
_CONNECTIONS: Final = 16
_SECONDS: Final = 10.0  # from connecting to the last byte taken

Refresh = Callable[[], Awaitable[None]]

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def serving_metrics(
    registry: CollectorRegistry, *, host: str, port: int, required: bool, refresh: Refresh | None = None
) -> AsyncIterator[int | None]:
    """Serve the registry while the context lasts; yields the port, None when it is not served.

    `refresh` is awaited before every answer. Port 0 is any free one, -1 none.

    Raises:
        OSError: the port cannot be had, and it is required; otherwise that is a warning in the log.
    """
    server = MetricsServer(registry, refresh)
    bound = None if port == OFF else await _started(server, host, port, required=required)
    try:
        yield bound
    finally:
        server.stop()


async def _started(server: "MetricsServer", host: str, port: int, *, required: bool) -> int | None:
    try:
        bound = await server.start(host, port)
    except OSError as error:
        if required:
            raise OSError(error.errno, f"METRICS_PORT: cannot listen on {host}:{port}: is it in use?") from error
        _log.warning("metrics_not_served", host=host, port=port, error=str(error))
        return None
    _log.info("metrics_served", host=host, port=bound)
    return bound


class MetricsServer:
    def __init__(self, registry: CollectorRegistry, refresh: Refresh | None = None) -> None:
        self._registry = registry
        self._refresh = refresh
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port.

        Raises:
            OSError: the port is in use, or the host is not of this machine.
        """
        self._server = await asyncio.start_server(self._serve, host, port, limit=_REQUEST_BYTES)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

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
                writer.write(await self._reply(await reader.readuntil(b"\r\n\r\n")))
                await writer.drain()
            writer.close()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            self._open.discard(writer)

    async def _reply(self, head: bytes) -> bytes:
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, _, target = request_line.partition(" ")
        if target.split(" ")[0].split("?")[0] != "/metrics":
            return _http("404 Not Found", "text/plain", b"/metrics is here\n")
        if method not in {"GET", "HEAD"}:
            return _http("405 Method Not Allowed", "text/plain", b"")
        if self._refresh is not None:
            await self._refresh()
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
