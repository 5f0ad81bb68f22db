"""Submit one order with the generated stub and watch it to its end, through lost answers and broken streams.

    PYTHONPATH=. .venv/bin/python examples/python/submit_and_watch.py --pay SOL --amount 0.1 --buy USDC
    PYTHONPATH=. .venv/bin/python examples/python/submit_and_watch.py --pay SOL --buy USDC --receive 15

Exits 0 when the order was executed, 1 when it failed or was refused, 3 when the engine could not be reached.
"""

import argparse
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TypeVar

import grpc
from wording import base_units, describe, refusal

from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1.order_service_pb2_grpc import OrderServiceStub, TokenServiceStub

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


def call(method: Callable[..., ReplyT], request: RequestT) -> ReplyT:
    """Call, and repeat while the engine is away. Only for what may be repeated: reads, and orders with a request_id."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return method(request, timeout=5)
        except grpc.RpcError as error:
            if error.code() not in AWAY or time.monotonic() > give_up:
                raise
            print(f"     {error.code().name}, asking again", flush=True)
            time.sleep(PAUSE_SECONDS)


def watch(orders: OrderServiceStub, order_id: str) -> Iterator[pb.OrderStatusUpdate]:
    """Yield every update once and in order. The stream ends by itself after the last; a broken one is resumed."""
    sequence, give_up = 0, time.monotonic() + PATIENCE_SECONDS
    while True:
        request = pb.StreamOrderStatusRequest(order_id=order_id, after_sequence=sequence)
        try:
            for update in orders.StreamOrderStatus(request):
                sequence, give_up = update.sequence, time.monotonic() + PATIENCE_SECONDS
                yield update
            return
        except grpc.RpcError as error:
            if error.code() not in CUT_OFF or time.monotonic() > give_up:
                raise
            print(f"     {error.code().name}, resuming after {sequence}", flush=True)
            time.sleep(PAUSE_SECONDS)


def run(channel: grpc.Channel, options: argparse.Namespace) -> bool:
    """Return whether the order was executed."""
    orders, tokens = OrderServiceStub(channel), TokenServiceStub(channel)
    paid = call(tokens.GetToken, pb.GetTokenRequest(token=options.pay))
    bought = call(tokens.GetToken, pb.GetTokenRequest(token=options.buy))
    request = pb.SubmitOrderRequest(
        request_id=str(uuid.uuid4()),  # chosen once, before the first try: however often it is sent, it is one order
        token_in=paid.mint,
        token_out=bought.mint,
    )
    if options.receive is None:
        request.amount_in = base_units(options.amount, paid)
    else:  # what is received is exact, what is paid for it is found and bounded
        request.swap_mode = pb.SWAP_MODE_EXACT_OUT
        request.amount_out = base_units(options.receive, bought)
    order = call(orders.SubmitOrder, request).order
    print(f"order {order.order_id}", flush=True)
    for update in watch(orders, order.order_id):
        print(describe(update, paid, bought), flush=True)
    return update.status == pb.ORDER_STATUS_CONFIRMED


def main() -> int:
    parser = argparse.ArgumentParser(description="Submit one order and watch it to its end.")
    parser.add_argument("--target", default="127.0.0.1:50051")
    parser.add_argument("--pay", default="SOL", help="symbol or mint")
    parser.add_argument("--amount", default="0.1", help="whole tokens")
    parser.add_argument("--buy", default="USDC", help="symbol or mint")
    parser.add_argument("--receive", help="whole tokens of what is bought, exactly; instead of --amount")
    options = parser.parse_args()
    try:
        with grpc.insecure_channel(options.target, options=CHANNEL_OPTIONS) as channel:
            return 0 if run(channel, options) else 1
    except ValueError as error:
        parser.error(str(error))
    except grpc.RpcError as error:
        print(refusal(error), file=sys.stderr)
        return 3 if error.code() in AWAY else 1


if __name__ == "__main__":
    sys.exit(main())
