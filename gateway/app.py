"""The bridge as an ASGI application: find the handler, answer, and never let an exception become a client's problem."""

from typing import Final

import structlog
from starlette.types import Message, Receive, Scope, Send

from gateway.bridge import RpcBridge
from gateway.classic.routes import ClassicApi
from gateway.client_address import Proxies, asking_for
from gateway.connection import SlowReader
from gateway.health import HealthProbe
from gateway.http import ClientGone, HttpError, Reply, Request, send_reply
from gateway.metrics import GatewayMetrics
from gateway.origins import OriginPolicy
from gateway.pages import Pages
from gateway.routing import WEBSOCKET, Router, route
from gateway.settings import GatewaySettings
from gateway.transcode import as_rpc_refusal
from gateway.upstream import Upstream
from protos.order_engine.v1 import order_service_pb2

_BUG: Final = Reply(500, {"error": "Internal server error"})
_PREFLIGHT_SECONDS: Final = "600"

_log = structlog.get_logger()


def create_app(settings: GatewaySettings, metrics: GatewayMetrics) -> "Gateway":
    """Return the application. It opens its channels to the engine when the server starts it."""
    return Gateway(settings, metrics)


class Gateway:
    def __init__(self, settings: GatewaySettings, metrics: GatewayMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._proxies = Proxies(settings.trusted_proxies)
        self._origins = OriginPolicy(settings.origins)
        self._router = Router(())
        self._bridge: RpcBridge | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        with asking_for(self._proxies.client_of(scope)):
            if scope["type"] == "websocket":
                await self._websocket(scope, receive, send)
            else:
                await self._http(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        upstream = Upstream(self._settings, self._metrics)
        classic = ClassicApi(self._settings, upstream)
        self._bridge = RpcBridge(self._settings, upstream, order_service_pb2.DESCRIPTOR)
        pages = Pages(order_service_pb2.DESCRIPTOR)
        own = (
            route("GET", "/healthz", HealthProbe(upstream).check),
            route("GET", "/openapi.json", pages.openapi),
            route("GET", "/docs", pages.docs),
        )
        self._router = Router((*classic.routes, *self._bridge.routes, *own))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await upstream.close()
        await send({"type": "lifespan.shutdown.complete"})

    def drain(self) -> None:
        """End what would go on for ever."""
        if self._bridge is not None:
            self._bridge.drain()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            origin = self._origins.check(scope)
            send = _readable_by(origin, send) if origin is not None else send
            reply = await self._answer(scope, receive, send)
        except HttpError as error:
            reply = self._refusal(scope, error.reply)
        except (ClientGone, SlowReader):
            return
        except Exception:  # noqa: BLE001 - the outermost loop: a bug must answer, too
            _log.exception("request_crashed", method=scope["method"], path=scope["path"])
            reply = self._refusal(scope, _BUG)
        if reply is not None:
            await send_reply(scope, send, reply)

    def _refusal(self, scope: Scope, reply: Reply) -> Reply:
        """Give a refusal the shape that the asked part of the API documents."""
        is_rpc = self._bridge is not None and self._bridge.speaks_for(scope["path"])
        return as_rpc_refusal(reply) if is_rpc else reply

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        method, path = scope["method"], scope["path"]
        if method == "OPTIONS":
            return self._preflight(path)
        handler, params = self._router.match(method, path)
        return await handler(Request(scope, receive, send, params))

    def _preflight(self, path: str) -> Reply:
        methods = self._router.methods(path)
        if not methods:
            raise HttpError(404, {"error": "Not found"})
        headers = {
            "allow": ", ".join(methods),
            "access-control-allow-methods": ", ".join(methods),
            "access-control-allow-headers": "content-type, idempotency-key, authorization",
            "access-control-max-age": _PREFLIGHT_SECONDS,
        }
        return Reply(204, None, headers)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._origins.check(scope)
            handler, params = self._router.match(WEBSOCKET, scope["path"])
            await handler(Request(scope, receive, send, params))
        except HttpError as error:
            await send_reply(scope, send, self._refusal(scope, error.reply))
        except (SlowReader, OSError):
            _log.debug("client_gone", path=scope["path"])


def _readable_by(origin: str, send: Send) -> Send:
    """Let pages of an allowed origin read what is sent."""
    headers = [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return send_with_headers
