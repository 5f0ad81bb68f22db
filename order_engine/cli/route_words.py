"""Swaps and routes in words: the same words wherever one is told."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby, pairwise

from order_engine.cli.amounts import SOL_DECIMALS, in_tokens, percent, trimmed
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb

Asked = pb.Order | pb.SubmitOrderRequest | pb.GetQuoteRequest


def is_exact_out(asked: Asked) -> bool:
    return asked.swap_mode == pb.SWAP_MODE_EXACT_OUT


def swap(asked: Asked, tokens: TokenBook, to: str = "to") -> str:
    """Return "1.5 SOL to USDC", or "SOL to exactly 100 USDC"."""
    if is_exact_out(asked):
        return f"{tokens.symbol(asked.token_in)} {to} exactly {tokens.amount(asked.amount_out, asked.token_out)}"
    return f"{tokens.amount(asked.amount_in, asked.token_in)} {to} {tokens.symbol(asked.token_out)}"


def bounds(order: pb.Order) -> Iterator[str]:
    """Yield what the order does not accept."""
    yield f"slippage at most {percent(order.slippage_bps)}"
    if order.HasField("max_price_impact_bps"):
        yield f"price impact at most {percent(order.max_price_impact_bps)}"
    if order.HasField("max_total_fee_lamports"):
        yield f"fees at most {sol(order.max_total_fee_lamports)}"
    if order.HasField("max_quote_age_slots"):
        yield f"quote at most {slots(order.max_quote_age_slots)} old"


def found(asked: Asked, route: pb.Route) -> int:
    """Return the amount that the route found: what is received, or for an exact amount out what is paid."""
    return route.amount_in if is_exact_out(asked) else route.amount_out


def found_mint(asked: Asked) -> str:
    return asked.token_in if is_exact_out(asked) else asked.token_out


def guaranteed(asked: Asked, route: pb.Route, tokens: TokenBook) -> str:
    """Say what the chain enforces."""
    if is_exact_out(asked):
        return f"at most {tokens.amount(route.max_amount_in, asked.token_in)}"
    return f"at least {tokens.amount(route.min_amount_out, asked.token_out)}"


def hops(route: pb.Route) -> list[list[pb.RouteLeg]]:
    """Return the legs, grouped by the pair they trade, in order."""
    return [list(legs) for _, legs in groupby(route.legs, key=lambda leg: (leg.token_in, leg.token_out))]


def mints(*routes: pb.Route) -> set[str]:
    """Return every token that the routes name."""
    legs = (leg for route in routes for leg in route.legs)
    return {mint for leg in legs for mint in (leg.token_in, leg.token_out, leg.fee_token) if mint}


def name(route: pb.Route, tokens: TokenBook) -> str:
    """Return the venue of one pool, "split over 2 pools", or "SOL → USDC → JUP"."""
    if len(hops(route)) > 1:
        return _path(route, tokens)
    return f"split over {len(route.legs)} pools" if len(route.legs) > 1 else _venues(route.legs)


def short_name(route: pb.Route, tokens: TokenBook) -> str:
    """Return the venue of one pool, "2 pools", or "via USDC"."""
    way = hops(route)
    if len(way) > 1:
        return f"via {', '.join(tokens.symbol(legs[0].token_in) for legs in way[1:])}"
    return f"{len(route.legs)} pools" if len(route.legs) > 1 else _venues(route.legs)


def pools(route: pb.Route) -> str:
    """Return "raydium_cpmm, then 62% meteora_dlmm + 38% raydium_clmm"."""
    return ", then ".join(_shares(legs) for legs in hops(route))


def told(route: pb.Route, asked: Asked, tokens: TokenBook) -> Iterator[str]:
    """Yield what a chosen route promises."""
    several_hops = len(hops(route)) > 1
    who = _path(route, tokens) if several_hops else pools(route)
    plural = len(route.legs) > 1 and not several_hops
    if is_exact_out(asked):
        price = (
            f"{tokens.amount(route.amount_in, asked.token_in)} for {tokens.amount(route.amount_out, asked.token_out)}"
        )
        yield f"{who} {'ask' if plural else 'asks'} {price}"
    else:
        yield f"{who} {'quote' if plural else 'quotes'} {tokens.amount(route.amount_out, asked.token_out)}"
    if several_hops:
        yield f"through {pools(route)}"
    yield f"{guaranteed(asked, route, tokens)}, enforced on chain"


def leftovers(route: pb.Route, tokens: TokenBook) -> list[str]:
    """Return what a hop is quoted to pay above what the next one takes: it stays in the wallet."""
    way = hops(route)
    rests = [
        (sum(leg.amount_out for leg in legs) - sum(leg.amount_in for leg in following), following[0].token_in)
        for legs, following in pairwise(way)
    ]
    return [tokens.amount(rest, mint) for rest, mint in rests if rest > 0]


def shares(legs: Sequence[pb.RouteLeg]) -> list[str]:
    """Return each leg's share of its hop in whole percents, which add up to what the shares do."""
    ends = [(bps + 50) // 100 for bps in accumulate(leg.share_bps for leg in legs)]
    return [f"{end - start}%" if end > start else "<1%" for start, end in pairwise([0, *ends])]


def impact(bps: int) -> str:
    return percent(bps) if bps else "<0.01%"


def sol(lamports: int) -> str:
    return f"{trimmed(in_tokens(lamports, SOL_DECIMALS))} SOL"


def slots(number: int) -> str:
    return f"{number} slot" if number == 1 else f"{number} slots"


def _path(route: pb.Route, tokens: TokenBook) -> str:
    way = hops(route)
    return " → ".join(tokens.symbol(mint) for mint in (way[0][0].token_in, *(legs[0].token_out for legs in way)))


def _shares(legs: Sequence[pb.RouteLeg]) -> str:
    if len(legs) == 1:
        return legs[0].venue
    return " + ".join(f"{share} {leg.venue}" for share, leg in zip(shares(legs), legs, strict=True))


def _venues(legs: Sequence[pb.RouteLeg]) -> str:
    """Of a route that could not be quoted, the one leg may name several venues."""
    return legs[0].venue.replace("+", " + ").replace(">", " → ") if legs else ""
