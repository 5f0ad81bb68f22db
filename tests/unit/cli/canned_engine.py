# ruff: noqa: N802 - methods are named as their RPCs
"""The contract served from memory: every answer is given by the test, every request is kept for it."""

from collections.abc import Iterator
from concurrent import futures
from types import TracebackType
from typing import NoReturn, Self

import grpc
from google.protobuf.any_pb2 import Any as PackedMessage
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc

SOL, USDC = "So11111111111111111111111111111111111111112", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
UNLISTED = "7GCihgDB8fe6KNjn2MYtkzZcRjQy3t9GHdC8uHYmW2hr"
TOKENS = {
    "SOL": pb.Token(mint=SOL, symbol="SOL", decimals=9),
    "USDC": pb.Token(mint=USDC, symbol="USDC", decimals=6),
    UNLISTED: pb.Token(mint=UNLISTED, decimals=2),
}
ORDER_ID = "01a20320-847f-7950-a6b8-e9803a646e18"
MADE = 1_795_348_800


def order(**fields: object) -> pb.Order:
    terms: dict[str, object] = {
        "order_id": ORDER_ID,
        "token_in": SOL,
        "token_out": USDC,
        "amount_in": 1_500_000_000,
        "slippage_bps": 50,
        "status": pb.ORDER_STATUS_PENDING,
        "max_attempts": 3,
        "sequence": 1,
        "create_time": Timestamp(seconds=MADE),
        **fields,
    }
    return pb.Order(**terms)  # type: ignore[arg-type]


def update(sequence: int, status: pb.OrderStatus.ValueType, **detail: object) -> pb.OrderStatusUpdate:
    at = Timestamp(seconds=MADE + sequence - 1)
    fields: dict[str, object] = {"order_id": ORDER_ID, "attempt": 1, **detail}
    return pb.OrderStatusUpdate(sequence=sequence, status=status, event_time=at, **fields)  # type: ignore[arg-type]


def route(venue: str, amount_out: int) -> pb.Route:
    leg = pb.RouteLeg(venue=venue, pool="7JuwJuNU88gurFnyWeiyGKbFmExMWcmRZntn9imEzdny", fee_token=SOL, fee_amount=2_500)
    return pb.Route(legs=[leg], amount_out=amount_out, min_amount_out=amount_out - 1, price_impact_bps=3, slot=7)


CANDIDATES = [
    pb.Candidate(route=route("raydium_cpmm", 150_000_000), chosen=True, net_amount_out=149_999_000),
    pb.Candidate(route=route("meteora_damm_v2", 148_500_000), net_amount_out=148_499_010),
    pb.Candidate(
        route=pb.Route(legs=[pb.RouteLeg(venue="raydium_clmm")]), reject_reason="VENUE_UNAVAILABLE: no answer in 250 ms"
    ),
]
LIFE = [
    update(1, pb.ORDER_STATUS_PENDING, attempt=0),
    update(2, pb.ORDER_STATUS_ROUTING),
    update(3, pb.ORDER_STATUS_BUILDING, route=route("raydium_cpmm", 150_000_000)),
    update(
        4,
        pb.ORDER_STATUS_SUBMITTED,
        transaction=pb.SubmittedTransaction(signature="5igSigSig", last_valid_block_height=1154),
    ),
    update(
        5,
        pb.ORDER_STATUS_CONFIRMED,
        fill=pb.Fill(signature="5igSigSig", slot=9, amount_in=1_500_000_000, amount_out=150_000_001, fee_lamports=7000),
    ),
]
FAILURE = pb.Failure(reason="INSUFFICIENT_FUNDS", message="the wallet holds 1, the order needs 2")
FAILED_LIFE = [*LIFE[:2], update(3, pb.ORDER_STATUS_FAILED, failure=FAILURE)]


