"""Every RPC of the proto over HTTP, by the routes the proto declares."""

from collections.abc import Sequence
from functools import partial

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import Message
from grpc.aio import AioRpcError, Channel

from gateway.connection import while_connected
from gateway.http import HttpError, Reply, Request
from gateway.routes import Rule, rules_of
from gateway.routing import WEBSOCKET, Route, route
from gateway.settings import GatewaySettings
from gateway.stream import Call, Feed, refuse_websocket, speak_http, speak_websocket
from gateway.transcode import deadline_of, error_reply, invalid, metadata_of, request_message, response_json
from gateway.upstream import EngineAway, Upstream
from gateway.websocket import WebSocket

_CURSOR_PARAMETER = "after_sequence"
_BEARER = "Bearer"


class RpcBridge:
    def __init__(self, settings: GatewaySettings, upstream: Upstream, file: FileDescriptor) -> None:
        self._settings = settings
        self._upstream = upstream
        self._file = file
        self._http_feeds: set[Feed] = set()
        self._first_segments = [rule.path.split("/", 2)[1:2] for rule in rules_of(file)]

    @property
    def routes(self) -> Sequence[Route]:
        routes: list[Route] = []
        for rule in rules_of(self._file):
            if rule.rpc.server_streaming:
                routes.append(route(WEBSOCKET, rule.path, partial(self._websocket, rule)))
                routes.append(route(rule.http_method, rule.path, partial(self._http_stream, rule)))
            else:
                routes.append(route(rule.http_method, rule.path, partial(self._unary, rule)))
        return routes

    def speaks_for(self, path: str) -> bool:
        """Say whether a path is of the RPCs' part of the tree, also when none is there."""
        return path.split("/", 2)[1:2] in self._first_segments

    def drain(self) -> None:
        """End the HTTP streams: their clients come again elsewhere. The server closes WebSockets by itself."""
        for feed in self._http_feeds:
            feed.drain()

    async def _unary(self, rule: Rule, request: Request) -> Reply:
        message = await request_message(rule, request)
        metadata = metadata_of(request)
        seconds = deadline_of(request, self._settings.grpc_timeout_seconds)
        try:
            channel = await self._upstream.unary_channel()
            call = channel.unary_unary(
                rule.grpc_path,
                request_serializer=rule.request.SerializeToString,
                response_deserializer=rule.response.FromString,
            )
            return Reply(200, response_json(await call(message, timeout=seconds, metadata=metadata)))
        except AioRpcError as error:
            return error_reply(error)
        except EngineAway:
            return _away()

    async def _http_stream(self, rule: Rule, request: Request) -> None:
        feed = Feed(await self._open(rule, request, self._upstream.stream_channel()))
        self._http_feeds.add(feed)
        try:
            await while_connected(request, speak_http(request, feed, self._settings.send_timeout_seconds))
        finally:
            feed.close()
            self._http_feeds.discard(feed)

    async def _websocket(self, rule: Rule, request: Request) -> None:
        offered: list[str] = request.scope.get("subprotocols", [])
        with_token = len(offered) == 2 and offered[0] == _BEARER
        socket = WebSocket(request, self._settings.send_timeout_seconds)
        await socket.accept(_BEARER if with_token else None)
        try:
            token = offered[1] if with_token else None
            feed = Feed(await self._open(rule, request, self._upstream.stream_channel(), token))
        except HttpError as error:
            await refuse_websocket(socket, error.reply.status, error.reply.payload)
            return
        try:
            await while_connected(request, speak_websocket(socket, feed))
        finally:
            feed.close()

    async def _open(self, rule: Rule, request: Request, channel: Channel, token: str | None = None) -> Call:
        message = await request_message(rule, request)
        _resume(message, request)
        call = channel.unary_stream(
            rule.grpc_path,
            request_serializer=rule.request.SerializeToString,
            response_deserializer=rule.response.FromString,
        )
        opened = call(message, timeout=deadline_of(request, None), metadata=metadata_of(request, token))
        return self._upstream.metrics.followed(rule.grpc_path, opened)


def _resume(message: Message, request: Request) -> None:
    """Continue where an EventSource lost its connection."""
    last = request.headers(b"last-event-id")
    if last and _CURSOR_PARAMETER in message.DESCRIPTOR.fields_by_name:
        if not (last[0].isascii() and last[0].isdigit() and len(last[0]) < 20):
            raise invalid("Last-Event-ID: must be a sequence")
        setattr(message, _CURSOR_PARAMETER, int(last[0]))


def _away() -> Reply:
    return Reply(
        503,
        {"code": 14, "message": "the order engine is not available, try again", "details": []},
        {"retry-after": "1"},
    )
