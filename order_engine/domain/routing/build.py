"""From the amounts of each hop to a route: legs with their bounds, price impact, age, fee and rent."""

from collections.abc import Sequence
from math import prod

from order_engine.domain.amounts import BPS, U64_MAX, min_amount_out, mul_div_ceil, mul_div_floor
from order_engine.domain.errors import AmountTooSmall, QuoteRefused
from order_engine.domain.pool import Quote
from order_engine.domain.route import Route, RouteLeg, SwapMode, SwapTerms
from order_engine.domain.routing.costs import Costs, network_fee
from order_engine.domain.routing.split import Part, spread
from order_engine.domain.tokens import WRAPPED_SOL

Hops = Sequence[Sequence[Quote]]


def route_of(divisions: Sequence[Sequence[Part]], swap: SwapTerms, costs: Costs, newest_slot: int) -> Route:
    """Return the route of these parts, none of which its pool refuses; in each hop the largest comes first.

    Raises:
        AmountTooSmall: a leg would have to accept nothing.
        QuoteRefused: an amount does not fit 64 bits.
    """
    divisions = [sorted(division, key=lambda part: -part[1]) for division in divisions]
    hops = [[side.quote(amount) for side, amount in division] for division in divisions]
    exact_in = swap.swap_mode is SwapMode.EXACT_IN
    amount_in, amount_out = _amount_in(hops[0]), _amount_out(hops[-1])
    most = amount_in if exact_in else mul_div_ceil(amount_in, BPS + swap.slippage_bps, BPS)
    least = min_amount_out(amount_out, swap.slippage_bps) if exact_in else amount_out
    if max(most, amount_out) > U64_MAX:
        raise QuoteRefused(f"paying up to {most} for {amount_out} does not fit 64 bits")
    units = [
        [quote.compute_units or side.pool.COMPUTE_UNITS for quote, (side, _) in zip(hop, division, strict=True)]
        for hop, division in zip(hops, divisions, strict=True)
    ]
    bounds = _least_out(hops, least) if exact_in else _most_in(hops, most)
    slot = min(quote.slot for hop in hops for quote in hop)
    return Route(
        legs=tuple(leg for terms in zip(hops, units, bounds, strict=True) for leg in _legs(*terms, exact_in=exact_in)),
        swap_mode=swap.swap_mode,
        amount_in=amount_in,
        amount_out=amount_out,
        min_amount_out=least,
        max_amount_in=most,
        price_impact_bps=_price_impact_bps(hops),
        slot=slot,
        quote_age_slots=max(0, newest_slot - slot),
        network_fee_lamports=network_fee(sum(map(sum, units)), costs.compute_unit_price_micro_lamports, len(hops)),
        rent_lamports=_rent_lamports(hops, costs),
    )


def _least_out(hops: Hops, least: int) -> list[tuple[int, ...]]:
    """Return what each leg must pay. A hop must pay what the next one spends, the last one what the trader accepts."""
    must_pay = [*(_amount_in(hop) for hop in hops[1:]), least]
    bounds = [spread(amount, [quote.amount_out for quote in hop]) for hop, amount in zip(hops, must_pay, strict=True)]
    if any(bound == 0 for hop in bounds for bound in hop):
        raise AmountTooSmall("split in parts, slippage leaves one of them nothing")
    return bounds


def _most_in(hops: Hops, most: int) -> list[tuple[int, ...]]:
    """Return what each leg may take. A hop may take what the one before it buys, the first one what the trader pays."""
    may_take = [most, *(_amount_out(hop) for hop in hops[:-1])]
    return [spread(amount, [quote.amount_in for quote in hop]) for hop, amount in zip(hops, may_take, strict=True)]


def _legs(quotes: Sequence[Quote], units: Sequence[int], bounds: Sequence[int], *, exact_in: bool) -> list[RouteLeg]:
    shares = spread(BPS, [quote.amount_in for quote in quotes])
    return [
        RouteLeg(
            venue=quote.venue,
            pool=quote.pool,
            token_in=quote.token_in,
            token_out=quote.token_out,
            amount_in=quote.amount_in,
            amount_out=quote.amount_out,
            fee_amount=quote.fee_amount,
            fee_token=quote.fee_token,
            share_bps=share,
            min_amount_out=bound if exact_in else quote.amount_out,
            max_amount_in=quote.amount_in if exact_in else bound,
            price_impact_bps=quote.price_impact_bps,
            compute_units=compute_units,
        )
        for quote, compute_units, bound, share in zip(quotes, units, bounds, shares, strict=True)
    ]


def _price_impact_bps(hops: Hops) -> int:
    """Return how much worse than at the spot prices the whole route is. Rounds up."""
    kept = [BPS - _hop_impact_bps(hop) for hop in hops]
    return BPS - mul_div_floor(prod(kept), BPS, BPS ** len(kept))


def _hop_impact_bps(hop: Sequence[Quote]) -> int:
    weighted = sum(quote.price_impact_bps * quote.amount_in for quote in hop)
    return min(BPS, mul_div_ceil(weighted, 1, _amount_in(hop)))


def _rent_lamports(hops: Hops, costs: Costs) -> int:
    """Return the rent of the tokens received or left over on the way. Wrapped SOL's account is closed again."""
    received = (hop[0].token_out for hop in hops)
    return sum(costs.rent_lamports.get(mint, 0) for mint in received if mint != WRAPPED_SOL)


def _amount_in(hop: Sequence[Quote]) -> int:
    return sum(quote.amount_in for quote in hop)


def _amount_out(hop: Sequence[Quote]) -> int:
    return sum(quote.amount_out for quote in hop)
