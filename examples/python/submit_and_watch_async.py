"""Submit several orders at once with grpc.aio and watch them all over one channel, through every break.

    PYTHONPATH=. .venv/bin/python examples/python/submit_and_watch_async.py --count 3 --pay SOL --amount 0.1 --buy USDC

Exits 0 when every order was executed, 1 when one failed or was refused, 3 when the engine could not be reached.
"""

from __future__ import annotations  # the types of the async stubs exist for type checkers only

import argparse
import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import grpc
from wording import base_units, describe, refusal

from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc

PATIENCE_SECONDS = 30.0  # how long an engine that is away is looked for
PAUSE_SECONDS = 0.5
AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
CUT_OFF = {*AWAY, grpc.StatusCode.RESOURCE_EXHAUSTED}  # we did not read for a while, as on a laptop that slept
CHANNEL_OPTIONS = (
    ("grpc.keepalive_time_ms", 20_000),  # a stream is quiet for long; this notices when the network is gone
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

RequestT = TypeVar("RequestT")
ReplyT = TypeVar("ReplyT")


def now() -> float:
    return asyncio.get_running_loop().time()


async def call(method: Callable[..., Awaitable[ReplyT]], request: RequestT) -> ReplyT:
    """Call, and repeat while the engine is away. Only for what may be repeated: reads, and orders with a request_id."""
    give_up = now() + PATIENCE_SECONDS
    while True:
        try:
            return await method(request, timeout=5)
        except grpc.aio.AioRpcError as error:
            if error.code() not in AWAY or now() > give_up:
                raise
            print(f"     {error.code().name}, asking again", flush=True)
            await asyncio.sleep(PAUSE_SECONDS)


async def watch(orders: rpc.OrderServiceAsyncStub, order_id: str) -> AsyncIterator[pb.OrderStatusUpdate]:
    """Yield every update once and in order. The stream ends by itself after the last; a broken one is resumed."""
    sequence, give_up = 0, now() + PATIENCE_SECONDS
    while True:
        request = pb.StreamOrderStatusRequest(order_id=order_id, after_sequence=sequence)
        try:
            async for update in orders.StreamOrderStatus(request):
                sequence, give_up = update.sequence, now() + PATIENCE_SECONDS
                yield update
            return
        except grpc.aio.AioRpcError as error:
            if error.code() not in CUT_OFF or now() > give_up:
                raise
            print(f"     {error.code().name}, resuming after {sequence}", flush=True)
            await asyncio.sleep(PAUSE_SECONDS)


async def execute(orders: rpc.OrderServiceAsyncStub, amount_in: int, paid: pb.Token, bought: pb.Token) -> bool:
    """Submit one order and follow it. Returns whether it was executed."""
    request = pb.SubmitOrderRequest(
        request_id=str(uuid.uuid4()),  # chosen once, before the first try: however often it is sent, it is one order
        token_in=paid.mint,
        token_out=bought.mint,
        amount_in=amount_in,
    )
    order_id = (await call(orders.SubmitOrder, request)).order_id
    print(f"{order_id[-4:]}  accepted as {order_id}", flush=True)
    async for update in watch(orders, order_id):
        print(f"{order_id[-4:]}{describe(update, paid, bought)}", flush=True)
    return update.status == pb.ORDER_STATUS_CONFIRMED


async def run(options: argparse.Namespace) -> bool:
    """Return whether every order was executed."""
    async with grpc.aio.insecure_channel(options.target, options=CHANNEL_OPTIONS) as channel:
        orders, tokens = rpc.OrderServiceStub(channel), rpc.TokenServiceStub(channel)
        paid = await call(tokens.GetToken, pb.GetTokenRequest(token=options.pay))
        bought = await call(tokens.GetToken, pb.GetTokenRequest(token=options.buy))
        amount_in = base_units(options.amount, paid)
        executed = await asyncio.gather(*(execute(orders, amount_in, paid, bought) for _ in range(options.count)))
    print(f"{sum(executed)} of {len(executed)} executed")
    return all(executed)


def main() -> int:
    parser = argparse.ArgumentParser(description="Submit orders at once and watch them to their end.")
    parser.add_argument("--target", default="127.0.0.1:50051")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--pay", default="SOL", help="symbol or mint")
    parser.add_argument("--amount", default="0.1", help="whole tokens, of each order")
    parser.add_argument("--buy", default="USDC", help="symbol or mint")
    options = parser.parse_args()
    try:
        return 0 if asyncio.run(run(options)) else 1
    except ValueError as error:
        parser.error(str(error))
    except grpc.aio.AioRpcError as error:
        print(refusal(error), file=sys.stderr)
        return 3 if error.code() in AWAY else 1


if __name__ == "__main__":
    sys.exit(main())
