"""uvicorn's protocols, bounded, and able to drop a client that does not read.

Closing waits until everything written is taken, so a client that takes nothing would keep its connection for ever.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import orjson
from starlette.types import Scope
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from gateway.connections import Connections

MAX_HEAD_BYTES: Final = 64 * 1024
HEAD_SECONDS: Final = 10.0
_EXTENSION: Final = "gateway.abort"
_TOO_MANY: Final = {
    429: ("Too Many Requests", "too many connections from this address"),
    503: ("Service Unavailable", "too many connections"),
}


class AbortableHttpProtocol(HttpToolsProtocol):
    """Bounds what comes before a request's body, which uvicorn leaves unbounded in size and in time."""

    counted: Connections
    _refused = False
    _in_head = True
    _message_ended = False  # in the data received last
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._unanswered: list[RequestResponseCycle] = []
        refused = self.counted.take(transport)
        if refused is not None:
            self._refused = True
            self._refuse(refused, *_TOO_MANY[refused])
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_done()
        self._answer_nobody()
        self.counted.give_back(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head and self._head_timer is None:
            self._expect_head()  # of the next request on a connection that was kept alive
        self._message_ended = False
        super().data_received(data)
        if not self._in_head or self._message_ended:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, "Request Header Fields Too Large", f"head: larger than {MAX_HEAD_BYTES} bytes")

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = self._message_ended = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_done()
        super().on_headers_complete()
        extensions: dict[str, dict[object, object]] = {_EXTENSION: {"abort": self.transport.abort}}
        self.scope["extensions"] = extensions
        if self.cycle is not None:
            self._unanswered = [cycle for cycle in self._unanswered if not cycle.response_complete] + [self.cycle]

    def eof_received(self) -> None:
        self._answer_nobody()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "Bad Request", msg)

    def _expect_head(self) -> None:
        self._head_timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.transport.abort)

    def _head_done(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._head_timer, self._head_bytes = None, 0

    def _answer_nobody(self) -> None:
        """Drop all answers, those to pipelined requests too: the transport is about to take nothing more.

        uvicorn notices a turn later, and only for the last request; until then it writes, which fails loudly.
        """
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()

    def _refuse(self, status: int, phrase: str, message: str) -> None:
        self._head_done()
        self._answer_nobody()
        body = orjson.dumps({"error": message})
        head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json; charset=utf-8\r\n"
        head += "retry-after: 1\r\n" if status in _TOO_MANY else ""
        self.transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self.transport.close()


class AbortableWebSocketProtocol(WebSocketsSansIOProtocol):
    counted: Connections  # this one has been, before it became a WebSocket

    def connection_lost(self, exc: Exception | None) -> None:
        self.counted.give_back(self.transport)
        super().connection_lost(exc)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.handshake_initiated and not self.handshake_complete:
            extensions = self.scope["extensions"]
            if extensions is not None:
                extensions[_EXTENSION] = {"abort": self.transport.abort}

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True  # refused in full: else uvicorn reports an application that forgot to answer

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()


def abort_of(scope: Scope) -> Callable[[], None] | None:
    """Return what drops the connection at once, when the server offers it."""
    abort: Callable[[], None] | None = scope.get("extensions", {}).get(_EXTENSION, {}).get("abort")
    return abort


def counted_by(connections: Connections) -> tuple[type[AbortableHttpProtocol], type[AbortableWebSocketProtocol]]:
    """Return the protocols of one server, for HTTP and for WebSocket."""

    class CountedHttp(AbortableHttpProtocol):
        pass

    class CountedWebSocket(AbortableWebSocketProtocol):
        pass

    CountedHttp.counted = CountedWebSocket.counted = connections
    return CountedHttp, CountedWebSocket
