"""`explain`: why an order went the way it went."""

from rich.padding import Padding
from rich.text import Text

from order_engine.cli import route_words
from order_engine.cli.candidate_table import candidate_table
from order_engine.cli.client import Output
from order_engine.cli.engine import Engine
from order_engine.cli.exits import DONE
from order_engine.cli.life_view import STATUS_STYLES, plain, step_row
from order_engine.cli.order_life import describe, moment, status_name, told_failure
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb


async def explain(engine: Engine, output: Output, order_id: str) -> int:
    reply = await engine.orders.ExplainOrder(pb.ExplainOrderRequest(order_id=order_id), timeout=engine.timeout)
    if output.json:
        output.message(reply)
        return DONE
    tokens = TokenBook(engine)
    candidates = [one.route for attempt in reply.attempts for one in attempt.candidates]
    chosen = [update.route for update in reply.updates]
    await tokens.learn(reply.order.token_in, reply.order.token_out, *route_words.mints(*candidates, *chosen))
    _heading(output, reply.order, tokens)
    for attempt in reply.attempts:
        _attempt(output, reply.order, attempt, tokens)
    output.show("\n[bold]Timeline[/]")
    for update in reply.updates:
        step = describe(update, reply.order, tokens)
        if output.console.is_terminal:
            output.show(step_row(step))
        else:
            output.say(plain(step))
    return DONE


def _heading(output: Output, order: pb.Order, tokens: TokenBook) -> None:
    name = status_name(order.status)
    output.show(Text.assemble(f"order {order.order_id} ", (name, STATUS_STYLES.get(name, ""))))
    made = moment(order.create_time).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    output.show(Text(f"{route_words.swap(order, tokens)}, made {made}"))
    output.show(Text(", ".join(route_words.bounds(order))))
    if order.client_order_id:
        output.show(Text(f"client order id {order.client_order_id}"))
    if order.HasField("failure"):
        output.show(Text(told_failure(order.failure), style="red"))


def _attempt(output: Output, order: pb.Order, attempt: pb.Attempt, tokens: TokenBook) -> None:
    started = (moment(attempt.start_time) - moment(order.create_time)).total_seconds()
    output.show(f"\n[bold]Attempt {attempt.number} of {order.max_attempts}[/], started after {started:.3f} s")
    if attempt.candidates:
        table = candidate_table(attempt.candidates, order, tokens, output.console.width)
        output.show(Padding(table, (0, 0, 1, 0)))
    else:
        output.show("[dim]no candidates: it ended before the venues were asked[/]")
    if attempt.signature:
        output.show(Text.assemble(("transaction ", "dim"), attempt.signature), soft_wrap=True)
    if attempt.HasField("failure"):
        output.show(Text.assemble(("failed ", "red"), told_failure(attempt.failure)))
