"""One step of a swap: from a price towards another, at one liquidity. Rounding for rounding as the program computes it.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src/libraries/{swap_math,sqrt_price_math,liquidity_math}.rs,
commit 03b44b7. Prices are Q64 square roots; "down" is the direction of a swap from token 0 to token 1.
"""

from typing import NamedTuple

from order_engine.domain.amounts import U64_MAX, mul_div_ceil, mul_div_floor
from order_engine.venues.raydium_clmm.layout import RATE_DENOMINATOR
from order_engine.venues.raydium_clmm.refusals import (
    MathOverflow,
    PriceInconsistent,
    PriceOutOfRange,
    TokenAmountOverflow,
)
from order_engine.venues.raydium_clmm.ticks import MAX_SQRT_PRICE_X64, MIN_SQRT_PRICE_X64, Q64, U128_MAX


class Step(NamedTuple):
    """Where a step ends and what it moves. The fee is inside neither amount: on top of the input, or off the output."""

    sqrt_price_x64: int
    amount_in: int
    amount_out: int
    fee_amount: int


class Way(NamedTuple):
    """What stays the same from step to step of a swap."""

    upwards: bool  # from token 1 to token 0: the price rises
    fee_on_input: bool


def exact_in_step(way: Way, price: int, target: int, liquidity: int, remaining: int, rate: int) -> Step:
    """Return the step that spends at most `remaining`, fee included, and goes no further than `target`.

    Raises:
        ProgramRefusal: an amount or a price overflows.
    """
    amounts = _amounts_between(price, target, liquidity, way.upwards)
    if amounts is None or _after_fee(way, remaining, rate) < amounts[0]:
        return short_step(way, price, target, liquidity, remaining, rate)
    amount_in, amount_out = amounts
    if way.fee_on_input:
        return Step(target, amount_in, amount_out, _fee_before(amount_in, rate))
    fee = mul_div_ceil(amount_out, rate, RATE_DENOMINATOR)
    return Step(target, amount_in, amount_out - fee, fee)


def short_step(way: Way, price: int, target: int, liquidity: int, remaining: int, rate: int) -> Step:
    """Return the step of a `remaining` that does not pay for all the way to `target`, fee included.

    Raises:
        ProgramRefusal: an amount or a price overflows.
    """
    upwards, fee_on_input = way
    reached = _price_after_input(price, liquidity, _after_fee(way, remaining, rate), upwards)
    amount_in, amount_out = _partial_amounts(price, reached, target, liquidity, upwards)
    if fee_on_input:
        fee = _fee_before(amount_in, rate) if reached == target else remaining - amount_in
        return Step(reached, amount_in, amount_out, fee)
    fee = mul_div_ceil(amount_out, rate, RATE_DENOMINATOR)
    # What the rounded price leaves over cannot be taken as a fee here: it goes to the pool.
    return Step(reached, amount_in if reached == target else remaining, amount_out - fee, fee)


def _after_fee(way: Way, amount: int, rate: int) -> int:
    """Return what of an input moves the price. Rounds down."""
    return mul_div_floor(amount, RATE_DENOMINATOR - rate, RATE_DENOMINATOR) if way.fee_on_input else amount


def exact_out_step(way: Way, price: int, target: int, liquidity: int, remaining: int, rate: int) -> Step:
    """Return the step that pays at most `remaining`, fee deducted, and goes no further than `target`.

    Raises:
        ProgramRefusal: an amount or a price overflows.
    """
    upwards, fee_on_input = way
    wanted = remaining if fee_on_input else u64(mul_div_ceil(remaining, RATE_DENOMINATOR, RATE_DENOMINATOR - rate))
    amounts = _amounts_between(price, target, liquidity, upwards)
    reached = target
    if amounts is None or wanted < amounts[1]:
        reached = _price_after_output(price, liquidity, wanted, upwards)
        amounts = _partial_amounts(price, reached, target, liquidity, upwards)
    amount_in, amount_out = amounts
    if fee_on_input:
        return Step(reached, amount_in, min(amount_out, remaining), _fee_before(amount_in, rate))
    net = min(amount_out - mul_div_ceil(amount_out, rate, RATE_DENOMINATOR), remaining)
    return Step(reached, amount_in, net, amount_out - net)


def _amounts_between(price: int, other: int, liquidity: int, upwards: bool) -> tuple[int, int] | None:
    """Return input, rounded up, and output, rounded down, of a move between two prices; None if one exceeds u64."""
    moved = liquidity * abs(other - price)
    if upwards:
        amount_in, amount_out = moved + Q64 - 1 >> 64, (moved << 64) // (price * other)
    else:
        amount_in, amount_out = mul_div_ceil(moved, Q64, price * other), moved >> 64
    if amount_in > U64_MAX or amount_out > U64_MAX:
        return None
    return amount_in, amount_out


def _partial_amounts(price: int, reached: int, target: int, liquidity: int, upwards: bool) -> tuple[int, int]:
    if reached > target if upwards else reached < target:
        raise PriceInconsistent("the step goes beyond its target")
    amounts = _amounts_between(price, reached, liquidity, upwards)
    if amounts is None:
        raise TokenAmountOverflow("a step moves more than u64")
    return amounts


def _price_after_input(price: int, liquidity: int, amount: int, upwards: bool) -> int:
    """Return the price that `amount` of input moves to, rounded so that it never goes further."""
    _check_price(price)
    if amount == 0:
        return price
    if upwards:
        return price + (amount << 64) // liquidity
    return mul_div_ceil(liquidity << 64, price, (liquidity << 64) + amount * price)


def _price_after_output(price: int, liquidity: int, amount: int, upwards: bool) -> int:
    """Return the price that `amount` of output moves to, rounded so that it goes far enough."""
    _check_price(price)
    if amount == 0:
        return price
    if upwards:
        left = (liquidity << 64) - amount * price
        reached = mul_div_ceil(liquidity << 64, price, left) if left > 0 else U128_MAX + 1
    else:
        reached = price - mul_div_ceil(amount, Q64, liquidity)
    if not 0 <= reached <= U128_MAX:
        raise MathOverflow("the price after the step does not fit u128")
    return reached


def _check_price(price: int) -> None:
    if not MIN_SQRT_PRICE_X64 <= price < MAX_SQRT_PRICE_X64:
        raise PriceOutOfRange(f"square-root price {price} is out of range")


def _fee_before(amount: int, rate: int) -> int:
    """Return the fee that comes on top of `amount`. Rounds up."""
    return u64(mul_div_ceil(amount, rate, RATE_DENOMINATOR - rate))


def u64(amount: int) -> int:
    """Return the amount.

    Raises:
        MathOverflow: it is negative or exceeds u64.
    """
    if not 0 <= amount <= U64_MAX:
        raise MathOverflow(f"the amount {amount} does not fit u64")
    return amount
