"""Choose among quotes: the one that leaves the most in the wallet wins."""

from collections.abc import Iterable
from dataclasses import replace

from order_engine.domain.amounts import BPS, min_amount_out, mul_div_ceil
from order_engine.domain.order import Candidate, Route, RouteLeg
from order_engine.domain.pool import Quote
from order_engine.domain.tokens import WRAPPED_SOL


def candidate(quote: Quote, compute_units: int, slippage_bps: int, network_fee_lamports: int) -> Candidate:
    """Return a usable candidate: one leg through one pool."""
    leg = RouteLeg(
        venue=quote.venue,
        pool=quote.pool,
        token_in=quote.token_in,
        token_out=quote.token_out,
        amount_in=quote.amount_in,
        amount_out=quote.amount_out,
        fee_amount=quote.fee_amount,
        fee_token=quote.fee_token,
        share_bps=BPS,
        compute_units=compute_units,
    )
    route = Route(
        legs=(leg,),
        amount_in=quote.amount_in,
        amount_out=quote.amount_out,
        min_amount_out=min_amount_out(quote.amount_out, slippage_bps),
        price_impact_bps=quote.price_impact_bps,
        slot=quote.slot,
    )
    net = max(0, quote.amount_out - _fee_in_token_out(quote, network_fee_lamports))
    return Candidate(venue=quote.venue, pool=quote.pool, route=route, net_amount_out=net)


def rank(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates best first, the best one marked chosen, the rejected ones last.

    Ties go to the lower pool address, so that every worker agrees.
    """
    ranked = sorted(candidates, key=_preference)
    if ranked and not ranked[0].reject_reason:
        ranked[0] = replace(ranked[0], chosen=True)
    return tuple(ranked)


def _preference(one: Candidate) -> tuple[bool, int, bytes, str]:
    return bool(one.reject_reason), -one.net_amount_out, bytes(one.pool) if one.pool else b"", one.venue


def _fee_in_token_out(quote: Quote, fee_lamports: int) -> int:
    """Value the network fee at the pool's own price; a pair without SOL has no such price and ranks by output alone."""
    if quote.token_out == WRAPPED_SOL:
        return fee_lamports
    if quote.token_in == WRAPPED_SOL:
        return mul_div_ceil(fee_lamports, quote.amount_out, quote.amount_in)
    return 0
