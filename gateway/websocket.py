"""One WebSocket, from accepting it to closing it."""

from starlette.types import Message

from gateway.connection import send_within
from gateway.http import Request


class WebSocket:
    def __init__(self, request: Request, send_timeout_seconds: float) -> None:
        self._request = request
        self._seconds = send_timeout_seconds

    async def accept(self, subprotocol: str | None = None) -> None:
        accept: Message = {"type": "websocket.accept", "subprotocol": subprotocol, "headers": []}
        await send_within(self._request, accept, self._seconds)

    async def send_text(self, text: str) -> None:
        await send_within(self._request, {"type": "websocket.send", "text": text}, self._seconds)

    async def close(self, code: int, reason: str = "") -> None:
        await send_within(self._request, {"type": "websocket.close", "code": code, "reason": reason}, self._seconds)
