"""HTTP in front of JSON-RPC, and the faults that belong to a connection: 429, replies cut short, a lagging node."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Final, TypeAlias

from order_engine.papernet.network import Network
from order_engine.papernet.rpc.dispatch import Call
from order_engine.papernet.rpc.view import Node

MAX_BODY_BYTES: Final = 2**20
_TOO_MANY: Final = b'{"jsonrpc":"2.0","error":{"code":429,"message":"Too many requests for this node"},"id":null}'
_JSON, _TEXT = b"application/json", b"text/plain; charset=utf-8"

Message: TypeAlias = MutableMapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class BodyTooLarge(Exception):
    pass


class ClientGone(Exception):
    pass


class PapernetApp:
    """The ASGI application."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "GET" and scope["path"] == "/health":
            await _reply(send, 200, b"ok", _TEXT)
            return
        if scope["method"] != "POST":
            await _reply(send, 405, b"Used HTTP Method is not allowed. POST is required\n", _TEXT)
            return
        try:
            body = await _read(receive)
        except BodyTooLarge:
            await _reply(send, 413, b"request body too large\n", _TEXT)
        except ClientGone:
            return
        else:
            status, reply = self._answer(body)
            await _reply(send, status, reply, _JSON)

    def _answer(self, body: bytes) -> tuple[int, bytes]:
        call, faults = Call.parse(body), self._network.faults
        if call.is_control:
            return 200, call.answer(Node(self._network, 0))
        request = faults.next_request()
        if faults.is_throttled(request):
            return 429, _TOO_MANY
        reply = call.answer(Node(self._network, faults.lag(request)))
        return 200, reply[: len(reply) // 2] if faults.is_malformed(request) else reply


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        body += chunk if isinstance(chunk, bytes) else b""
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        if not message.get("more_body", False):
            return bytes(body)


async def _reply(send: Send, status: int, body: bytes, content_type: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
