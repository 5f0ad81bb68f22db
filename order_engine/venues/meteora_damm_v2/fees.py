"""What a swap is charged: the base fee by its schedule, the volatility fee on top, and who gets which part.

Fee numerators are of 10^9.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from order_engine.domain.amounts import BPS, mul_div_ceil, mul_div_floor
from order_engine.venues.meteora_damm_v2.fee_state import (
    DynamicFee,
    MarketCapScheduler,
    RateLimiter,
    TimeScheduler,
)
from order_engine.venues.meteora_damm_v2.layout import ActivationType, CollectFeeMode, PoolState
from order_engine.venues.meteora_damm_v2.math import Q64
from order_engine.venues.meteora_damm_v2.refusals import MathOverflow

FEE_DENOMINATOR: Final = 10**9
_MAX_FEE_NUMERATORS: Final = (500_000_000, 990_000_000)  # by fee_version
_NUMERATOR_PER_BPS: Final = FEE_DENOMINATOR // BPS
_DYNAMIC_SCALE: Final = 10**11
_PERCENT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTime:
    slot: int
    unix_timestamp: int


class FeeSplit(NamedTuple):
    """A fee in parts. The liquidity providers get what is not named here."""

    total: int
    protocol: int
    referral: int
    compounding: int


def fee_is_on_input(mode: CollectFeeMode, *, a_to_b: bool) -> bool:
    return mode is not CollectFeeMode.BOTH_TOKENS and not a_to_b


def pool_time(state: PoolState, time: ChainTime) -> int:
    """Return now, in what the pool's activation counts in."""
    return time.slot if state.activation_type is ActivationType.SLOT else time.unix_timestamp


def fee_numerator(state: PoolState, time: ChainTime, amount_in: int, *, a_to_b: bool) -> int:
    """Return the whole fee for a swap of `amount_in`, counted after the input's transfer fee."""
    return _with_dynamic_fee(state, _base_fee_numerator(state, pool_time(state, time), amount_in, a_to_b=a_to_b))


def fee_numerator_of_net(state: PoolState, time: ChainTime, net_in: int, *, a_to_b: bool) -> int:
    """Return the whole fee for a swap whose input leaves `net_in` after a fee on the input.

    To the unit as the program finds it, except while a limiter's fee still rises with the amount: this then leads to
    the least input that is enough, and the program was seen to take some units or billionths more or less.
    """
    if isinstance(state.base_fee, RateLimiter) and limiter_is_on(state, time, a_to_b=a_to_b):
        return _with_dynamic_fee(state, _limited_of_net(state.base_fee, net_in))
    return fee_numerator(state, time, net_in, a_to_b=a_to_b)


def limiter_is_on(state: PoolState, time: ChainTime, *, a_to_b: bool) -> bool:
    """Say whether the fee depends on the amount."""
    fee = state.base_fee
    if not isinstance(fee, RateLimiter) or a_to_b or fee.reference_amount == 0 or fee.fee_increment_bps == 0:
        return False
    return 0 <= pool_time(state, time) - state.activation_point <= fee.max_limiter_duration


def fee_on(amount: int, numerator: int) -> int:
    """Return the fee inside `amount`. Rounds up."""
    return mul_div_ceil(amount, numerator, FEE_DENOMINATOR)


def with_fee(net: int, numerator: int) -> int:
    """Return the amount that leaves `net` after the fee. Rounds up."""
    return mul_div_ceil(net, FEE_DENOMINATOR, FEE_DENOMINATOR - numerator)


def split_fee(state: PoolState, fee: int, *, has_referral: bool) -> FeeSplit:
    """Return the parts of `fee`, each rounded down; the referral comes out of the protocol's part."""
    protocol = mul_div_floor(fee, state.protocol_fee_percent, _PERCENT)
    referral = mul_div_floor(protocol, state.referral_fee_percent, _PERCENT) if has_referral else 0
    compounding = 0
    if state.collect_fee_mode is CollectFeeMode.COMPOUNDING:
        compounding = mul_div_floor(fee - protocol, state.compounding_fee_bps, BPS)
    return FeeSplit(total=fee, protocol=protocol - referral, referral=referral, compounding=compounding)


def update_dynamic_fee(fee: DynamicFee, price_before: int, price_after: int, unix_timestamp: int) -> DynamicFee:
    """Return the volatility as the program stores it after a swap. The swap itself paid by the one before."""
    require_volatility(fee, price_before, price_after, unix_timestamp)
    reference, volatility = fee.sqrt_price_reference, fee.volatility_reference
    elapsed = unix_timestamp - fee.last_update_timestamp
    if elapsed >= fee.filter_period:
        reference = price_before
        decayed = mul_div_floor(fee.volatility_accumulator, fee.reduction_factor, BPS)
        volatility = decayed if elapsed < fee.decay_period else 0
    accumulator = volatility + BPS * _bins_between(fee, price_after, reference)
    moved = _bins_between(fee, price_after, price_before) > 0
    return replace(
        fee,
        sqrt_price_reference=reference,
        volatility_reference=volatility,
        volatility_accumulator=min(fee.max_volatility_accumulator, accumulator),
        last_update_timestamp=unix_timestamp if moved else fee.last_update_timestamp,
    )


def require_volatility(fee: DynamicFee, price_before: int, price_after: int, unix_timestamp: int) -> None:
    """Raise MathOverflow where the program cannot tell how far the price moves."""
    keeps_reference = unix_timestamp - fee.last_update_timestamp < fee.filter_period
    reference = fee.sqrt_price_reference if keeps_reference else price_before
    if 0 in (fee.bin_step_u128, price_before, price_after, reference):
        raise MathOverflow("a price or the bin step of the dynamic fee is zero")


