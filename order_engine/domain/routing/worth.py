"""What lamports are worth in the token that a swap is judged by: at the route's own price where it trades SOL."""

from collections.abc import Sequence
from dataclasses import dataclass

from order_engine.domain.amounts import mul_div_ceil
from order_engine.domain.route import Route, RouteLeg, SwapMode
from order_engine.domain.routing.pool_side import PoolSide, best_side
from order_engine.domain.tokens import WRAPPED_SOL


@dataclass(frozen=True, slots=True)
class Worth:
    """Judged is token_out for EXACT_IN and token_in for EXACT_OUT. `sol_sides` sell SOL for it, EXACT_IN."""

    sol_sides: Sequence[PoolSide]

    def of(self, lamports: int, route: Route) -> int:
        """Return base units of the judged token. Rounds up at a route's own price; 0 where SOL has no price."""
        hops = route.hops
        exact_in = route.swap_mode is SwapMode.EXACT_IN
        if (hops[-1][0].token_out if exact_in else hops[0][0].token_in) == WRAPPED_SOL:
            return lamports
        for hop in hops:
            if exact_in and hop[0].token_in == WRAPPED_SOL:
                return mul_div_ceil(lamports, route.amount_out, _amount_in(hop))
            if not exact_in and hop[0].token_out == WRAPPED_SOL:
                return mul_div_ceil(lamports, route.amount_in, _amount_out(hop))
        side = best_side(self.sol_sides, lamports) if lamports else None
        return (side.value(lamports) or 0) if side else 0


def _amount_in(hop: Sequence[RouteLeg]) -> int:
    return sum(leg.amount_in for leg in hop)


def _amount_out(hop: Sequence[RouteLeg]) -> int:
    return sum(leg.amount_out for leg in hop)
