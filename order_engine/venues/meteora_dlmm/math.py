"""Prices of bins and amounts inside one bin. Prices are Y per X in base units, Q64."""

from typing import Final

from order_engine.domain.amounts import BPS, mul_div_ceil, mul_div_floor
from order_engine.venues.meteora_dlmm.refusals import MathOverflow

FEE_DENOMINATOR: Final = 10**9
MAX_FEE_NUMERATOR: Final = 10**8
Q64_BITS: Final = 64
Q64: Final = 1 << Q64_BITS
U128_MAX: Final = 2**128 - 1

_EXPONENT_BITS: Final = 19


def price_of(bin_id: int, bin_step: int) -> int:
    """Return (1 + bin_step / 10^4) ^ bin_id, as the program's chain of squares rounds it.

    The base is inverted first, so that every factor is below 1, and the result is inverted back.

    Raises:
        MathOverflow: the price does not fit Q64.64.
    """
    if bin_id == 0:
        return Q64
    exponent = abs(bin_id)
    if exponent >> _EXPONENT_BITS:
        raise MathOverflow(f"bin {bin_id} has no price")
    factor = mul_div_floor(U128_MAX, 1, Q64 + mul_div_floor(bin_step, Q64, BPS))
    result = Q64
    while exponent:
        if exponent & 1:
            result = result * factor >> Q64_BITS
        factor = factor * factor >> Q64_BITS
        exponent >>= 1
    if result == 0:
        raise MathOverflow(f"the price of bin {bin_id} does not fit")
    return result if bin_id < 0 else mul_div_floor(U128_MAX, 1, result)


def output_of(net_in: int, price: int, *, x_to_y: bool) -> int:
    """Return what a bin pays for an input without fees. Rounds down."""
    return net_in * price >> Q64_BITS if x_to_y else mul_div_floor(net_in, Q64, price)


def input_for(output: int, price: int, *, x_to_y: bool) -> int:
    """Return the input without fees that takes `output` out of a bin. Rounds up."""
    return mul_div_ceil(output, Q64, price) if x_to_y else -(-output * price >> Q64_BITS)


def base_fee(base_factor: int, bin_step: int, power: int) -> int:
    """Return the fee numerator that is always charged."""
    scale: int = 10 ** (1 + power)
    return base_factor * bin_step * scale


def variable_fee(control: int, accumulator: int, bin_step: int) -> int:
    """Return the fee numerator on top at this volatility. Rounds up."""
    return mul_div_ceil(control, (accumulator * bin_step) ** 2, 10**11)


def fee_on(amount: int, numerator: int) -> int:
    """Return the fee inside `amount`. Rounds up."""
    return mul_div_ceil(amount, numerator, FEE_DENOMINATOR)


def with_fee(net: int, numerator: int) -> int:
    """Return the amount that leaves `net` after the fee. Rounds up."""
    return mul_div_ceil(net, FEE_DENOMINATOR, FEE_DENOMINATOR - numerator)
