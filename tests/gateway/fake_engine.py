"""An engine that speaks the real gRPC contract and lives the orders a test scripts for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import cast
from uuid import uuid4

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_status import rpc_status

from protos.order_engine.v1.order_service_pb2 import (
    ORDER_TYPE_MARKET,
    GetOrderRequest,
    GetQuoteRequest,
    GetQuoteResponse,
    GetTokenRequest,
    Order,
    OrderStatusUpdate,
    StreamOrderStatusRequest,
    SubmitOrderRequest,
    SubmitOrderResponse,
    Token,
)
from protos.order_engine.v1.order_service_pb2_grpc import (
    OrderServiceServicer,
    QuoteServiceServicer,
    TokenServiceServicer,
    add_OrderServiceServicer_to_server,
    add_QuoteServiceServicer_to_server,
    add_TokenServiceServicer_to_server,
)
from tests.gateway.lives import FIRST_SECOND, SOL, SUCCESS, TOKENS, USDC, Life, Step, two_hops

_TERMS = ("swap_mode", "amount_out", "max_price_impact_bps", "max_total_fee_lamports", "max_quote_age_slots")


class FakeEngine(OrderServiceServicer, QuoteServiceServicer, TokenServiceServicer):
    """Starts on a free port; can be stopped and started again on it."""

    def __init__(self) -> None:
        self.lives: dict[str, Life] = {}
        self.next_life: Sequence[Step] = SUCCESS
        self.submitted: list[SubmitOrderRequest] = []
        self.quoted: list[GetQuoteRequest] = []
        self.resumed_after: list[int] = []
        self.asked_tokens: list[str] = []
        self.asked_orders: list[str] = []
        self.metadata: dict[str, str] = {}  # of the last order read or watched
        self.deaf = False
        self.open_streams = 0
        self.stream_closed = asyncio.Event()
        self.refuse_submit: grpc.Status | None = None
        self.refuse_stream: grpc.Status | None = None
        self.break_stream_after: int | None = None
        self.break_with = refusal(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
        self.port = 0
        self._server: grpc.aio.Server | None = None
        self._health: health.HealthServicer | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        add_OrderServiceServicer_to_server(self, self._server)
        add_QuoteServiceServicer_to_server(self, self._server)
        add_TokenServiceServicer_to_server(self, self._server)
        self._health = health.HealthServicer()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        add_HealthServicer_to_server(self._health, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    async def set_serving(self, serving: bool) -> None:
        assert self._health is not None
        names = health_pb2.HealthCheckResponse
        await self._health.set("", names.SERVING if serving else names.NOT_SERVING)

    def place(
        self, steps: Sequence[Step], token_in: str = SOL, token_out: str = USDC, amount_in: int = 1_000_000_000
    ) -> Life:
        order = Order(
            order_id=str(uuid4()),
            order_type=ORDER_TYPE_MARKET,
            token_in=token_in,
            token_out=token_out,
            amount_in=amount_in,
            slippage_bps=100,
            max_attempts=3,
        )
        order.create_time.CopyFrom(Timestamp(seconds=FIRST_SECOND, nanos=250_000_000))
        life = self.lives[order.order_id] = Life(order, steps)
        return life

    async def SubmitOrder(  # noqa: N802
        self, request: SubmitOrderRequest, context: grpc.ServicerContext
    ) -> SubmitOrderResponse:
        if self.refuse_submit is not None:
            await _abort(context, self.refuse_submit)
        first = next(
            (sent for sent in self.submitted if sent.request_id and sent.request_id == request.request_id), None
        )
        if first is not None and first != request:
            await _abort(context, refusal(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"))
        self.submitted.append(request)
        if first is not None:
            order = list(self.lives.values())[self.submitted.index(first)].order
        else:
            order = self.place(self.next_life, request.token_in, request.token_out, request.amount_in).order
            for field, value in request.ListFields():
                if field.name in _TERMS:
                    setattr(order, field.name, value)
        return SubmitOrderResponse(order_id=order.order_id, order=order)

    async def GetQuote(self, request: GetQuoteRequest, context: grpc.ServicerContext) -> GetQuoteResponse:  # noqa: N802
        self.quoted.append(request)
        return GetQuoteResponse(route=two_hops(), slot=2**64 - 1)

    async def GetOrder(self, request: GetOrderRequest, context: grpc.ServicerContext) -> Order:  # noqa: N802
        self.asked_orders.append(request.order_id)
        self.metadata = _metadata(context)
        if self.deaf:
            await asyncio.Future[None]()
        life = self.lives.get(request.order_id)
        if life is None:
            await _abort(context, refusal(grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND"))
        assert life is not None
        return life.order

    async def StreamOrderStatus(  # noqa: N802
        self, request: StreamOrderStatusRequest, context: grpc.ServicerContext
    ) -> AsyncIterator[OrderStatusUpdate]:
        self.resumed_after.append(request.after_sequence)
        self.metadata = _metadata(context)
        self.open_streams += 1
        try:
            if self.refuse_stream is not None:
                await _abort(context, self.refuse_stream)
            life = self.lives.get(request.order_id)
            if life is None:
                await _abort(context, refusal(grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND"))
            assert life is not None
            async for update in self._tell(life, request.after_sequence):
                yield update
                if self.break_stream_after == update.sequence:
                    self.break_stream_after = None
                    await _abort(context, self.break_with)
        finally:
            self.open_streams -= 1
            self.stream_closed.set()

    async def _tell(self, life: Life, after: int) -> AsyncIterator[OrderStatusUpdate]:
        while True:
            changed = life.changed
            for update in life.updates[after:]:
                after = update.sequence
                yield update
            if life.over:
                return
            await changed.wait()

    async def GetToken(self, request: GetTokenRequest, context: grpc.ServicerContext) -> Token:  # noqa: N802
        self.asked_tokens.append(request.token)
        for token in TOKENS:
            if request.token in (token.mint, token.symbol):
                return token
        await _abort(context, refusal(grpc.StatusCode.NOT_FOUND, "TOKEN_NOT_FOUND"))
        raise AssertionError


def refusal(code: grpc.StatusCode, reason: str, *details: Message, **metadata: str) -> grpc.Status:
    """Return an error as the engine raises it: a google.rpc.Status with one ErrorInfo."""
    info = error_details_pb2.ErrorInfo(reason=reason, domain="order-engine", metadata=metadata)
    packed = []
    for detail in (info, *details):
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    number = cast(int, code_pb2.Code.Value(code.name))
    return rpc_status.to_status(status_pb2.Status(code=number, message=f"{reason} by the engine", details=packed))


def _metadata(context: grpc.ServicerContext) -> dict[str, str]:
    return {key: str(value) for key, value in context.invocation_metadata()}


async def _abort(context: grpc.ServicerContext, status: grpc.Status) -> None:
    await cast(grpc.aio.ServicerContext, context).abort(status.code, status.details, status.trailing_metadata)
