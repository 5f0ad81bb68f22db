"""`submit`: one order or many, each under a request id that makes a retry safe."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import grpc

from order_engine.cli import route_words
from order_engine.cli.client import Output
from order_engine.cli.engine import Engine
from order_engine.cli.many_orders import watch_many
from order_engine.cli.order_life import status_name
from order_engine.cli.token_book import TokenBook
from order_engine.cli.watch import show_life, watch_as_json
from order_engine.cli.wish import Amounts, Wish, amounts, order_request
from protos.order_engine.v1 import order_service_pb2 as pb

_AT_ONCE = 64
_UNKNOWN_OUTCOME = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """One order or many alike."""

    wish: Wish
    request_id: str
    client_order_id: str
    count: int

    def request_ids(self) -> Sequence[str]:
        first = self.request_id or str(uuid4())
        return [first] if self.count == 1 else [f"{first}.{number}" for number in range(1, self.count + 1)]


async def submit(engine: Engine, output: Output, wanted: Orders, *, watch: bool, give_up_seconds: float) -> int:
    """Submit, and with `watch` show the life of what was accepted. Returns the exit status."""
    tokens = TokenBook(engine)
    exact = await amounts(tokens, wanted.wish)
    request_ids = wanted.request_ids()
    _announce(output, request_ids)
    orders = await _submit_all(engine, wanted, exact, request_ids)
    if not watch:
        return await _tell_accepted(output, orders, tokens)
    if output.json and len(orders) == 1:
        return await watch_as_json(engine, output, orders[0].order, after=0, give_up_seconds=give_up_seconds)
    await _learn(tokens, orders)
    if len(orders) > 1:
        return await watch_many(engine, output, [one.order for one in orders], tokens, give_up_seconds=give_up_seconds)
    output.say(_accepted(orders[0].order, tokens))
    return await show_life(engine, output, orders[0].order, tokens, after=0, give_up_seconds=give_up_seconds)


async def _submit_all(
    engine: Engine, wanted: Orders, exact: Amounts, request_ids: Sequence[str]
) -> Sequence[pb.SubmitOrderResponse]:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(request_id: str) -> pb.SubmitOrderResponse:
        request = order_request(wanted.wish, exact, request_id, wanted.client_order_id)
        async with room:
            return await engine.orders.SubmitOrder(request, timeout=engine.timeout)

    answers = await asyncio.gather(*map(one, request_ids), return_exceptions=True)
    accepted = [answer for answer in answers if isinstance(answer, pb.SubmitOrderResponse)]
    for answer in answers:
        if isinstance(answer, BaseException):
            _warn(answer, len(accepted), request_ids)
            raise answer
    return accepted


def _warn(error: BaseException, accepted: int, request_ids: Sequence[str]) -> None:
    """Say what is known of the orders, and that asking again is safe."""
    unknown = isinstance(error, grpc.aio.AioRpcError) and error.code() in _UNKNOWN_OUTCOME
    if accepted:
        sys.stderr.write(f"{accepted} of {len(request_ids)} orders were accepted\n")
    if accepted or unknown:
        base = request_ids[0] if len(request_ids) == 1 else request_ids[0].rpartition(".")[0]
        sys.stderr.write(f"repeating the command with --request-id {base} never buys twice\n")


def _announce(output: Output, request_ids: Sequence[str]) -> None:
    """Before the request leaves: after a break the id is what makes a retry safe."""
    many = f" … {request_ids[-1].rpartition('.')[2]}" if len(request_ids) > 1 else ""
    stream = sys.stderr if output.json else sys.stdout
    stream.write(f"request {request_ids[0]}{many}\n")
    stream.flush()


async def _tell_accepted(output: Output, orders: Sequence[pb.SubmitOrderResponse], tokens: TokenBook) -> int:
    if output.json:
        for one in orders:
            output.message(one)
        return 0
    await _learn(tokens, orders)
    for one in orders:
        output.say(_accepted(one.order, tokens))
    if len(orders) == 1:
        output.say(f"follow it: order-engine watch {orders[0].order_id}")
    return 0


async def _learn(tokens: TokenBook, orders: Sequence[pb.SubmitOrderResponse]) -> None:
    await tokens.learn(*(mint for one in orders[:1] for mint in (one.order.token_in, one.order.token_out)))


def _accepted(order: pb.Order, tokens: TokenBook) -> str:
    known = "accepted" if order.sequence <= 1 else f"known already, {status_name(order.status)}"
    return f"order {order.order_id} {known}: {route_words.swap(order, tokens)}"
