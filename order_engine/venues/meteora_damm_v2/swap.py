"""One whole swap between the trader's token accounts: transfer fees, pool fees, curve, and the pool's new state."""

from dataclasses import dataclass, replace
from enum import IntEnum

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.tokens import NO_TRANSFER_FEE, TransferFee
from order_engine.venues.meteora_damm_v2.fees import (
    ChainTime,
    FeeSplit,
    fee_is_on_input,
    fee_numerator,
    fee_on,
    limiter_is_on,
    pool_time,
    split_fee,
    update_dynamic_fee,
    with_fee,
)
from order_engine.venues.meteora_damm_v2.layout import CollectFeeMode, PoolState
from order_engine.venues.meteora_damm_v2.math import (
    CompoundingCurve,
    ConcentratedCurve,
    Curve,
    Step,
    compounding_sqrt_price,
    require_u64,
)
from order_engine.venues.meteora_damm_v2.refusals import AmountIsZero, MathOverflow, PoolClosed, SlippageRefused


class SwapMode(IntEnum):
    EXACT_IN = 0
    PARTIAL_FILL = 1
    EXACT_OUT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapTerms:
    """What a swap depends on besides the pool itself."""

    a_to_b: bool
    time: ChainTime
    transfer_fee_in: TransferFee = NO_TRANSFER_FEE
    transfer_fee_out: TransferFee = NO_TRANSFER_FEE
    has_referral: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapOutcome:
    amount_in: int  # leaves the trader's token account
    amount_out: int  # reaches it
    vault_in: int  # reaches the vault
    vault_out: int  # leaves the vault for the trader
    step: Step  # what the curve exchanged: no fees at all
    fee: FeeSplit
    fee_on_input: bool
    state: PoolState  # after the swap


def swap(state: PoolState, terms: SwapTerms, mode: SwapMode, amount: int, threshold: int) -> SwapOutcome:
    """Carry out one swap. `amount` is the output wanted in EXACT_OUT, else the input offered.

    `threshold` is the most to pay in EXACT_OUT, else the least to receive.

    Raises:
        ProgramRefusal: the program would fail; says with which code.
    """
    _require_open(state, terms)
    if amount == 0:
        raise AmountIsZero("the amount is 0")
    require_u64(amount)
    if mode is SwapMode.EXACT_OUT:
        outcome = _exact_out(state, terms, amount)
        if outcome.amount_in > threshold:
            raise SlippageRefused(f"takes {outcome.amount_in}, at most {threshold} was offered")
        return outcome
    outcome = _from_input(state, terms, amount, partial=mode is SwapMode.PARTIAL_FILL)
    if outcome.amount_out < threshold:
        raise SlippageRefused(f"pays {outcome.amount_out}, at least {threshold} was asked")
    return outcome


def _require_open(state: PoolState, terms: SwapTerms) -> None:
    if state.status != 0:
        raise PoolClosed(f"the pool's status is {state.status}")
    if pool_time(state, terms.time) < state.activation_point:
        raise PoolClosed(f"the pool opens at {state.activation_type.name.lower()} {state.activation_point}")


def _curve(state: PoolState) -> Curve:
    if state.collect_fee_mode is CollectFeeMode.COMPOUNDING:
        return CompoundingCurve(amount_a=state.token_a_amount, amount_b=state.token_b_amount)
    return ConcentratedCurve(
        liquidity=state.liquidity,
        sqrt_price=state.sqrt_price,
        sqrt_min_price=state.sqrt_min_price,
        sqrt_max_price=state.sqrt_max_price,
    )


def _from_input(state: PoolState, terms: SwapTerms, amount: int, *, partial: bool) -> SwapOutcome:
    offered = amount - terms.transfer_fee_in.on(amount)
    if offered == 0:
        raise AmountIsZero(f"nothing of {amount} is left after the transfer fee")
    numerator = fee_numerator(state, terms.time, offered, a_to_b=terms.a_to_b)
    on_input = fee_is_on_input(state.collect_fee_mode, a_to_b=terms.a_to_b)
    net = offered - fee_on(offered, numerator) if on_input else offered
    walk = _curve(state).partial_fill if partial else _curve(state).exact_in
    step = walk(net, a_to_b=terms.a_to_b)
    vault_in, paid = offered, amount
    if step.amount_in < net:
        vault_in = with_fee(step.amount_in, numerator) if on_input else step.amount_in
        paid = terms.transfer_fee_in.amount_before(vault_in)
    if vault_in == 0:
        raise AmountIsZero("the price is at its bound")
    fee = vault_in - step.amount_in if on_input else fee_on(step.amount_out, numerator)
    return _settle(state, terms, step, split_fee(state, fee, has_referral=terms.has_referral), paid=paid)


