"""`cancel`: the verdict, in a sentence."""

from order_engine.cli.client import Output
from order_engine.cli.engine import Engine
from order_engine.cli.exits import DONE, FAILED
from order_engine.cli.order_life import status_name
from protos.order_engine.v1 import order_service_pb2 as pb


async def cancel(engine: Engine, output: Output, order_id: str) -> int:
    """Return 0 when the order is or may become cancelled, 1 when it was too late."""
    reply = await engine.orders.CancelOrder(pb.CancelOrderRequest(order_id=order_id), timeout=engine.timeout)
    if output.json:
        output.message(reply)
    else:
        output.say(verdict(reply))
    return FAILED if reply.verdict == pb.CANCEL_VERDICT_TOO_LATE else DONE


def verdict(reply: pb.CancelOrderResponse) -> str:
    """Say what the answer means for the caller's money."""
    order = reply.order
    match reply.verdict:
        case pb.CANCEL_VERDICT_CANCELLED:
            return (
                f"order {order.order_id} is cancelled\nNothing was swapped, and nothing that was sent can still land."
            )
        case pb.CANCEL_VERDICT_TOO_LATE:
            return f"order {order.order_id} had already ended: {status_name(order.status)}\nThe cancel changed nothing."
        case pb.CANCEL_VERDICT_PENDING:
            return (
                f"order {order.order_id} is not decided yet\n"
                "Its transaction was sent before the cancel and may still land. No more is sent:\n"
                f"by block height {reply.decided_by_block_height} the order is confirmed or cancelled.\n"
                f"follow it: order-engine watch {order.order_id}"
            )
        case _:
            return f"the engine gave a verdict that this version does not know: {reply.verdict}"
