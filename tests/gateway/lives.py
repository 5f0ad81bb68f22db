"""The lives of orders, as an engine would tell them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from protos.order_engine.v1.order_service_pb2 import (
    ORDER_STATUS_BUILDING,
    ORDER_STATUS_CANCELLED,
    ORDER_STATUS_CONFIRMED,
    ORDER_STATUS_FAILED,
    ORDER_STATUS_PENDING,
    ORDER_STATUS_ROUTING,
    ORDER_STATUS_SUBMITTED,
    SWAP_MODE_EXACT_OUT,
    CancelRequested,
    Failure,
    Fill,
    Order,
    OrderStatusUpdate,
    Retry,
    Route,
    RouteLeg,
    SubmittedTransaction,
    Token,
)

SOL: Final = "So11111111111111111111111111111111111111112"
USDC: Final = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
UNLISTED: Final = "7GCihgDB8fe6KNjn2MYtkzZcRjQy3t9GHdC8uHYmW2hr"
SIGNATURE: Final = "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"
TOKENS: Final = (
    Token(mint=SOL, symbol="SOL", decimals=9),
    Token(mint=USDC, symbol="USDC", decimals=6),
    Token(mint=UNLISTED, symbol="", decimals=2),
)
FIRST_SECOND: Final = 1_790_000_000

Detail = Route | SubmittedTransaction | Fill | Failure | Retry | CancelRequested
Step = tuple[int, int, Detail | None]  # status, attempt, detail


def route(*venues: str) -> Route:
    return Route(legs=[RouteLeg(venue=venue, pool=UNLISTED, token_in=SOL, token_out=USDC) for venue in venues])


def two_hops() -> Route:
    """Return a route for an exact amount out, over USDC, whose first hop is split."""
    legs = [
        RouteLeg(venue="meteora_dlmm", pool=UNLISTED, token_in=SOL, token_out=USDC, share_bps=6_200),
        RouteLeg(venue="raydium_cpmm", pool=UNLISTED, token_in=SOL, token_out=USDC, share_bps=3_800),
        RouteLeg(venue="raydium_clmm", pool=UNLISTED, token_in=USDC, token_out=UNLISTED, share_bps=10_000),
    ]
    return Route(
        legs=legs, swap_mode=SWAP_MODE_EXACT_OUT, amount_in=7, max_amount_in=2**64 - 1, rent_lamports=2_039_280
    )


def attempt_up_to_submitted(attempt: int, venue: str = "raydium_cpmm", taken: Route | None = None) -> list[Step]:
    return [
        (ORDER_STATUS_ROUTING, attempt, None),
        (ORDER_STATUS_BUILDING, attempt, taken or route(venue)),
        (ORDER_STATUS_SUBMITTED, attempt, SubmittedTransaction(signature=SIGNATURE, last_valid_block_height=9)),
    ]


PLACED: Final[Step] = (ORDER_STATUS_PENDING, 0, None)
SLIPPED: Final = Failure(reason="SLIPPAGE_EXCEEDED", message="the pool paid less than the minimum")
NO_ROUTE: Final = Failure(reason="NO_ROUTE", message="no pool can fill the order")


def confirmed(attempt: int = 1, amount_in: int = 1_000_000_000, amount_out: int = 151_234_567) -> Step:
    return ORDER_STATUS_CONFIRMED, attempt, Fill(signature=SIGNATURE, amount_in=amount_in, amount_out=amount_out)


SUCCESS: Final = [PLACED, *attempt_up_to_submitted(1), confirmed()]
RETRIED: Final = [
    PLACED,
    *attempt_up_to_submitted(1),
    (ORDER_STATUS_PENDING, 1, Retry(cause=SLIPPED)),
    *attempt_up_to_submitted(2, "meteora_damm_v2"),
    confirmed(2),
]
FAILED: Final = [
    PLACED,
    (ORDER_STATUS_ROUTING, 1, None),
    (ORDER_STATUS_PENDING, 1, Retry(cause=NO_ROUTE)),
    (ORDER_STATUS_ROUTING, 2, None),
    (ORDER_STATUS_FAILED, 2, NO_ROUTE),
]
CANCELLED: Final = [PLACED, (ORDER_STATUS_CANCELLED, 0, CancelRequested())]
CANCELLED_WHILE_OUT: Final = [
    PLACED,
    *attempt_up_to_submitted(1),
    (ORDER_STATUS_SUBMITTED, 1, CancelRequested(decided_by_block_height=9)),
    (ORDER_STATUS_CANCELLED, 1, None),
]


def _update(order_id: str, sequence: int, step: Step) -> OrderStatusUpdate:
    status, attempt, detail = step
    update = OrderStatusUpdate(order_id=order_id, sequence=sequence, attempt=attempt)
    update.status = status  # type: ignore[assignment]
    update.event_time.CopyFrom(Timestamp(seconds=FIRST_SECOND + sequence, nanos=250_000_000))
    if detail is not None:
        field = getattr(update, _DETAIL_FIELDS[type(detail)])
        field.SetInParent()
        field.MergeFrom(detail)
    return update


_DETAIL_FIELDS: Final[Mapping[type[Detail], str]] = {
    Route: "route",
    SubmittedTransaction: "transaction",
    Fill: "fill",
    Failure: "failure",
    Retry: "retry",
    CancelRequested: "cancel_requested",
}


class Life:
    """One order: what has happened, and a way to wait for more."""

    def __init__(self, order: Order, steps: Sequence[Step]) -> None:
        self.order = order
        self.updates: list[OrderStatusUpdate] = []
        self.changed = asyncio.Event()
        self.happen(*steps)

    def happen(self, *steps: Step) -> None:
        for step in steps:
            update = _update(self.order.order_id, len(self.updates) + 1, step)
            self.updates.append(update)
            self._project(update)
        self.changed.set()
        self.changed = asyncio.Event()

    def _project(self, update: OrderStatusUpdate) -> None:
        order = self.order
        order.status, order.attempt, order.sequence = update.status, update.attempt, update.sequence
        order.update_time.CopyFrom(update.event_time)
        match update.WhichOneof("detail"):
            case "route":
                order.route.CopyFrom(update.route)
            case "transaction":
                order.signature = update.transaction.signature
            case "fill":
                order.fill.CopyFrom(update.fill)
                order.ClearField("failure")
            case "failure":
                order.failure.CopyFrom(update.failure)
            case "retry":
                order.failure.CopyFrom(update.retry.cause)

    @property
    def over(self) -> bool:
        return self.order.status in {ORDER_STATUS_CONFIRMED, ORDER_STATUS_FAILED, ORDER_STATUS_CANCELLED}
