"""`watch`: one order, from any sequence to its end."""

from contextlib import ExitStack

from order_engine.cli import route_words
from order_engine.cli.client import Output, ending
from order_engine.cli.engine import Engine
from order_engine.cli.life_view import PlainView, TerminalView
from order_engine.cli.order_life import follow, tell_life
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb


async def watch(engine: Engine, output: Output, order_id: str, *, after: int, give_up_seconds: float) -> int:
    """Show the order's life; return the exit status of its end."""
    order = await engine.orders.GetOrder(pb.GetOrderRequest(order_id=order_id), timeout=engine.timeout)
    if output.json:
        return await watch_as_json(engine, output, order, after=after, give_up_seconds=give_up_seconds)
    tokens = TokenBook(engine)
    await tokens.learn(order.token_in, order.token_out)
    output.say(f"order {order.order_id}: {route_words.swap(order, tokens)}")
    return await show_life(engine, output, order, tokens, after=after, give_up_seconds=give_up_seconds)


async def watch_as_json(engine: Engine, output: Output, order: pb.Order, *, after: int, give_up_seconds: float) -> int:
    """Write one update a line."""
    status = order.status  # of an order that has nothing new to tell
    async for update in follow(engine.orders, order.order_id, after=after, give_up_seconds=give_up_seconds):
        status = update.status
        output.message(update)
    return ending(status)


async def show_life(
    engine: Engine, output: Output, order: pb.Order, tokens: TokenBook, *, after: int, give_up_seconds: float
) -> int:
    with ExitStack() as stack:
        if output.live:
            terminal = TerminalView(order, tokens, output.console)
            stack.enter_context(terminal.live())
            view: TerminalView | PlainView = terminal
        else:
            view = PlainView(order, tokens, output.say)
        ended = await tell_life(engine, order, tokens, view, after=after, give_up_seconds=give_up_seconds)
    return ending(ended.status)