def _exact_out(state: PoolState, terms: SwapTerms, amount: int) -> SwapOutcome:
    vault_out = require_u64(terms.transfer_fee_out.amount_before(amount))
    curve = _curve(state)
    if fee_is_on_input(state.collect_fee_mode, a_to_b=terms.a_to_b):
        step = curve.exact_out(vault_out, a_to_b=terms.a_to_b)
        fee = _gross_input(state, terms, step.amount_in) - step.amount_in
        vault_in = step.amount_in + fee
    else:
        if limiter_is_on(state, terms.time, a_to_b=terms.a_to_b):
            raise MathOverflow("the fee on the output depends on an input that is not known yet")
        gross = require_u64(with_fee(vault_out, fee_numerator(state, terms.time, 0, a_to_b=terms.a_to_b)))
        step = curve.exact_out(gross, a_to_b=terms.a_to_b)
        fee, vault_in = gross - vault_out, step.amount_in
    paid = require_u64(terms.transfer_fee_in.amount_before(require_u64(vault_in)))
    split = split_fee(state, fee, has_referral=terms.has_referral)
    return _settle(state, terms, step, split, paid=paid)


def _gross_input(state: PoolState, terms: SwapTerms, net: int) -> int:
    """Return the least input that leaves `net` after a fee on the input."""
    if not limiter_is_on(state, terms.time, a_to_b=terms.a_to_b):
        return with_fee(net, fee_numerator(state, terms.time, net, a_to_b=terms.a_to_b))
    low, high = net, U64_MAX
    while low < high:
        middle = (low + high) // 2
        fee = fee_on(middle, fee_numerator(state, terms.time, middle, a_to_b=terms.a_to_b))
        low, high = (low, middle) if middle - fee >= net else (middle + 1, high)
    if low - fee_on(low, fee_numerator(state, terms.time, low, a_to_b=terms.a_to_b)) < net:
        raise MathOverflow(f"no input leaves {net} after the fee")
    return low


def _settle(state: PoolState, terms: SwapTerms, step: Step, fee: FeeSplit, *, paid: int) -> SwapOutcome:
    on_input = fee_is_on_input(state.collect_fee_mode, a_to_b=terms.a_to_b)
    vault_in = step.amount_in + fee.total if on_input else step.amount_in
    vault_out = step.amount_out if on_input else step.amount_out - fee.total
    return SwapOutcome(
        amount_in=paid,
        amount_out=vault_out - terms.transfer_fee_out.on(vault_out),
        vault_in=vault_in,
        vault_out=vault_out,
        step=step,
        fee=fee,
        fee_on_input=on_input,
        state=_state_after(state, terms, step, fee),
    )


def _state_after(state: PoolState, terms: SwapTerms, step: Step, fee: FeeSplit) -> PoolState:
    """Neither the providers' fees nor the protocol's are part of the tracked amounts; the compounding fee is."""
    on_input = fee_is_on_input(state.collect_fee_mode, a_to_b=terms.a_to_b)
    grown = step.amount_in + (fee.compounding if on_input else 0)
    shrunk = step.amount_out - (0 if on_input else fee.compounding)
    change_a, change_b = (grown, -shrunk) if terms.a_to_b else (-shrunk, grown)
    changed = replace(state, sqrt_price=step.sqrt_price)
    if state.layout_version > 0:
        changed = replace(
            changed,
            token_a_amount=require_u64(state.token_a_amount + change_a),
            token_b_amount=require_u64(state.token_b_amount + change_b),
        )
    return _with_fees(changed, state, terms, fee)


def _with_fees(changed: PoolState, before: PoolState, terms: SwapTerms, fee: FeeSplit) -> PoolState:
    fee_is_in_a = not terms.a_to_b and before.collect_fee_mode is CollectFeeMode.BOTH_TOKENS
    sqrt_price, dynamic_fee = changed.sqrt_price, before.dynamic_fee
    if before.collect_fee_mode is CollectFeeMode.COMPOUNDING:
        sqrt_price = compounding_sqrt_price(changed.token_a_amount, changed.token_b_amount)
    if dynamic_fee is not None:
        now = terms.time.unix_timestamp
        dynamic_fee = update_dynamic_fee(dynamic_fee, before.sqrt_price, sqrt_price, now)
    return replace(
        changed,
        sqrt_price=sqrt_price,
        dynamic_fee=dynamic_fee,
        protocol_a_fee=require_u64(before.protocol_a_fee + (fee.protocol if fee_is_in_a else 0)),
        protocol_b_fee=require_u64(before.protocol_b_fee + (0 if fee_is_in_a else fee.protocol)),
    )
