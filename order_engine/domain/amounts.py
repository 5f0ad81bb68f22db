"""Integer money. Amounts are ints in base units (lamports for SOL); rates are ints in bps."""

from typing import Final

BPS: Final = 10_000
U64_MAX: Final = 2**64 - 1
LAMPORTS_PER_SIGNATURE: Final = 5_000


def mul_div_floor(a: int, b: int, denominator: int) -> int:
    """Return a * b / denominator, rounded down."""
    return a * b // denominator


def mul_div_ceil(a: int, b: int, denominator: int) -> int:
    """Return a * b / denominator, rounded up."""
    return -(-a * b // denominator)


def min_amount_out(amount_out: int, slippage_bps: int) -> int:
    """Return the least the trader accepts, in base units of the output token. Rounds down, but never to 0.

    A program that is told to accept 0 may take the input and pay nothing.
    """
    return max(1, mul_div_floor(amount_out, BPS - slippage_bps, BPS))


def network_fee_lamports(compute_unit_limit: int, compute_unit_price_micro_lamports: int) -> int:
    """Return what one signature and the priority fee cost. Rounds up, as the runtime does."""
    return LAMPORTS_PER_SIGNATURE + mul_div_ceil(compute_unit_limit, compute_unit_price_micro_lamports, 10**6)
