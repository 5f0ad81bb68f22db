"""What must be true of every route, whatever it was chosen from."""

from collections.abc import Sequence
from itertools import pairwise

from order_engine.domain.amounts import BPS, U64_MAX
from order_engine.domain.route import Candidate, Route, RouteLeg, SwapMode, SwapTerms
from order_engine.domain.routing import MAX_HOPS

Hop = Sequence[RouteLeg]


def chosen_of(candidates: Sequence[Candidate]) -> Route | None:
    """Return the chosen route, having checked that the candidates stand in their order."""
    chosen = [one for one in candidates if one.chosen]
    usable = [one for one in candidates if not one.reject_reason]
    assert chosen == usable[:1]
    assert list(candidates[: len(usable)]) == usable
    nets = [(-one.net_amount_out, one.net_amount_in) for one in usable]
    assert nets == sorted(nets)
    return chosen[0].route if chosen else None


def check_route(route: Route, swap: SwapTerms) -> None:
    """Amounts go on from hop to hop, bounds sum exactly, shares are whole, and no pool comes twice."""
    hops = route.hops
    assert 1 <= len(hops) <= MAX_HOPS
    assert len({leg.pool for leg in route.legs}) == len(route.legs)
    assert hops[0][0].token_in == swap.token_in
    assert hops[-1][0].token_out == swap.token_out
    assert all(here[0].token_out == following[0].token_in for here, following in pairwise(hops))
    assert route.amount_in == amount_in(hops[0])
    assert route.amount_out == amount_out(hops[-1])
    for hop in hops:
        assert sum(leg.share_bps for leg in hop) == BPS
        assert all(leg.share_bps >= 1 for leg in hop)
        for leg in hop:
            assert 1 <= leg.min_amount_out <= leg.amount_out <= U64_MAX
            assert leg.amount_in <= leg.max_amount_in <= U64_MAX
    if swap.swap_mode is SwapMode.EXACT_IN:
        _check_exact_in(route, swap)
    else:
        _check_exact_out(route, swap)


def _check_exact_in(route: Route, swap: SwapTerms) -> None:
    hops = route.hops
    assert route.amount_in == route.max_amount_in == swap.amount
    assert route.min_amount_out == max(1, route.amount_out * (BPS - swap.slippage_bps) // BPS)
    assert all(leg.max_amount_in == leg.amount_in for leg in route.legs)
    for here, following in pairwise(hops):
        kept = BPS - swap.slippage_bps // len(hops)
        assert amount_in(following) == amount_out(here) * kept // BPS == min_amount_out(here)
    assert min_amount_out(hops[-1]) == route.min_amount_out


def _check_exact_out(route: Route, swap: SwapTerms) -> None:
    hops = route.hops
    assert route.amount_out == route.min_amount_out == swap.amount
    assert route.max_amount_in == -(-route.amount_in * (BPS + swap.slippage_bps) // BPS)
    assert all(leg.min_amount_out == leg.amount_out for leg in route.legs)
    for here, following in pairwise(hops):
        allowed = BPS + swap.slippage_bps // len(hops)
        assert amount_out(here) == -(-amount_in(following) * allowed // BPS) == max_amount_in(following)
    assert max_amount_in(hops[0]) == route.max_amount_in


def amount_in(hop: Hop) -> int:
    return sum(leg.amount_in for leg in hop)


def amount_out(hop: Hop) -> int:
    return sum(leg.amount_out for leg in hop)


def min_amount_out(hop: Hop) -> int:
    return sum(leg.min_amount_out for leg in hop)


def max_amount_in(hop: Hop) -> int:
    return sum(leg.max_amount_in for leg in hop)
