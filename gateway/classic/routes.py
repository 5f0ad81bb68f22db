"""The classic HTTP API's doors."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import grpc
from grpc.aio import AioRpcError

from gateway.classic.frames import iso_datetime
from gateway.classic.order_facts import OrderFactsCache
from gateway.classic.order_form import OrderForm, parse_order, parse_request_id
from gateway.classic.order_view import order_view
from gateway.classic.stream import OrderStream
from gateway.classic.tokens import TokenDirectory
from gateway.http import HttpError, Reply, Request, bad_request
from gateway.http_status import AWAY, Refusal, refusal_of
from gateway.routing import WEBSOCKET, Route, route
from gateway.settings import GatewaySettings
from gateway.upstream import EngineAway, Upstream
from protos.order_engine.v1.order_service_pb2 import ORDER_TYPE_MARKET, SubmitOrderRequest, Token

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FIELD_NAMES: Final = {
    "request_id": "Idempotency-Key",
    "order_type": "orderType",
    "token_in": "tokenIn",
    "token_out": "tokenOut",
    "amount_in": "amountIn",
    "slippage_bps": "slippage",
}


class ClassicApi:
    def __init__(self, settings: GatewaySettings, upstream: Upstream) -> None:
        self._upstream = upstream
        self._tokens = TokenDirectory(upstream)
        self._facts = OrderFactsCache(upstream, self._tokens)
        self._stream = OrderStream(settings, upstream, self._facts)

    @property
    def routes(self) -> Sequence[Route]:
        return (
            route("POST", "/api/orders/execute", self.execute),
            route("GET", "/api/health", self.health),
            route("GET", "/api/orders/{orderId}", self.get),
            route("GET", "/api/orders/{orderId}/stream", self.stream_without_upgrade),
            route(WEBSOCKET, "/api/orders/{orderId}/stream", self.stream),
        )

    async def execute(self, request: Request) -> Reply:
        """Place an order."""
        request_id = parse_request_id(request.headers(b"idempotency-key"))
        form = parse_order(await request.body())
        try:
            token_in, token_out = await self._existing_tokens(form)
            order = await self._upstream.submit_order(
                SubmitOrderRequest(
                    request_id=request_id,
                    order_type=ORDER_TYPE_MARKET,
                    token_in=token_in.mint,
                    token_out=token_out.mint,
                    amount_in=form.base_units(token_in.decimals),
                    slippage_bps=form.slippage_bps,
                )
            )
        except (AioRpcError, EngineAway) as error:
            raise _refused(error, "Failed to create order") from error
        self._facts.remember(order, token_in, token_out)
        return Reply(
            201,
            {
                "orderId": order.order_id,
                "message": "Order created successfully",
                "websocketUrl": f"/api/orders/{order.order_id}/stream",
                "instructions": "Connect to WebSocket URL to receive real-time status updates",
            },
        )

    async def get(self, request: Request) -> Reply:
        try:
            order = await self._upstream.get_order(_order_id(request))
            return Reply(200, order_view(order, await self._facts.of_order(order)))
        except (AioRpcError, EngineAway) as error:
            raise _order_refused(error) from error

    async def health(self, _: Request) -> Reply:
        serving = await self._upstream.health() == "SERVING"
        payload = {
            "status": "ok" if serving else "degraded",
            "timestamp": iso_datetime(datetime.now(UTC)),
            "queue": {"activeConnections": self._stream.active},
        }
        return Reply(200 if serving else 503, payload)

    async def stream(self, request: Request) -> None:
        try:
            await self._stream.serve(request, _order_id(request))
        except (AioRpcError, EngineAway) as error:
            raise _order_refused(error) from error

    async def stream_without_upgrade(self, _: Request) -> Reply:
        headers = {"upgrade": "websocket", "connection": "upgrade"}
        return Reply(426, {"error": "Connect with a WebSocket"}, headers)

    async def _existing_tokens(self, form: OrderForm) -> tuple[Token, Token]:
        found = await asyncio.gather(self._tokens.find(form.token_in), self._tokens.find(form.token_out))
        token_in, token_out = _existing("tokenIn", found[0]), _existing("tokenOut", found[1])
        if token_in.mint == token_out.mint:
            raise bad_request("tokenOut: must differ from tokenIn")
        return token_in, token_out


def _existing(name: str, token: Token | None) -> Token:
    if token is None:
        raise bad_request(f"{name}: unknown token")
    return token


def _order_id(request: Request) -> str:
    text = request.params["orderId"]
    if not _UUID.fullmatch(text):
        raise _not_found()
    return str(UUID(text))


def _not_found() -> HttpError:
    return HttpError(404, {"error": "Order not found"})


def _order_refused(error: AioRpcError | EngineAway) -> HttpError:
    if isinstance(error, AioRpcError) and error.code() in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT}:
        return _not_found()
    return _refused(error, "Failed to read order")


def _refused(error: AioRpcError | EngineAway, what_failed: str) -> HttpError:
    """Translate an RPC error. What a client did wrong names the field; what we did wrong says no more than that."""
    refusal = AWAY if isinstance(error, EngineAway) else refusal_of(error)
    if refusal.status >= 500:
        details = refusal.message
        if "correlation_id" in refusal.metadata:
            details += f" (correlation id {refusal.metadata['correlation_id']})"
        return HttpError(refusal.status, {"error": what_failed, "details": details}, refusal.headers)
    if refusal.status == 409:
        return HttpError(409, {"error": "Idempotency-Key was already used for another order"})
    status = 400 if refusal.status == 404 else refusal.status  # no such token: the order itself is wrong
    return HttpError(status, {"error": _named(refusal)}, refusal.headers)


def _named(refusal: Refusal) -> str:
    named = [f"{_FIELD_NAMES.get(field, field)}: {description}" for field, description in refusal.violations]
    return "; ".join(named) or refusal.message
