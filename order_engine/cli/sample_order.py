"""Submit one order through the public gRPC API and tell its life as it streams."""

from typing import Final
from uuid import uuid4

from order_engine.cli.engine import connect
from order_engine.cli.life_view import PlainView, Say
from order_engine.cli.order_life import tell_life
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb

ONE_SOL: Final = 10**9
_ANSWER_SECONDS: Final = 30.0


async def submit_sample_order(target: str, say: Say) -> pb.Order:
    """Swap 1 SOL to USDC on the paper network; return the order as it ended.

    Raises:
        AioRpcError: the engine refused a request.
        Unreachable: no engine answers at `target`.
    """
    async with connect(target, _ANSWER_SECONDS) as engine:
        request = pb.SubmitOrderRequest(
            request_id=f"sample-{uuid4()}", token_in="SOL", token_out="USDC", amount_in=ONE_SOL
        )
        submitted = await engine.orders.SubmitOrder(request, timeout=engine.timeout)
        say(f"order {submitted.order_id}: 1 SOL to USDC, accepted and durable")
        tokens = TokenBook(engine)
        await tokens.learn(submitted.order.token_in, submitted.order.token_out)
        view = PlainView(submitted.order, tokens, say)
        return await tell_life(engine, submitted.order, tokens, view, give_up_seconds=None)
