"""One order's life: followed through every break, and each update told in the same words wherever it is shown."""

from __future__ import annotations  # the async stub exists for the type checker only

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from order_engine.cli import route_words
from order_engine.cli.engine import Engine
from order_engine.cli.refused import reason
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc

TERMINAL: Final = frozenset(
    {pb.ORDER_STATUS_CONFIRMED, pb.ORDER_STATUS_FAILED, pb.ORDER_STATUS_CANCELLED, pb.ORDER_STATUS_EXPIRED}
)
_TRY_AGAIN_SECONDS: Final = 0.2
_SLOW_READER: Final = "SLOW_READER"  # we were stopped for a while: nothing is wrong with the order


@dataclass(frozen=True, slots=True)
class Step:
    """One update in words."""

    seconds: float  # since the order was made
    status: str
    facts: tuple[str, ...]


class LifeView(Protocol):
    """Shows an order's life."""

    def step(self, step: Step) -> None: ...

    def candidates(self, candidates: list[pb.Candidate]) -> None: ...

    def lost(self, after_sequence: int) -> None: ...


async def tell_life(
    engine: Engine, order: pb.Order, tokens: TokenBook, view: LifeView, *, after: int = 0, give_up_seconds: float | None
) -> pb.Order:
    """Show every update after sequence `after` until the order ends; return it as it ended.

    Raises:
        AioRpcError: the stream was refused, or lost for longer than `give_up_seconds`; None means never.
    """
    updates = follow(engine.orders, order.order_id, after=after, give_up_seconds=give_up_seconds, lost=view.lost)
    async for update in updates:
        await tokens.learn(*route_words.mints(update.route))
        view.step(describe(update, order, tokens))
        if update.HasField("route"):
            candidates = await _candidates(engine, order.order_id, update.attempt)
            await tokens.learn(*route_words.mints(*(one.route for one in candidates)))
            view.candidates(candidates)
    request = pb.GetOrderRequest(order_id=order.order_id)
    return await engine.orders.GetOrder(request, timeout=engine.timeout)


async def follow(
    orders: rpc.OrderServiceAsyncStub,
    order_id: str,
    *,
    after: int,
    give_up_seconds: float | None,
    lost: Lost | None = None,
) -> AsyncIterator[pb.OrderStatusUpdate]:
    """Yield every update after sequence `after` once, in order, until the last; a broken stream is taken up again.

    Raises:
        AioRpcError: as `tell_life`.
    """
    lost_at: float | None = None
    while True:
        request = pb.StreamOrderStatusRequest(order_id=order_id, after_sequence=after)
        try:
            async for update in orders.StreamOrderStatus(request):
                lost_at, after = None, update.sequence
                yield update
            return
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE and reason(error) != _SLOW_READER:
                raise
            now = time.monotonic()
            if lost_at is None:
                lost_at = now
                if lost:
                    lost(after)
            if give_up_seconds is not None and now - lost_at >= give_up_seconds:
                raise
            await asyncio.sleep(_TRY_AGAIN_SECONDS)


class Lost(Protocol):
    """Learns that the stream broke after a sequence."""

    def __call__(self, after_sequence: int) -> None: ...


def describe(update: pb.OrderStatusUpdate, order: pb.Order, tokens: TokenBook) -> Step:
    """Return the update in words. Its time counts from the order's creation."""
    seconds = (moment(update.event_time) - moment(order.create_time)).total_seconds()
    return Step(seconds, status_name(update.status), tuple(_facts(update, order, tokens)))


def status_name(status: pb.OrderStatus.ValueType) -> str:
    known = status in pb.OrderStatus.values()
    return pb.OrderStatus.Name(status).removeprefix("ORDER_STATUS_").lower() if known else f"status {status}"


def moment(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


def told_failure(failure: pb.Failure) -> str:
    return f"{failure.reason}: {failure.message}" if failure.message else failure.reason


def _facts(update: pb.OrderStatusUpdate, order: pb.Order, tokens: TokenBook) -> Iterator[str]:
    match update.WhichOneof("detail"):
        case "route":
            yield from route_words.told(update.route, order, tokens)
        case "transaction":
            yield f"recorded, then sent; valid to block height {update.transaction.last_valid_block_height}"
            yield update.transaction.signature
        case "fill":
            yield from _fill(update.fill, order, tokens)
        case "failure":
            yield told_failure(update.failure)
            yield from _metadata(update.failure)
        case "retry":
            wait = (moment(update.retry.next_attempt_time) - moment(update.event_time)).total_seconds()
            yield f"attempt {update.attempt} of {order.max_attempts} failed, the next one follows in {wait:g} s"
            yield told_failure(update.retry.cause)
        case "cancel_requested":
            yield _cancel(update.cancel_requested.decided_by_block_height)
        case _:
            if update.attempt > 1:
                yield f"attempt {update.attempt} of {order.max_attempts}"


def _fill(fill: pb.Fill, order: pb.Order, tokens: TokenBook) -> Iterator[str]:
    paid, got = tokens.amount(fill.amount_in, order.token_in), tokens.amount(fill.amount_out, order.token_out)
    yield f"{paid} for {got}"
    yield f"in slot {fill.slot}, network fee {fill.fee_lamports} lamports"
    yield fill.signature


def _metadata(failure: pb.Failure) -> Iterator[str]:
    """Yield what the message does not say already."""
    further = [f"{name} {value}" for name, value in sorted(failure.metadata.items()) if value not in failure.message]
    if further:
        yield ", ".join(further)


def _cancel(decided_by_block_height: int) -> str:
    if decided_by_block_height == 0:
        return "cancelled before anything was sent"
    return f"cancel requested; the sent transaction is decided by block height {decided_by_block_height}"


async def _candidates(engine: Engine, order_id: str, attempt: int) -> list[pb.Candidate]:
    request = pb.ExplainOrderRequest(order_id=order_id)
    explained = await engine.orders.ExplainOrder(request, timeout=engine.timeout)
    return next((list(tried.candidates) for tried in explained.attempts if tried.number == attempt), [])
