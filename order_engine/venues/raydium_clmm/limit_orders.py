"""Limit orders resting at a tick, and what a swap that arrives there takes of them.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src/states/tick_array.rs, commit 03b44b7.
"""

from typing import NamedTuple

from order_engine.domain.amounts import mul_div_ceil, mul_div_floor
from order_engine.venues.raydium_clmm.layout import RATE_DENOMINATOR
from order_engine.venues.raydium_clmm.math import Way, u64
from order_engine.venues.raydium_clmm.refusals import MathOverflow
from order_engine.venues.raydium_clmm.tick_arrays import Tick
from order_engine.venues.raydium_clmm.ticks import Q64, U128_MAX


class Match(NamedTuple):
    """What a swap takes, and the tick afterwards. The fee is inside neither amount, as in a step."""

    amount_in: int
    amount_out: int
    fee_amount: int
    tick: Tick


def match_exact_in(way: Way, tick: Tick, sqrt_price_x64: int, remaining: int, rate: int) -> Match:
    """Return what `remaining` of input buys at the tick, fee included: all that rests there, or all it pays for.

    Raises:
        MathOverflow: an amount or the price does.
    """
    price = _price(sqrt_price_x64, round_up=way.upwards)
    fee = mul_div_ceil(remaining, rate, RATE_DENOMINATOR) if way.fee_on_input else 0
    amount_in = remaining - fee
    amount_out = mul_div_floor(amount_in, Q64, price) if way.upwards else mul_div_floor(amount_in, price, Q64)
    if amount_out > tick.resting:
        amount_out = tick.resting
        amount_in = _input_for(amount_out, price, way)
        fee = _input_fee(amount_in, rate, way)
    return _matched(way, tick, amount_in, amount_out, fee, rate)


def match_exact_out(way: Way, tick: Tick, sqrt_price_x64: int, remaining: int, rate: int) -> Match:
    """Return what it takes to get `remaining` of output at the tick, or all that rests there.

    Raises:
        MathOverflow: an amount or the price does.
    """
    price = _price(sqrt_price_x64, round_up=way.upwards)
    amount_out = min(remaining, tick.resting)
    if not way.fee_on_input:
        gross = u64(mul_div_ceil(amount_out, RATE_DENOMINATOR, RATE_DENOMINATOR - rate))
        amount_out = min(gross, tick.resting)
    amount_in = _input_for(amount_out, price, way)
    return _matched(way, tick, amount_in, amount_out, _input_fee(amount_in, rate, way), rate)


def _price(sqrt_price_x64: int, *, round_up: bool) -> int:
    square = sqrt_price_x64 * sqrt_price_x64
    price = (square + Q64 - 1 if round_up else square) >> 64
    if not 0 < price <= U128_MAX:
        raise MathOverflow(f"the price {price} of a limit order does not fit u128")
    return price


def _input_for(amount_out: int, price: int, way: Way) -> int:
    return u64(mul_div_ceil(amount_out, price, Q64) if way.upwards else mul_div_ceil(amount_out, Q64, price))


def _input_fee(amount_in: int, rate: int, way: Way) -> int:
    return u64(mul_div_ceil(amount_in, rate, RATE_DENOMINATOR - rate)) if way.fee_on_input else 0


def _matched(way: Way, tick: Tick, amount_in: int, gross_out: int, input_fee: int, rate: int) -> Match:
    after = _consumed(tick, gross_out)
    if way.fee_on_input:
        return Match(amount_in, gross_out, input_fee, after)
    fee = mul_div_ceil(gross_out, rate, RATE_DENOMINATOR)
    return Match(amount_in, gross_out - fee, fee, after)


def _consumed(tick: Tick, amount: int) -> Tick:
    """Take `amount` from the tick's orders: first from those partly filled, then from the others, as a new phase."""
    part, ratio = tick.part_filled_amount, tick.unfilled_ratio_x64
    from_part = min(part, amount)
    if from_part:
        ratio = mul_div_floor(ratio, part - from_part, part)
    rest = amount - from_part
    if rest == 0:
        return tick._replace(part_filled_amount=part - from_part, unfilled_ratio_x64=ratio)
    return tick._replace(
        order_phase=min(tick.order_phase + 1, 2**64 - 1),
        orders_amount=0,
        part_filled_amount=tick.orders_amount - rest,
        unfilled_ratio_x64=mul_div_floor(Q64, tick.orders_amount - rest, tick.orders_amount),
    )
