"""A whole swap: Token-2022 transfer fees around the walk, and what the program checks of the result.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src/instructions/swap_v2.rs, commit 03b44b7.
"""

from dataclasses import dataclass

from order_engine.domain.tokens import TransferFee
from order_engine.venues.raydium_clmm.layout import SWAP_DISABLED, PoolState
from order_engine.venues.raydium_clmm.math import u64
from order_engine.venues.raydium_clmm.refusals import (
    AmountIsZero,
    NotOpenYet,
    PartialFill,
    PriceLimitInvalid,
    SwapDisabled,
    SwapTooSmall,
    TransferFeeMismatch,
)
from order_engine.venues.raydium_clmm.ticks import MAX_SQRT_PRICE_X64, MIN_SQRT_PRICE_X64
from order_engine.venues.raydium_clmm.walk import Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapAmounts:
    """`amount_*` is what the trader's accounts see, `pool_amount_*` what the vaults see."""

    amount_in: int
    amount_out: int
    pool_amount_in: int
    pool_amount_out: int


def check_open(state: PoolState, unix_timestamp: int) -> None:
    """Check that the pool has opened.

    Raises:
        NotOpenYet: it has not.
    """
    if unix_timestamp <= state.open_time:
        raise NotOpenYet(f"the pool opens after {state.open_time}")


def check_swap(state: PoolState, given: int) -> None:
    """Check that there is something to swap, and that the pool swaps.

    Raises:
        AmountIsZero, SwapDisabled: there is not, it does not.
    """
    if given == 0:
        raise AmountIsZero("nothing is to be swapped")
    if state.status & SWAP_DISABLED:
        raise SwapDisabled("swaps are switched off")


def check_limit(state: PoolState, limit: int, *, upwards: bool) -> None:
    """Check a square-root price limit against the pool's price.

    Raises:
        PriceLimitInvalid: it does not lie ahead.
    """
    price = state.sqrt_price_x64
    ahead = price < limit < MAX_SQRT_PRICE_X64 if upwards else MIN_SQRT_PRICE_X64 < limit < price
    if not ahead:
        raise PriceLimitInvalid(f"the price limit {limit} does not lie ahead of {price}")


def pool_amount(amount: int, transfer_fee: TransferFee, *, exact_in: bool) -> int:
    """Return the amount in the pool's view: what arrives of an input, what must leave for an output.

    Raises:
        TransferFeeMismatch, MathOverflow: the output has no amount before the fee.
    """
    return amount - transfer_fee.on(amount) if exact_in else _before_fee(amount, transfer_fee)


def settle(walk: Walk, amount: int, given: int, fee_in: TransferFee, fee_out: TransferFee) -> SwapAmounts:
    """Return what a walk means for trader and vaults. `given`: the pool's view of `amount`, what the walk began with.

    Raises:
        SwapTooSmall: one side is nothing.
        TransferFeeMismatch, MathOverflow: the input has no amount before the fee.
    """
    moved, other = given - walk.remaining, walk.calculated
    pool_in, pool_out = (moved, other) if walk.terms.exact_in else (other, moved)
    check_moved(pool_in, pool_out)
    whole = walk.terms.exact_in and walk.remaining == 0
    return SwapAmounts(
        amount_in=amount if whole else _before_fee(pool_in, fee_in),
        amount_out=pool_out - fee_out.on(pool_out),
        pool_amount_in=pool_in,
        pool_amount_out=pool_out,
    )


def check_moved(pool_in: int, pool_out: int) -> None:
    """Check that both sides move.

    Raises:
        SwapTooSmall: one side is nothing.
    """
    if pool_in == 0 or pool_out == 0:
        raise SwapTooSmall(f"the pool would take {pool_in} and pay {pool_out}")


def check_whole(walk: Walk) -> None:
    """Check that nothing was left over.

    Raises:
        PartialFill: the walk ended at the edge of all prices.
    """
    if walk.remaining:
        raise PartialFill(f"{walk.remaining} remain when the price is at its limit")


def _before_fee(received: int, fee: TransferFee) -> int:
    """Return what must be sent so that `received` arrives, as the program adds it."""
    if fee.basis_points == 0:
        return received
    sent = u64(fee.amount_before(received))
    added = fee.maximum_fee if fee.basis_points == 10_000 else fee.on(sent)
    if fee.basis_points != 10_000 and fee.on(u64(received + added)) != added:
        raise TransferFeeMismatch(f"the transfer fee before {received} does not match")
    return u64(received + added)
