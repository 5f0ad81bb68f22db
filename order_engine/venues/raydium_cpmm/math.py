"""What a swap on a Raydium CPMM pool pays, rounding for rounding as the program computes it.

Source: raydium-io/raydium-cp-swap (Apache-2.0), commit 609780f, programs/cp-swap/src: curve/calculator.rs,
curve/fees.rs, curve/constant_product.rs, instructions/swap_base_{input,output}.rs, states/pool.rs.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from order_engine.domain.amounts import U64_MAX, mul_div_ceil, mul_div_floor
from order_engine.domain.errors import QuoteRefused
from order_engine.domain.tokens import NO_TRANSFER_FEE, TransferFee
from order_engine.venues.raydium_cpmm.layout import AmmConfig, PoolState

FEE_DENOMINATOR: Final = 10**6
U128_MAX: Final = 2**128 - 1

REQUIRE_GT_VIOLATED: Final = 2505  # an amount is zero
ZERO_TRADING_TOKENS: Final = 6006
MATH_OVERFLOW: Final = 6011
INSUFFICIENT_VAULT: Final = 6012


class ProgramRefuses(QuoteRefused):
    """The program fails on this swap: with a custom error, or, when `program_error` is None, by a panic."""

    def __init__(self, program_error: int | None, message: str) -> None:
        super().__init__(message)
        self.program_error = program_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One direction of a pool. Rates are millionths."""

    reserve_in: int
    reserve_out: int
    trade_fee_rate: int
    protocol_fee_rate: int  # of the trade fee
    fund_fee_rate: int  # of the trade fee
    creator_fee_rate: int  # 0 when the pool charges none
    is_creator_fee_on_input: bool
    transfer_fee_in: TransferFee
    transfer_fee_out: TransferFee


class SwapAmounts(NamedTuple):
    """A swap in all its parts. `amount_*` is what the trader's accounts see, `pool_amount_*` what the vaults see."""

    amount_in: int
    amount_out: int
    pool_amount_in: int
    pool_amount_out: int
    curve_amount_in: int  # moves the price: pool_amount_in without fees
    curve_amount_out: int  # before a creator fee on the output
    trade_fee: int  # of the input token, protocol's and fund's share included
    creator_fee: int  # of the input token, or of the output token
    terms: Market

    @property
    def protocol_fee(self) -> int:
        return _share(self.trade_fee, self.terms.protocol_fee_rate)

    @property
    def fund_fee(self) -> int:
        return _share(self.trade_fee, self.terms.fund_fee_rate)


def market(
    state: PoolState,
    config: AmmConfig,
    vault_amounts: tuple[int, int],
    transfer_fees: tuple[TransferFee, TransferFee],
    side_in: int,
) -> Market:
    """Return the pool's terms for selling token 0 or 1 (`side_in`).

    Raises:
        ProgramRefuses: a vault holds no more than the pool owes to others.
    """
    side_out = 1 - side_in
    return Market(
        reserve_in=_reserve(vault_amounts[side_in], state.owed(side_in)),
        reserve_out=_reserve(vault_amounts[side_out], state.owed(side_out)),
        trade_fee_rate=config.trade_fee_rate,
        protocol_fee_rate=config.protocol_fee_rate,
        fund_fee_rate=config.fund_fee_rate,
        creator_fee_rate=config.creator_fee_rate if state.is_creator_fee_enabled else 0,
        is_creator_fee_on_input=state.is_creator_fee_on_input(side_in),
        transfer_fee_in=transfer_fees[side_in],
        transfer_fee_out=transfer_fees[side_out],
    )


def _reserve(vault_amount: int, owed: int) -> int:
    if owed > U64_MAX:
        raise ProgramRefuses(MATH_OVERFLOW, "the pool's fee counters exceed u64")
    if owed > vault_amount:
        raise ProgramRefuses(INSUFFICIENT_VAULT, "the pool owes more fees than its vault holds")
    if owed == vault_amount:
        raise ProgramRefuses(None, "the pool is empty")
    return vault_amount - owed


