"""`quote`: what every venue would pay now."""

from rich.padding import Padding

from order_engine.cli.amounts import percent
from order_engine.cli.candidate_table import candidate_table
from order_engine.cli.client import Output
from order_engine.cli.engine import Engine
from order_engine.cli.exits import DONE, FAILED
from order_engine.cli.order_life import venues
from order_engine.cli.submit import amount
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb


async def quote(
    engine: Engine,
    output: Output,
    pair: tuple[str, str],
    amount_text: str,
    *,
    in_base_units: bool,
    slippage_bps: int | None,
) -> int:
    """Return 0 when a venue would fill the swap, 1 when none would."""
    token_in, token_out = pair
    tokens = TokenBook(engine)
    amount_in = await amount(tokens, token_in, amount_text, in_base_units=in_base_units)
    request = pb.GetQuoteRequest(token_in=token_in, token_out=token_out, amount_in=amount_in, slippage_bps=slippage_bps)
    reply = await engine.quotes.GetQuote(request, timeout=engine.timeout)
    if output.json:
        output.message(reply)
    else:
        await tokens.learn(token_in, token_out)
        await _show(output, reply, request, tokens)
    return DONE if reply.HasField("route") else FAILED


async def _show(output: Output, reply: pb.GetQuoteResponse, request: pb.GetQuoteRequest, tokens: TokenBook) -> None:
    pay = tokens.amount(request.amount_in, request.token_in)
    mint_out = request.token_out
    await tokens.learn(*{leg.fee_token for one in reply.candidates for leg in one.route.legs if leg.fee_token})
    console = output.console
    if reply.HasField("route"):
        route = reply.route
        got, least = tokens.amount(route.amount_out, mint_out), tokens.amount(route.min_amount_out, mint_out)
        output.show(f"{pay} buys [bold]{got}[/] on {venues(route)}")
        impact = percent(route.price_impact_bps) if route.price_impact_bps else "below 0.01%"
        output.show(f"[dim]at least {least} guaranteed, impact {impact}, slot {route.slot}[/]")
    else:
        output.show(f"[yellow]No venue would swap {pay} to {tokens.symbol(mint_out)} now.[/]")
    if reply.candidates:
        table = candidate_table(reply.candidates, mint_out, tokens, console.width)
        output.show(Padding(table, (1, 0, 0, 0)))