def _bins_between(fee: DynamicFee, price: int, other: int) -> int:
    lower, upper = sorted((price, other))
    # Prices are square roots: a step of one is two bins.
    return 2 * mul_div_floor(mul_div_floor(upper, Q64, lower) - Q64, 1, fee.bin_step_u128)


def _with_dynamic_fee(state: PoolState, base_fee_numerator: int) -> int:
    dynamic = _dynamic_fee_numerator(state.dynamic_fee) if state.dynamic_fee else 0
    return min(_MAX_FEE_NUMERATORS[state.fee_version], base_fee_numerator + dynamic)


def _dynamic_fee_numerator(fee: DynamicFee) -> int:
    return mul_div_ceil(fee.variable_fee_control, (fee.volatility_accumulator * fee.bin_step) ** 2, _DYNAMIC_SCALE)


def _base_fee_numerator(state: PoolState, now: int, amount_in: int, *, a_to_b: bool) -> int:
    fee, elapsed = state.base_fee, now - state.activation_point
    match fee:
        case TimeScheduler():
            return _reduced(fee, _periods_by_time(fee, elapsed))
        case MarketCapScheduler():
            return _reduced(fee, _periods_by_price(fee, state, elapsed))
        case RateLimiter():
            if a_to_b or not 0 <= elapsed <= fee.max_limiter_duration:
                return fee.cliff_fee_numerator
            return _limited(fee, amount_in)


def _periods_by_time(fee: TimeScheduler, elapsed: int) -> int:
    if fee.period_frequency == 0:
        return 0
    if elapsed < 0:
        return fee.number_of_periods
    return min(fee.number_of_periods, elapsed // fee.period_frequency)


def _periods_by_price(fee: MarketCapScheduler, state: PoolState, elapsed: int) -> int:
    if elapsed > fee.scheduler_expiration_duration:
        return fee.number_of_periods
    risen = state.sqrt_price - state.init_sqrt_price
    if risen <= 0 or state.init_sqrt_price == 0 or fee.sqrt_price_step_bps == 0:
        return 0
    risen_bps = mul_div_floor(risen, BPS, state.init_sqrt_price)
    return min(fee.number_of_periods, risen_bps // fee.sqrt_price_step_bps)


def _reduced(fee: TimeScheduler | MarketCapScheduler, periods: int) -> int:
    if fee.exponential:
        base = Q64 - mul_div_floor(fee.reduction_factor, Q64, BPS)
        return mul_div_floor(fee.cliff_fee_numerator, _power(base, periods), Q64)
    reduced = fee.cliff_fee_numerator - fee.reduction_factor * periods
    if reduced < 0:
        raise MathOverflow("the fee schedule falls below zero")
    return reduced


def _power(base: int, exponent: int) -> int:
    """Return base ** exponent in Q64, every product rounded down as the program does."""
    if base < 0:
        raise MathOverflow("the fee schedule falls below zero")
    power = Q64
    while exponent:
        if exponent & 1:
            power = mul_div_floor(power, base, Q64)
        base = mul_div_floor(base, base, Q64)
        exponent >>= 1
    return power


def _limited(fee: RateLimiter, amount: int) -> int:
    """Charge each further reference amount one increment more, up to the maximum. Rounds up."""
    cliff, reference = fee.cliff_fee_numerator, fee.reference_amount
    increment, maximum = _increment(fee), _maximum(fee)
    if amount <= reference or reference == 0 or increment == 0:
        return cliff
    full, rest = divmod(amount - reference, reference)
    last = _increments(fee)
    if full < last:
        at_increments = reference * (cliff + cliff * full + increment * full * (full + 1) // 2)
        charged = at_increments + rest * (cliff + increment * (full + 1))
    else:
        at_increments = reference * (cliff + cliff * last + increment * last * (last + 1) // 2)
        charged = at_increments + ((full - last) * reference + rest) * maximum
    return mul_div_ceil(mul_div_ceil(charged, 1, FEE_DENOMINATOR), FEE_DENOMINATOR, amount)


def _limited_of_net(fee: RateLimiter, net: int) -> int:
    """Return what `_limited` charges the input that leaves `net`. Rounds up."""
    if net <= _net_of(fee, fee.reference_amount):
        return fee.cliff_fee_numerator
    maximum, highest = _maximum(fee), fee.reference_amount * (_increments(fee) + 1)
    if maximum >= FEE_DENOMINATOR:
        raise MathOverflow("the fee takes all of the amount")
    above = net - _net_of(fee, highest)
    amount = highest + with_fee(above, maximum) if above > 0 else _least_leaving(fee, net, highest)
    return mul_div_ceil(amount - net, FEE_DENOMINATOR, amount)


def _least_leaving(fee: RateLimiter, net: int, highest: int) -> int:
    low, high = fee.reference_amount, highest
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _net_of(fee, middle) >= net else (middle + 1, high)
    return low


def _net_of(fee: RateLimiter, amount: int) -> int:
    return amount - fee_on(amount, _limited(fee, amount))


def _increments(fee: RateLimiter) -> int:
    """Return after how many whole increments the next one would exceed the maximum."""
    return max(0, _maximum(fee) - fee.cliff_fee_numerator) // _increment(fee)


def _increment(fee: RateLimiter) -> int:
    return fee.fee_increment_bps * _NUMERATOR_PER_BPS


def _maximum(fee: RateLimiter) -> int:
    return fee.max_fee_bps * _NUMERATOR_PER_BPS