def swap_exact_in(terms: Market, amount_in: int) -> SwapAmounts:
    """Return what the trader gets for `amount_in`. Fees round up, the output rounds down.

    Raises:
        ProgramRefuses: nothing would enter the pool or reach the trader, or a rate is beyond the program's limits.
    """
    pool_amount_in, trade_rate, creator_rate = amount_in, terms.trade_fee_rate, terms.creator_fee_rate
    if terms.transfer_fee_in is not NO_TRANSFER_FEE:
        pool_amount_in -= terms.transfer_fee_in.on(amount_in)
    if pool_amount_in <= 0:
        raise ProgramRefuses(REQUIRE_GT_VIOLATED, "nothing of the input reaches the pool")
    on_input = terms.is_creator_fee_on_input
    input_fee = mul_div_ceil(pool_amount_in, trade_rate + creator_rate if on_input else trade_rate, FEE_DENOMINATOR)
    curve_in = _not_negative(pool_amount_in - input_fee)
    curve_out = mul_div_floor(curve_in, terms.reserve_out, terms.reserve_in + curve_in)
    trade_fee, creator_fee, pool_amount_out = input_fee, 0, curve_out
    if on_input and (creator_rate or not trade_rate):  # without any rate the program fails on the division
        trade_fee, creator_fee = _split(terms, input_fee)
    elif creator_rate:
        creator_fee = mul_div_ceil(curve_out, creator_rate, FEE_DENOMINATOR)
        pool_amount_out = _not_negative(curve_out - creator_fee)
    amount_out = pool_amount_out
    if terms.transfer_fee_out is not NO_TRANSFER_FEE:
        amount_out -= terms.transfer_fee_out.on(pool_amount_out)
    if amount_out <= 0:
        raise ProgramRefuses(REQUIRE_GT_VIOLATED, "the output rounds down to nothing")
    return SwapAmounts(
        amount_in,
        amount_out,
        pool_amount_in,
        pool_amount_out,
        curve_in,
        curve_out,
        trade_fee,
        creator_fee,
        terms,
    )


def swap_exact_out(terms: Market, amount_out: int) -> SwapAmounts:
    """Return what the trader pays to receive `amount_out`. Every step rounds up.

    Raises:
        ProgramRefuses: `amount_out` is 0 or not below the reserve, or what must be paid exceeds u64.
    """
    if amount_out <= 0:
        raise ProgramRefuses(REQUIRE_GT_VIOLATED, "no output is wanted")
    pool_amount_out = _u64(terms.transfer_fee_out.amount_before(amount_out))
    curve_out = pool_amount_out
    if not terms.is_creator_fee_on_input:
        if terms.creator_fee_rate >= FEE_DENOMINATOR:
            raise ProgramRefuses(ZERO_TRADING_TOKENS, "the creator fee takes all of the output")
        curve_out = _before_fee(pool_amount_out, terms.creator_fee_rate)
    if curve_out >= terms.reserve_out:
        raise ProgramRefuses(None, "the pool does not hold that much")
    curve_in = mul_div_ceil(terms.reserve_in, curve_out, terms.reserve_out - curve_out)
    pool_amount_in = _before_fee(curve_in, _input_fee_rate(terms))
    input_fee = pool_amount_in - curve_in
    if terms.is_creator_fee_on_input:
        trade_fee, creator_fee = _split(terms, input_fee)
    else:
        trade_fee, creator_fee = input_fee, curve_out - pool_amount_out
    _share(trade_fee, max(terms.protocol_fee_rate, terms.fund_fee_rate))  # only here the fee may exceed u64
    return SwapAmounts(
        amount_in=_u64(terms.transfer_fee_in.amount_before(_u64(pool_amount_in))),
        amount_out=amount_out,
        pool_amount_in=pool_amount_in,
        pool_amount_out=pool_amount_out,
        curve_amount_in=curve_in,
        curve_amount_out=curve_out,
        trade_fee=trade_fee,
        creator_fee=creator_fee,
        terms=terms,
    )


def _input_fee_rate(terms: Market) -> int:
    return terms.trade_fee_rate + (terms.creator_fee_rate if terms.is_creator_fee_on_input else 0)


def _split(terms: Market, input_fee: int) -> tuple[int, int]:
    """Divide one input fee into trade fee and creator fee. The creator's part rounds down."""
    rate = terms.trade_fee_rate + terms.creator_fee_rate
    if rate == 0:
        raise ProgramRefuses(ZERO_TRADING_TOKENS, "the program cannot split a fee whose rates are both zero")
    creator_fee = mul_div_floor(input_fee, terms.creator_fee_rate, rate)
    return input_fee - creator_fee, creator_fee


def _share(trade_fee: int, rate: int) -> int:
    if trade_fee * rate > U128_MAX:
        raise ProgramRefuses(ZERO_TRADING_TOKENS, "a share of the trade fee exceeds u128")
    return mul_div_floor(trade_fee, rate, FEE_DENOMINATOR)


def _before_fee(amount: int, rate: int) -> int:
    """Return what must be there so that `amount` is left after the fee. Rounds up."""
    if rate == 0:
        return amount
    if rate >= FEE_DENOMINATOR or amount * FEE_DENOMINATOR > U128_MAX:
        raise ProgramRefuses(None, "the amount before fees exceeds u128")
    return mul_div_ceil(amount, FEE_DENOMINATOR, FEE_DENOMINATOR - rate)


def _not_negative(amount: int) -> int:
    if amount < 0:
        raise ProgramRefuses(ZERO_TRADING_TOKENS, "the fees exceed the amount")
    return amount


def _u64(amount: int) -> int:
    if amount > U64_MAX:
        raise ProgramRefuses(None, "an amount exceeds u64")
    return amount
