"""The few HTTP things the bridge needs, straight on ASGI: a request with a bounded body, a JSON reply, a refusal."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson
from starlette.types import Receive, Scope, Send

MAX_BODY_BYTES: Final = 64 * 1024
BODY_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete JSON answer."""

    status: int
    payload: object
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpError(Exception):
    """Ends a request with a reply, and a WebSocket handshake with the same reply instead of an upgrade."""

    def __init__(self, status: int, payload: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.reply = Reply(status, payload, headers or {})


def bad_request(message: str) -> HttpError:
    return HttpError(400, {"error": message})


class ClientGone(Exception):
    """The client went away before it had sent its request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request or WebSocket handshake, matched to a route."""

    scope: Scope
    receive: Receive
    send: Send
    params: Mapping[str, str]

    def headers(self, name: bytes) -> list[str]:
        """Return every value of a header, `name` in lower case."""
        return headers_of(self.scope, name)

    async def body(self) -> bytes:
        """Return the whole body.

        Raises:
            HttpError: it is longer than 64 KiB (400), or not here after ten seconds (408).
            ClientGone.
        """
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._read()
        except TimeoutError:
            raise HttpError(408, {"error": "body: not received in time"}, {"connection": "close"}) from None

    async def _read(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise bad_request(f"body: larger than {MAX_BODY_BYTES} bytes")
            chunks.append(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks)


def headers_of(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


async def send_reply(scope: Scope, send: Send, reply: Reply) -> None:
    """Answer an HTTP request, or refuse a WebSocket handshake."""
    body = b"" if reply.payload is None else orjson.dumps(reply.payload)
    prefix = "websocket.http" if scope["type"] == "websocket" else "http"
    headers = dict(reply.headers)
    if reply.payload is not None:
        headers["content-length"] = str(len(body))
        headers["content-type"] = "application/json; charset=utf-8"
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": f"{prefix}.response.start", "status": reply.status, "headers": encoded})
    shown = b"" if scope.get("method") == "HEAD" else body
    await send({"type": f"{prefix}.response.body", "body": shown, "more_body": False})
