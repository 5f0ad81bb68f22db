"""What a swap on a Raydium AMM v4 pool pays, rounding for rounding as the program computes it.

Source: raydium-io/raydium-amm (Apache-2.0), commit 27f461d, program/src: math.rs (swap_token_amount_base_in and
_base_out, checked_ceil_div), processor.rs (process_swap_base_in and _out). Programs older than commit 78c6a81 round
a fee below one base unit half up; this one rounds every fee up.
"""

from typing import Final, NamedTuple

from order_engine.domain.amounts import U64_MAX, mul_div_ceil, mul_div_floor
from order_engine.domain.errors import QuoteRefused
from order_engine.venues.raydium_amm_v4.layout import PoolState

U128_MAX: Final = 2**128 - 1

INVALID_INPUT: Final = 29  # an amount is zero
EXCEEDED_SLIPPAGE: Final = 30
PNL_EXCEEDS_VAULT: Final = 32
INSUFFICIENT_FUNDS: Final = 40


class ProgramRefuses(QuoteRefused):
    """The program fails on this swap: with a custom error, or, when `program_error` is None, by a panic."""

    def __init__(self, program_error: int | None, message: str) -> None:
        super().__init__(message)
        self.program_error = program_error


class Market(NamedTuple):
    """One direction of a pool. The fee is a fraction of the input."""

    reserve_in: int
    reserve_out: int
    fee_numerator: int
    fee_denominator: int


class SwapAmounts(NamedTuple):
    amount_in: int
    amount_out: int
    fee_amount: int  # of the input; stays in the pool
    curve_amount_in: int  # moves the price: amount_in without the fee


def market(state: PoolState, vault_amounts: tuple[int, int], side_in: int) -> Market:
    """Return the pool's terms for selling coin (`side_in` 0) or pc (1).

    Raises:
        ProgramRefuses: a vault holds less than the protocol is owed of it.
    """
    reserves = vault_amounts[0] - state.need_take_pnl[0], vault_amounts[1] - state.need_take_pnl[1]
    if reserves[0] < 0 or reserves[1] < 0:
        raise ProgramRefuses(PNL_EXCEEDS_VAULT, "the pool owes more than its vault holds")
    return Market(reserves[side_in], reserves[1 - side_in], state.swap_fee_numerator, state.swap_fee_denominator)


def swap_exact_in(terms: Market, amount_in: int) -> SwapAmounts:
    """Return what `amount_in` buys, possibly nothing. The fee rounds up, the output rounds down.

    Raises:
        ProgramRefuses: the fee is no fraction, or the pool is empty.
    """
    reserve_in, reserve_out, numerator, denominator = terms
    if denominator == 0:
        raise ProgramRefuses(None, "the pool's fee is a fraction of zero")
    fee = mul_div_ceil(amount_in, numerator, denominator)
    curve_in = amount_in - fee
    if curve_in < 0:
        raise ProgramRefuses(None, "the fee exceeds the amount")
    if reserve_in + curve_in == 0:
        raise ProgramRefuses(None, "the pool is empty")
    amount_out = mul_div_floor(reserve_out, curve_in, reserve_in + curve_in)
    return SwapAmounts(amount_in, amount_out, fee, curve_in)


def swap_exact_out(terms: Market, amount_out: int) -> SwapAmounts:
    """Return what `amount_out` costs, possibly nothing. Both steps round up.

    Raises:
        ProgramRefuses: the pool does not hold more than that, its fee takes everything, or the cost exceeds u64.
    """
    if amount_out >= terms.reserve_out:
        raise ProgramRefuses(None, "the pool does not hold that much")
    if terms.fee_numerator >= terms.fee_denominator:
        raise ProgramRefuses(None, "the fee takes all of the input")
    curve_in = mul_div_ceil(terms.reserve_in, amount_out, terms.reserve_out - amount_out)
    if curve_in * terms.fee_denominator > U128_MAX:
        raise ProgramRefuses(None, "the amount before fees exceeds u128")
    amount_in = mul_div_ceil(curve_in, terms.fee_denominator, terms.fee_denominator - terms.fee_numerator)
    if amount_in > U64_MAX:
        raise ProgramRefuses(None, "the amount before fees exceeds u64")
    return SwapAmounts(amount_in, amount_out, amount_in - curve_in, curve_in)


def check_paid(terms: Market, amounts: SwapAmounts) -> None:
    """Look at what would move, as the program does after its slippage test.

    Raises:
        ProgramRefuses: an amount is zero, or the output is all that the pool holds.
    """
    if amounts.amount_in == 0 or amounts.amount_out == 0:
        raise ProgramRefuses(INVALID_INPUT, "the amount rounds down to nothing")
    if amounts.amount_out >= terms.reserve_out:
        raise ProgramRefuses(INSUFFICIENT_FUNDS, "the pool does not hold that much")
