"""One whole swap between the trader's token accounts, and the pool's new state."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.tokens import NO_TRANSFER_FEE, TransferFee
from order_engine.venues.meteora_dlmm.bins import references
from order_engine.venues.meteora_dlmm.layout import BY_SLOT, PairState
from order_engine.venues.meteora_dlmm.refusals import (
    AmountIsZero,
    MathOverflow,
    PaysNothing,
    PoolDisabled,
    SlippageRefused,
)
from order_engine.venues.meteora_dlmm.walk import Trade, Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTime:
    slot: int
    unix_timestamp: int


class SwapOutcome(NamedTuple):
    amount_in: int  # leaves the trader's token account
    amount_out: int  # reaches it
    trade: Trade


def exact_in(walk: Walk, fee_in: TransferFee, fee_out: TransferFee, amount: int, min_amount_out: int) -> SwapOutcome:
    """Swap all of `amount`.

    Raises:
        ProgramRefusal: the program would fail; says with which code.
    """
    if amount == 0:
        raise AmountIsZero("the amount is 0")
    received = amount
    if fee_in is not NO_TRANSFER_FEE:
        received -= fee_in.on(amount)
        if received == 0:
            raise PaysNothing(f"nothing of {amount} is left after the transfer fee")
    trade = walk.exact_in(received)
    amount_out = trade.amount_out
    if fee_out is not NO_TRANSFER_FEE:
        amount_out -= fee_out.on(amount_out)
    if amount_out == 0:
        raise PaysNothing(f"the pool pays nothing for {amount}")
    if amount_out < min_amount_out:
        raise SlippageRefused(f"pays {amount_out}, at least {min_amount_out} was asked")
    return SwapOutcome(amount, amount_out, trade)


def exact_out(walk: Walk, fee_in: TransferFee, fee_out: TransferFee, amount: int, max_amount_in: int) -> SwapOutcome:
    """Swap so that exactly `amount` reaches the trader.

    Raises:
        ProgramRefusal: the program would fail; says with which code.
    """
    if amount == 0:
        raise PaysNothing("the amount is 0")
    trade = walk.exact_out(_u64(fee_out.amount_before(amount)))
    amount_in = _u64(fee_in.amount_before(trade.amount_in))
    if amount_in > max_amount_in:
        raise SlippageRefused(f"takes {amount_in}, at most {max_amount_in} was offered")
    return SwapOutcome(amount_in, amount, trade)


def require_open(state: PairState, time: ChainTime) -> None:
    """Raise PoolDisabled while the pool does not trade."""
    if state.status != 0:
        raise PoolDisabled(f"the pool's status is {state.status}")
    now = time.slot if state.activation_type == BY_SLOT else time.unix_timestamp
    if now < state.activation_point:
        unit = "slot" if state.activation_type == BY_SLOT else "time"
        raise PoolDisabled(f"the pool opens at {unit} {state.activation_point}")


def state_after(state: PairState, trade: Trade, unix_timestamp: int, *, fee_in_x: bool) -> PairState:
    """Return the pool after the trade. The time is kept only if the active bin has changed."""
    last = trade.last_offer
    index_reference, volatility_reference = references(state, unix_timestamp)
    return replace(
        state,
        index_reference=index_reference,
        volatility_reference=volatility_reference,
        active_id=last.bin_id,
        volatility_accumulator=last.accumulator,
        last_update_timestamp=state.last_update_timestamp if last.bin_id == state.active_id else unix_timestamp,
        protocol_fee_x=_u64(state.protocol_fee_x + (trade.protocol_fee if fee_in_x else 0)),
        protocol_fee_y=_u64(state.protocol_fee_y + (0 if fee_in_x else trade.protocol_fee)),
    )


def _u64(amount: int) -> int:
    if amount > U64_MAX:
        raise MathOverflow(f"{amount} does not fit 64 bits")
    return amount