class CannedEngine(rpc.OrderServiceServicer, rpc.QuoteServiceServicer, rpc.TokenServiceServicer):
    def __init__(self) -> None:
        self.life = LIFE
        self.terms: dict[str, object] = {}  # of the orders it tells of
        self.candidates = CANDIDATES
        self.break_after: int | None = None  # the stream is cut once, after this sequence
        self.cancel_verdict: pb.CancelVerdict.ValueType = pb.CANCEL_VERDICT_CANCELLED
        self.known_orders: list[pb.Order] = []
        self.refusal: tuple[grpc.StatusCode, str, list[Message]] | None = None
        self.requests: list[Message] = []
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
        rpc.add_OrderServiceServicer_to_server(self, self._server)
        rpc.add_QuoteServiceServicer_to_server(self, self._server)
        rpc.add_TokenServiceServicer_to_server(self, self._server)
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(None).wait()

    def asked(self, kind: type[Message]) -> list[Message]:
        return [request for request in self.requests if isinstance(request, kind)]

    def SubmitOrder(self, request: pb.SubmitOrderRequest, context: grpc.ServicerContext) -> pb.SubmitOrderResponse:
        self._note(request, context)
        return pb.SubmitOrderResponse(order_id=ORDER_ID, order=order(**{"amount_in": request.amount_in, **self.terms}))

    def GetOrder(self, request: pb.GetOrderRequest, context: grpc.ServicerContext) -> pb.Order:
        self._note(request, context)
        return order(status=self.life[-1].status, sequence=len(self.life), **self.terms)

    def ListOrders(self, request: pb.ListOrdersRequest, context: grpc.ServicerContext) -> pb.ListOrdersResponse:
        self._note(request, context)
        start = int(request.page_token or 0)
        end = start + request.page_size
        more = str(end) if end < len(self.known_orders) else ""
        return pb.ListOrdersResponse(orders=self.known_orders[start:end], next_page_token=more)

    def CancelOrder(self, request: pb.CancelOrderRequest, context: grpc.ServicerContext) -> pb.CancelOrderResponse:
        self._note(request, context)
        return pb.CancelOrderResponse(
            verdict=self.cancel_verdict, decided_by_block_height=1187, order=order(status=self.life[-1].status)
        )

    def StreamOrderStatus(
        self, request: pb.StreamOrderStatusRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.OrderStatusUpdate]:
        self._note(request, context)
        for one in self.life[request.after_sequence :]:
            yield one
            if self.break_after == one.sequence:
                self.break_after = None
                context.abort(grpc.StatusCode.UNAVAILABLE, "draining")

    def ExplainOrder(self, request: pb.ExplainOrderRequest, context: grpc.ServicerContext) -> pb.ExplainOrderResponse:
        self._note(request, context)
        attempt = pb.Attempt(
            number=1, start_time=Timestamp(seconds=MADE + 1), candidates=self.candidates, signature="5igSigSig"
        )
        ended = order(status=self.life[-1].status, **self.terms)
        return pb.ExplainOrderResponse(order=ended, attempts=[attempt], updates=self.life)

    def GetQuote(self, request: pb.GetQuoteRequest, context: grpc.ServicerContext) -> pb.GetQuoteResponse:
        self._note(request, context)
        chosen = next((one.route for one in self.candidates if one.chosen), None)
        return pb.GetQuoteResponse(route=chosen, candidates=self.candidates, slot=9)

    def GetToken(self, request: pb.GetTokenRequest, context: grpc.ServicerContext) -> pb.Token:
        known = {name: token for token in TOKENS.values() for name in (token.symbol, token.mint) if name}
        if request.token not in known:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no mint {request.token}")
        return known[request.token]

    def ListTokens(self, request: pb.ListTokensRequest, context: grpc.ServicerContext) -> pb.ListTokensResponse:
        return pb.ListTokensResponse(tokens=TOKENS.values())

    def _note(self, request: Message, context: grpc.ServicerContext) -> None:
        self.requests.append(request)
        if self.refusal is not None:
            _refuse(context, *self.refusal)


def _refuse(context: grpc.ServicerContext, code: grpc.StatusCode, message: str, details: list[Message]) -> NoReturn:
    packed = []
    for detail in details:
        packed.append(PackedMessage())
        packed[-1].Pack(detail)
    status = status_pb2.Status(code=code.value[0], message=message, details=packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)


def bad_request(**fields: str) -> Message:
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field=field, description=why) for field, why in fields.items()
    ]
    message: Message = error_details_pb2.BadRequest(field_violations=violations)
    return message
