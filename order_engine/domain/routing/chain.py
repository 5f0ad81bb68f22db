"""Follow an amount from hop to hop: each enters with what the one before it is sure to pay.

An exact output is followed backwards: each hop buys what the one after it may cost at most.
"""

from collections.abc import Callable, Sequence

from order_engine.domain.amounts import BPS, U64_MAX, mul_div_ceil, mul_div_floor
from order_engine.domain.errors import AmountTooSmall, QuoteRefused
from order_engine.domain.route import SwapMode, SwapTerms
from order_engine.domain.routing.split import Division

Divide = Callable[[int, int], Division]  # the number of a hop and the amount, to its pools


def follow(swap: SwapTerms, hops: int, divide: Divide) -> tuple[Division, ...]:
    """Return the division of each hop, the first one first.

    Raises:
        AmountTooSmall: nothing is left for a hop.
        QuoteRefused: an amount does not fit 64 bits, or `divide` refuses it.
    """
    forward = swap.swap_mode is SwapMode.EXACT_IN
    done: list[Division] = []
    amount = swap.amount
    for at in range(hops) if forward else reversed(range(hops)):
        if done:
            amount = sure_to_pay(done[-1], swap, hops) if forward else to_be_bought(done[-1], swap, hops)
        if amount <= 0:
            raise AmountTooSmall("after slippage nothing is left for the next hop")
        if amount > U64_MAX:
            raise QuoteRefused(f"the amount {amount} between two hops does not fit 64 bits")
        done.append(divide(at, amount))
    return tuple(done if forward else reversed(done))


def worth_of(division: Division) -> int:
    """Return the values of all parts together: what is paid, or for EXACT_OUT what it costs, below 0."""
    return sum(_quoted(division))


def sure_to_pay(division: Division, swap: SwapTerms, hops: int) -> int:
    """Return what a hop pays at least, with its share of the slippage. Rounds down."""
    return mul_div_floor(worth_of(division), BPS - swap.slippage_bps // hops, BPS)


def to_be_bought(division: Division, swap: SwapTerms, hops: int) -> int:
    """Return what a hop may cost at most, with its share of the slippage. Rounds up."""
    return mul_div_ceil(-worth_of(division), BPS + swap.slippage_bps // hops, BPS)


def _quoted(division: Division) -> Sequence[int]:
    values = [side.value(amount) for side, amount in division]
    quoted = [value for value in values if value is not None]
    if len(quoted) < len(values):
        raise QuoteRefused("a pool of the hop does not take its part")
    return quoted
