"""A server-streaming RPC over HTTP: WebSocket when upgraded, SSE when asked for, else lines of JSON."""

import asyncio
from typing import Final, cast

import orjson
from google.protobuf.message import Message
from grpc import StatusCode
from grpc.aio import EOF, AioRpcError, UnaryStreamCall

from gateway.connection import send_within
from gateway.http import Request, send_reply
from gateway.http_status import refusal_of
from gateway.transcode import error_json, error_reply, response_json
from gateway.websocket import WebSocket

Call = UnaryStreamCall[Message, Message]

_CLOSE_CODES: Final = {400: 4400, 401: 4401, 403: 4403, 404: 4404, 429: 4429, 503: 1012}
_INTERNAL: Final = 1011
_FIRST_SECONDS: Final = 1.0  # a refusal is here by then; a quiet stream is not waited for
_COMMENT_SECONDS: Final = 15.0
_DRAINED: Final = {"code": 14, "message": "the bridge is stopping, connect again", "details": []}


class Feed:
    """Reads a call with patience."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._reading: asyncio.Future[object] | None = None
        self.ended = False
        self.drained = False

    async def next(self, at_most: float | None = None) -> Message | None:
        """Return the next message. None when none came in time, or none will (`ended`).

        Raises:
            AioRpcError: the engine ended the stream with an error.
        """
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._call.read())
        await asyncio.wait({self._reading}, timeout=at_most)
        if not self._reading.done():
            return None
        reading, self._reading = self._reading, None
        message = EOF if reading.cancelled() else reading.result()
        if message is EOF:
            self.ended = True
            return None
        return cast(Message, message)

    def drain(self) -> None:
        """End the stream because the bridge is stopping."""
        self.drained = True
        self.close()

    def close(self) -> None:
        """Cancel the call: an abandoned one would live on."""
        self._call.cancel()
        if self._reading is not None:
            self._reading.cancel()


async def speak_websocket(socket: WebSocket, feed: Feed) -> None:
    """Send every frame, then close: 1000 after a good end, else an error frame and a code that says why."""
    try:
        while not feed.ended:
            message = await feed.next()
            if message is not None:
                await socket.send_text(_line("result", response_json(message)))
    except AioRpcError as error:
        await refuse_websocket(socket, refusal_of(error).status, error_json(error))
    else:
        await socket.close(1000)


async def refuse_websocket(socket: WebSocket, status: int, error: object) -> None:
    await socket.send_text(_line("error", error))
    await socket.close(_CLOSE_CODES.get(status, _INTERNAL))


async def speak_http(request: Request, feed: Feed, send_seconds: float) -> None:
    """Answer with server-sent events or lines of JSON. What is refused at once gets a plain HTTP error."""
    as_events = "text/event-stream" in ",".join(request.headers(b"accept"))
    try:
        message = await feed.next(_FIRST_SECONDS)
    except AioRpcError as error:
        await send_reply(request.scope, request.send, error_reply(error))
        return
    writer = _HttpWriter(request, send_seconds, as_events=as_events)
    if feed.ended and as_events:
        await writer.nothing_more()
        return
    await writer.start()
    await _write_on(writer, feed, message)
    await writer.end()


async def _write_on(writer: "_HttpWriter", feed: Feed, message: Message | None) -> None:
    try:
        while not feed.ended:
            if message is None:
                await writer.idle()
            else:
                await writer.result(message)
            message = await feed.next(_COMMENT_SECONDS)
        if feed.drained:
            await writer.error(_DRAINED)
    except AioRpcError as error:
        await writer.error(error_json(error), again=error.code() is StatusCode.UNAVAILABLE)


class _HttpWriter:
    def __init__(self, request: Request, send_seconds: float, *, as_events: bool) -> None:
        self._request = request
        self._seconds = send_seconds
        self._as_events = as_events

    async def nothing_more(self) -> None:
        """Tell an EventSource that is at the end not to come again."""
        await self._send({"type": "http.response.start", "status": 204, "headers": []})
        await self._body(b"", more=False)

    async def start(self) -> None:
        kind = b"text/event-stream" if self._as_events else b"application/x-ndjson"
        headers = [(b"content-type", kind), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def result(self, message: Message) -> None:
        line = _line("result", response_json(message))
        if self._as_events:
            cursor: int = getattr(message, "sequence", 0)
            line = f"id: {cursor}\ndata: {line}\n" if cursor else f"data: {line}\n"
        await self._body(f"{line}\n".encode())

    async def idle(self) -> None:
        if self._as_events:
            await self._body(b": waiting\n\n")

    async def error(self, error: object, *, again: bool = True) -> None:
        """Write the last frame. An EventSource comes again by itself, so it is told only what is final."""
        line = _line("error", error)
        if not self._as_events:
            await self._body(f"{line}\n".encode())
        elif not again:
            await self._body(f"data: {line}\n\n".encode())

    async def end(self) -> None:
        await self._body(b"", more=False)

    async def _body(self, body: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _send(self, message: dict[str, object]) -> None:
        await send_within(self._request, message, self._seconds)


def _line(kind: str, payload: object) -> str:
    return orjson.dumps({kind: payload}).decode()
