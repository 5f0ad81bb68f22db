"""One path over the hub tokens: followed with one pool per hop first, and varied where that may win."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from order_engine.domain.amounts import mul_div_ceil, mul_div_floor
from order_engine.domain.errors import AmountTooSmall, QuoteRefused
from order_engine.domain.route import SwapMode
from order_engine.domain.routing.chain import follow
from order_engine.domain.routing.lattice import Lattice
from order_engine.domain.routing.options import ONE, options_of
from order_engine.domain.routing.pool_side import best_side
from order_engine.domain.routing.pricing import Pricing
from order_engine.domain.routing.ranking import Ranked
from order_engine.domain.routing.sides import Sides
from order_engine.domain.routing.split import COARSE, Division, divisions

Headroom = Callable[[Sides, int, Division], int]

MAX_LEGS: Final = 6  # more never fit a transaction


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    hops: Sequence[Sides]
    divisions: Sequence[Division]  # of the first route
    first: Ranked

    @classmethod
    def of(cls, hops: Sequence[Sides], pricing: Pricing) -> "Plan":
        """Follow the path with the best pool for each hop; several only where no single one takes it all.

        Raises:
            QuoteRefused: it leads nowhere; the message says where it ends.
        """
        divided = follow(pricing.swap, len(hops), lambda at, amount: _one_pool(hops[at], amount))
        return cls(hops, divided, pricing.ranked(divided))

    def most(self, headroom: Headroom) -> int:
        """Return the net that the path could reach at best if all its hops were split."""
        weight = ONE
        for sides, division in zip(self.hops, self.divisions, strict=True):
            weight = mul_div_ceil(weight, headroom(sides, _amount(division), division), ONE)
        route = self.first.route
        if route.swap_mode is SwapMode.EXACT_IN:
            return self.first.net + mul_div_ceil(route.amount_out, weight - ONE, ONE)
        return self.first.net + route.amount_in - mul_div_floor(route.amount_in, ONE, weight)

    def lattice(self, pricing: Pricing, *, with_splits: bool) -> Lattice:
        cost = pricing.unit_cost(self.first)
        options = []
        for sides, division in zip(self.hops, self.divisions, strict=True):
            amount = _amount(division)
            splits = divisions(sides, amount, COARSE) if with_splits else ()
            options.append(options_of(sides, amount, division, splits, cost))
        return Lattice(self.first.route, pricing.worth_beside_swaps(self.first.route), options, MAX_LEGS)


def _one_pool(sides: Sides, amount: int) -> Division:
    side = best_side(sides, amount)
    if side is not None:
        return ((side, amount),)
    together = divisions(sides, amount)
    if together:
        return together[-1]
    refusals = [one.refusal(amount) for one in sides]
    weightiest = min(refusals, key=_is_dust)
    dust = _is_dust(weightiest)
    message = f"no pool trades {amount} of one hop: {weightiest}"
    raise AmountTooSmall(message) if dust else QuoteRefused(message)


def _is_dust(refusal: str) -> bool:
    return refusal.startswith(f"{AmountTooSmall.code}:")


def _amount(division: Division) -> int:
    return sum(amount for _, amount in division)
