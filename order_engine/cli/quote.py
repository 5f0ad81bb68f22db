"""`quote`: what every venue would pay now."""

from rich.padding import Padding
from rich.text import Text

from order_engine.cli import route_words
from order_engine.cli.candidate_table import candidate_table
from order_engine.cli.client import Output
from order_engine.cli.engine import Engine
from order_engine.cli.exits import DONE, FAILED
from order_engine.cli.route_words import is_exact_out
from order_engine.cli.token_book import TokenBook
from order_engine.cli.wish import Wish, amounts, quote_request
from protos.order_engine.v1 import order_service_pb2 as pb


async def quote(engine: Engine, output: Output, wish: Wish) -> int:
    """Return 0 when there is a way to swap, 1 when there is none."""
    tokens = TokenBook(engine)
    request = quote_request(wish, await amounts(tokens, wish))
    reply = await engine.quotes.GetQuote(request, timeout=engine.timeout)
    if output.json:
        output.message(reply)
    else:
        await tokens.learn(wish.token_in, wish.token_out, *route_words.mints(*(one.route for one in reply.candidates)))
        _show(output, reply, request, tokens)
    return DONE if reply.HasField("route") else FAILED


def _show(output: Output, reply: pb.GetQuoteResponse, request: pb.GetQuoteRequest, tokens: TokenBook) -> None:
    if reply.HasField("route"):
        output.show(_offer(reply.route, request, tokens))
        for line in _terms(reply, request, tokens):
            output.show(Text(line, style="dim"))
    else:
        output.show(Text(f"Nobody would swap {route_words.swap(request, tokens)} now.", style="yellow"))
        if reply.slot:
            output.show(Text(f"seen at slot {reply.slot}", style="dim"))
    if reply.candidates:
        table = candidate_table(reply.candidates, request, tokens, output.console.width)
        output.show(Padding(table, (1, 0, 0, 0)))


def _offer(route: pb.Route, request: pb.GetQuoteRequest, tokens: TokenBook) -> Text:
    paid, got = tokens.amount(route.amount_in, request.token_in), tokens.amount(route.amount_out, request.token_out)
    several_hops = len(route_words.hops(route)) > 1
    way = route_words.short_name(route, tokens) if several_hops else f"on {route_words.pools(route)}"
    if is_exact_out(request):
        return Text.assemble((paid, "bold"), f" buys exactly {got} {way}")
    return Text.assemble(f"{tokens.amount(request.amount_in, request.token_in)} buys ", (got, "bold"), f" {way}")


def _terms(reply: pb.GetQuoteResponse, request: pb.GetQuoteRequest, tokens: TokenBook) -> list[str]:
    route = reply.route
    price = f"{route_words.guaranteed(request, route, tokens)}, enforced on chain"
    terms = [f"{price}; impact {route_words.impact(route.price_impact_bps)}"]
    if route.network_fee_lamports:
        rent = f", rent {route_words.sol(route.rent_lamports)} for token accounts that stay open"
        terms.append(f"network fee {route_words.sol(route.network_fee_lamports)}{rent if route.rent_lamports else ''}")
    if rests := route_words.leftovers(route, tokens):
        terms.append(f"about {' and '.join(rests)} stay in the wallet, unspent between the hops")
    age = f"{route_words.slots(route.quote_age_slots)} old" if route.quote_age_slots else "the newest"
    terms.append(f"quoted at slot {route.slot}, {age}")
    return terms
