"""One whole swap between the trader's token accounts: transfer fees, pool fees, curve, and the pool's new state."""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.tokens import NO_TRANSFER_FEE, TransferFee
from order_engine.venues.meteora_damm_v2.fees import (
    ChainTime,
    FeeSplit,
    fee_is_on_input,
    fee_numerator,
    fee_numerator_of_net,
    fee_on,
    limiter_is_on,
    pool_time,
    require_volatility,
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
from order_engine.venues.meteora_damm_v2.refusals import (
    AmountIsZero,
    MathOverflow,
    PoolClosed,
    ProgramRefusal,
    SlippageRefused,
)


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


class SwapOutcome(NamedTuple):
    amount_in: int  # leaves the trader's token account
    amount_out: int  # reaches it
    vault_in: int  # reaches the vault
    vault_out: int  # leaves the vault for the trader
    step: Step  # what the curve exchanged: no fees at all
    fee: FeeSplit
    fee_on_input: bool
    before: PoolState
    unix_timestamp: int
    change: "Change"

    @property
    def state(self) -> PoolState:
        """Return the pool after the swap."""
        before, price = self.before, self.change.sqrt_price
        dynamic_fee = before.dynamic_fee
        if dynamic_fee is not None:
            dynamic_fee = update_dynamic_fee(dynamic_fee, before.sqrt_price, price, self.unix_timestamp)
        return replace(before, dynamic_fee=dynamic_fee, **self.change._asdict())


class Exchange(NamedTuple):
    """A swap's amounts, as in its outcome."""

    amount_in: int
    amount_out: int
    vault_in: int
    vault_out: int
    fee: int
    step: Step


class Change(NamedTuple):
    """What a swap writes into the pool's account besides the volatility, by the account's names."""

    sqrt_price: int
    token_a_amount: int
    token_b_amount: int
    protocol_a_fee: int
    protocol_b_fee: int


def swap(state: PoolState, terms: SwapTerms, mode: SwapMode, amount: int, threshold: int) -> SwapOutcome:
    """Carry out one swap, as Market.swap does."""
    return Market(state, terms).swap(mode, amount, threshold)


class Market:
    """One direction of a pool at one moment. What is the same for every amount is worked out once."""

    def __init__(self, state: PoolState, terms: SwapTerms) -> None:
        self.state, self.terms = state, terms
        self.curve = _curve(state, a_to_b=terms.a_to_b)
        self.fee_on_input = fee_is_on_input(state.collect_fee_mode, a_to_b=terms.a_to_b)
        self._has_limiter = limiter_is_on(state, terms.time, a_to_b=terms.a_to_b)
        self._numerator = 0  # once it was asked for, if it is the same for every amount
        self._closed = _why_closed(state, terms.time)
        self._room_in, self._room_out = _rooms(state, terms)

    def swap(self, mode: SwapMode, amount: int, threshold: int) -> SwapOutcome:
        """Carry out one swap. `amount` is the output wanted in EXACT_OUT, else the input offered.

        `threshold` is the most to pay in EXACT_OUT, else the least to receive.

        Raises:
            ProgramRefusal: the program would fail; says with which code.
        """
        if mode is SwapMode.EXACT_OUT:
            outcome = self._outcome(self.exact_out(amount))
            if outcome.amount_in > threshold:
                raise SlippageRefused(f"takes {outcome.amount_in}, at most {threshold} was offered")
            return outcome
        outcome = self._outcome(self.from_input(amount, partial=mode is SwapMode.PARTIAL_FILL))
        if outcome.amount_out < threshold:
            raise SlippageRefused(f"pays {outcome.amount_out}, at least {threshold} was asked")
        return outcome

    def from_input(self, amount: int, *, partial: bool = False) -> Exchange:
        """Return what `amount` pays; with `partial`, as much of it as the price's bound lets in.

        Raises:
            ProgramRefusal: the program would fail; says with which code.
        """
        if self._closed or not 0 < amount <= U64_MAX:
            raise self._refusal(amount)
        terms, on_input = self.terms, self.fee_on_input
        offered = amount
        if terms.transfer_fee_in is not NO_TRANSFER_FEE:
            offered -= terms.transfer_fee_in.on(amount)
            if offered == 0:
                raise AmountIsZero(f"nothing of {amount} is left after the transfer fee")
        numerator = self._numerator or self._fee_numerator(offered)
        net = offered - fee_on(offered, numerator) if on_input else offered
        walk = self.curve.partial_fill if partial else self.curve.exact_in
        step = walk(net)
        vault_in, paid = offered, amount
        if step.amount_in < net:
            vault_in = with_fee(step.amount_in, numerator) if on_input else step.amount_in
            paid = terms.transfer_fee_in.amount_before(vault_in)
        if vault_in == 0:
            raise AmountIsZero("the price is at its bound")
        fee = vault_in - step.amount_in if on_input else fee_on(step.amount_out, numerator)
        return self._settled(step, fee, vault_in, paid)

    def exact_out(self, amount: int) -> Exchange:
        """Return what `amount` costs.

        Raises:
            ProgramRefusal: the program would fail; says with which code.
        """
        if self._closed or not 0 < amount <= U64_MAX:
            raise self._refusal(amount)
        terms = self.terms
        vault_out = require_u64(terms.transfer_fee_out.amount_before(amount))
        if self.fee_on_input:
            step = self.curve.exact_out(vault_out)
            vault_in = with_fee(step.amount_in, self._fee_numerator_of_net(step.amount_in))
            fee = vault_in - step.amount_in
        else:
            if self._has_limiter:
                raise MathOverflow("the fee on the output depends on an input that is not known yet")
            gross = require_u64(with_fee(vault_out, self._fee_numerator(0)))
            step = self.curve.exact_out(gross)
            fee, vault_in = gross - vault_out, step.amount_in
        paid = require_u64(terms.transfer_fee_in.amount_before(require_u64(vault_in)))
        return self._settled(step, fee, vault_in, paid)

    def split(self, fee: int) -> FeeSplit:
        """Return the fee in its parts."""
        return split_fee(self.state, fee, has_referral=self.terms.has_referral)

    def _refusal(self, amount: int) -> ProgramRefusal:
        if self._closed:
            return PoolClosed(self._closed)
        return MathOverflow(f"{amount} does not fit 64 bits") if amount else AmountIsZero("the amount is 0")

    def _fee_numerator(self, amount_in: int) -> int:
        numerator = fee_numerator(self.state, self.terms.time, amount_in, a_to_b=self.terms.a_to_b)
        if not self._has_limiter:
            self._numerator = numerator
        return numerator

    def _fee_numerator_of_net(self, net_in: int) -> int:
        if self._has_limiter:
            return fee_numerator_of_net(self.state, self.terms.time, net_in, a_to_b=self.terms.a_to_b)
        return self._fee_numerator(net_in)

    def _settled(self, step: Step, fee: int, vault_in: int, paid: int) -> Exchange:
        if vault_in > self._room_in or step.amount_out > self._room_out:
            self._change(step, self.split(fee))  # raises where the program would
        vault_out = step.amount_out if self.fee_on_input else step.amount_out - fee
        amount_out, taxed = vault_out, self.terms.transfer_fee_out
        if taxed is not NO_TRANSFER_FEE:
            amount_out -= taxed.on(vault_out)
        return Exchange(paid, amount_out, vault_in, vault_out, fee, step)

    def _outcome(self, exchange: Exchange) -> SwapOutcome:
        fee = self.split(exchange.fee)
        return SwapOutcome(
            amount_in=exchange.amount_in,
            amount_out=exchange.amount_out,
            vault_in=exchange.vault_in,
            vault_out=exchange.vault_out,
            step=exchange.step,
            fee=fee,
            fee_on_input=self.fee_on_input,
            before=self.state,
            unix_timestamp=self.terms.time.unix_timestamp,
            change=self._change(exchange.step, fee),
        )

    def _change(self, step: Step, fee: FeeSplit) -> Change:
        """Neither the providers' fees nor the protocol's are part of the tracked amounts; the compounding fee is."""
        state, terms, price = self.state, self.terms, step.sqrt_price
        amount_a, amount_b = self._tracked_amounts(step, fee.compounding)
        if state.collect_fee_mode is CollectFeeMode.COMPOUNDING:
            price = compounding_sqrt_price(amount_a, amount_b)
        if state.dynamic_fee is not None:
            require_volatility(state.dynamic_fee, state.sqrt_price, price, terms.time.unix_timestamp)
        fee_a, fee_b = state.protocol_a_fee, state.protocol_b_fee
        if not terms.a_to_b and state.collect_fee_mode is CollectFeeMode.BOTH_TOKENS:
            fee_a = require_u64(fee_a + fee.protocol)
        else:
            fee_b = require_u64(fee_b + fee.protocol)
        return Change(price, amount_a, amount_b, fee_a, fee_b)

    def _tracked_amounts(self, step: Step, compounding: int) -> tuple[int, int]:
        amount_a, amount_b = self.state.token_a_amount, self.state.token_b_amount
        if self.state.layout_version == 0:
            return amount_a, amount_b
        grown, shrunk = step.amount_in, step.amount_out
        if self.fee_on_input:
            grown += compounding
        else:
            shrunk -= compounding
        if self.terms.a_to_b:
            return require_u64(amount_a + grown), require_u64(amount_b - shrunk)
        return require_u64(amount_a - shrunk), require_u64(amount_b + grown)


def _why_closed(state: PoolState, time: ChainTime) -> str:
    if state.status != 0:
        return f"the pool's status is {state.status}"
    if pool_time(state, time) < state.activation_point:
        return f"the pool opens at {state.activation_type.name.lower()} {state.activation_point}"
    return ""


def _curve(state: PoolState, *, a_to_b: bool) -> Curve:
    if state.collect_fee_mode is CollectFeeMode.COMPOUNDING:
        reserve_a, reserve_b = state.token_a_amount, state.token_b_amount
        return CompoundingCurve(reserve_a, reserve_b) if a_to_b else CompoundingCurve(reserve_b, reserve_a)
    return ConcentratedCurve(
        a_to_b=a_to_b,
        liquidity=state.liquidity,
        sqrt_price=state.sqrt_price,
        sqrt_min_price=state.sqrt_min_price,
        sqrt_max_price=state.sqrt_max_price,
    )


def _rooms(state: PoolState, terms: SwapTerms) -> tuple[int, int]:
    """Return how much may enter and leave so that the pool's next state fits its account without looking."""
    look = (-1, -1)
    if state.collect_fee_mode is CollectFeeMode.COMPOUNDING:
        return look
    try:
        if state.dynamic_fee is not None:  # the price stays above its bound, so only the bound may be zero
            time = terms.time.unix_timestamp
            require_volatility(state.dynamic_fee, state.sqrt_price, state.sqrt_min_price, time)
    except MathOverflow:
        return look
    fees = U64_MAX - max(state.protocol_a_fee, state.protocol_b_fee)
    if state.layout_version == 0:
        return fees, fees
    held_in, held_out = state.token_a_amount, state.token_b_amount
    if not terms.a_to_b:
        held_in, held_out = held_out, held_in
    return min(fees, U64_MAX - held_in), min(fees, held_out)
