"""Quotes of many amounts on one pool state: whole steps are walked once, and summed up.

What a step costs when it goes all the way does not depend on the amount. So an amount is looked up among the running
sums, and only its last step is computed.
"""

from bisect import bisect_left
from typing import NamedTuple

from order_engine.domain.amounts import BPS, U64_MAX, mul_div_floor
from order_engine.domain.errors import QuoteRefused
from order_engine.venues.raydium_clmm.layout import PoolState
from order_engine.venues.raydium_clmm.math import short_step
from order_engine.venues.raydium_clmm.refusals import ProgramRefusal
from order_engine.venues.raydium_clmm.swap import check_moved, check_whole
from order_engine.venues.raydium_clmm.ticks import Q64
from order_engine.venues.raydium_clmm.walk import Terms, Walk


class Exchange(NamedTuple):
    """What a swap moves in and out of the vaults. Transfer fees are outside of it."""

    amount_in: int
    amount_out: int
    fee_amount: int
    steps: int


class _Rung(NamedTuple):
    """Where a whole step begins and ends, and what was moved before it."""

    price: int
    target: int
    liquidity: int
    fee_rate: int
    amount_out: int
    fee_amount: int


class Ladder:
    """One direction of a pool, for exact inputs. It grows as larger amounts are asked for."""

    def __init__(self, terms: Terms, state: PoolState) -> None:
        self._way = terms.way
        square, unit = state.sqrt_price_x64 * state.sqrt_price_x64, Q64 * Q64
        self._spot = (unit, square) if terms.way.upwards else (square, unit)  # output over input
        self._walks = [Walk(terms, state, U64_MAX)]  # after each whole step
        self._spent = [0]  # by each of them
        self._rungs: list[_Rung] = []  # from each of them to the next
        self._ends = False

    def exact_in(self, amount: int, max_steps: int) -> Exchange:
        """Return the swap of `amount`, positive and after the transfer fee.

        Raises:
            ProgramRefusal: the program would not carry it out.
            QuoteRefused: it takes more than `max_steps`.
        """
        spent = self._spent
        while spent[-1] < amount and not self._ends and len(spent) <= max_steps:
            self._grow()
        at = bisect_left(spent, amount)
        if at < len(spent) and spent[at] > amount:
            at -= 1
            price, target, liquidity, rate, out, fees = self._rungs[at]
            last = short_step(self._way, price, target, liquidity, amount - spent[at], rate)
            if last.sqrt_price_x64 != target:
                out += last.amount_out
                check_moved(amount, out)
                return Exchange(amount, out, fees + last.fee_amount, at + 1)
        return self._walked(min(at, len(spent) - 1), amount, max_steps)

    def price_impact_bps(self, exchange: Exchange) -> int:
        """Return how far the price paid, fees aside, is below the spot price. Rounds down."""
        curve_in, curve_out, fee, _ = exchange
        if self._way.fee_on_input:
            curve_in -= fee
        else:
            curve_out += fee
        at_spot = mul_div_floor(curve_in, *self._spot)
        # The output is whole units: less than one unit of difference is no impact.
        return mul_div_floor(at_spot - curve_out - 1, BPS, at_spot) if at_spot > curve_out else 0

    def _walked(self, at: int, amount: int, max_steps: int) -> Exchange:
        """Go on from a rung step by step: where the next step is not known to be whole, or ends in limit orders."""
        walk = self._walks[at].copy(amount - self._spent[at])
        walk.run(max_steps)
        if not walk.is_over:
            raise QuoteRefused(f"the swap takes more than the {max_steps} steps that a transaction can pay")
        check_moved(amount - walk.remaining, walk.calculated)
        check_whole(walk)
        return Exchange(amount, walk.calculated, walk.fee_amount, walk.steps)

    def _grow(self) -> None:
        """Walk one step further, or stop for good: at limit orders, at an amount no swap can have, at the end."""
        here = self._walks[-1]
        further = here.copy(U64_MAX - self._spent[-1])
        try:
            orders = further.next_tick().resting > 0
            rate = further.fee_rate()
            further.advance()
        except ProgramRefusal:
            self._ends = True
            return
        if orders or further.is_over:
            self._ends = True
            return
        rung = _Rung(here.price, further.price, here.liquidity, rate, here.calculated, here.fee_amount)
        self._rungs.append(rung)
        self._walks.append(further)
        self._spent.append(U64_MAX - further.remaining)
