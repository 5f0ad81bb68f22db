"""uvicorn's protocols, able to drop a client that does not read.

Closing waits until everything written is taken, so a client that takes nothing would keep its connection for ever.
"""

from collections.abc import Callable
from typing import Final

from starlette.types import Scope
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

_EXTENSION: Final = "gateway.abort"


class AbortableHttpProtocol(HttpToolsProtocol):
    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        extensions: dict[str, dict[object, object]] = {_EXTENSION: {"abort": self.transport.abort}}
        self.scope["extensions"] = extensions


class AbortableWebSocketProtocol(WebSocketsSansIOProtocol):
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
