"""Submit one order through the public gRPC API and tell its life as it streams."""

from __future__ import annotations  # the async stub exists for the type checker only

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import grpc

from order_engine.cli.amounts import in_tokens
from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc

ONE_SOL: Final = 10**9
TERMINAL: Final = {
    pb.ORDER_STATUS_CONFIRMED,
    pb.ORDER_STATUS_FAILED,
    pb.ORDER_STATUS_CANCELLED,
    pb.ORDER_STATUS_EXPIRED,
}

Say = Callable[[str], None]


async def submit_sample_order(target: str, say: Say) -> pb.Order:
    """Swap 1 SOL to USDC on the paper network; return the order as it ended."""
    async with grpc.aio.insecure_channel(target) as channel:
        orders: rpc.OrderServiceAsyncStub = rpc.OrderServiceStub(channel)
        request = pb.SubmitOrderRequest(
            request_id=f"sample-{uuid4()}", token_in="SOL", token_out="USDC", amount_in=ONE_SOL
        )
        submitted = await orders.SubmitOrder(request, wait_for_ready=True, timeout=30)
        say(f"order {submitted.order_id}: 1 SOL to USDC, accepted and durable")
        return await tell_life(orders, submitted.order_id, await _decimals(channel, submitted.order), say)


async def tell_life(orders: rpc.OrderServiceAsyncStub, order_id: str, decimals: dict[str, int], say: Say) -> pb.Order:
    """Say every update of an order until it ends, resuming after its last sequence when the stream breaks."""
    after = 0
    started: datetime | None = None
    while True:
        request = pb.StreamOrderStatusRequest(order_id=order_id, after_sequence=after)
        try:
            async for update in orders.StreamOrderStatus(request, wait_for_ready=True):
                at = update.event_time.ToDatetime(tzinfo=UTC)
                started = started or at
                after = update.sequence
                say(
                    f"  {(at - started).total_seconds():6.3f} s  {_name(update.status):<10} {_detail(update, decimals)}"
                )
                if update.HasField("route"):
                    await _say_candidates(orders, order_id, update.attempt, decimals, say)
                if update.status in TERMINAL:
                    return await orders.GetOrder(pb.GetOrderRequest(order_id=order_id), timeout=10)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(0.2)


async def _decimals(channel: grpc.aio.Channel, order: pb.Order) -> dict[str, int]:
    tokens: rpc.TokenServiceAsyncStub = rpc.TokenServiceStub(channel)
    found = [await tokens.GetToken(pb.GetTokenRequest(token=mint)) for mint in (order.token_in, order.token_out)]
    return {token.mint: token.decimals for token in found}


async def _say_candidates(
    orders: rpc.OrderServiceAsyncStub, order_id: str, attempt: int, decimals: dict[str, int], say: Say
) -> None:
    explained = await orders.ExplainOrder(pb.ExplainOrderRequest(order_id=order_id), timeout=10)
    for one in next((tried.candidates for tried in explained.attempts if tried.number == attempt), []):
        leg = one.route.legs[0]
        mark = "chosen" if one.chosen else one.reject_reason or "pays less"
        amount = in_tokens(one.net_amount_out, decimals[leg.token_out]) if not one.reject_reason else "-"
        say(f"                        {leg.venue:<16} pool {leg.pool[:8] or '-':<8}  net {amount:>16}  {mark}")


def _detail(update: pb.OrderStatusUpdate, decimals: dict[str, int]) -> str:
    match update.WhichOneof("detail"):
        case "route":
            leg = update.route.legs[-1]
            quoted = in_tokens(update.route.amount_out, decimals[leg.token_out])
            least = in_tokens(update.route.min_amount_out, decimals[leg.token_out])
            return f"{leg.venue} quotes {quoted}, at least {least} enforced on chain"
        case "transaction":
            height = update.transaction.last_valid_block_height
            return f"{update.transaction.signature} recorded, then sent; valid to block height {height}"
        case "fill":
            return _fill(update.fill, list(decimals.values()))
        case "failure":
            return f"{update.failure.reason}: {update.failure.message}"
        case "retry":
            return f"again after {update.retry.cause.reason}: {update.retry.cause.message}"
        case _:
            return ""


def _fill(fill: pb.Fill, decimals: list[int]) -> str:
    paid, got = in_tokens(fill.amount_in, decimals[0]), in_tokens(fill.amount_out, decimals[-1])
    return f"{paid} for {got} in slot {fill.slot}, network fee {fill.fee_lamports} lamports, {fill.signature}"


def _name(status: pb.OrderStatus.ValueType) -> str:
    return pb.OrderStatus.Name(status).removeprefix("ORDER_STATUS_").lower()
