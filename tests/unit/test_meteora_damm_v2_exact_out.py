"""Meteora DAMM v2: exact outputs behind the venue seam."""

from dataclasses import replace
from typing import Final

import pytest
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import AmountTooSmall, QuoteRefused
from order_engine.domain.pool import SwapRequest, Trader
from order_engine.domain.tokens import TransferFee
from order_engine.venues.meteora_damm_v2.fee_state import TimeScheduler
from order_engine.venues.meteora_damm_v2.instructions import INSTRUCTIONS_SYSVAR, SWAP2_ARGUMENTS
from order_engine.venues.meteora_damm_v2.layout import CollectFeeMode, PoolState
from order_engine.venues.meteora_damm_v2.pool import MeteoraDammV2Pool
from order_engine.venues.meteora_damm_v2.refusals import MathOverflow, PoolClosed, PriceRangeViolation
from order_engine.venues.meteora_damm_v2.swap import Market, SwapMode
from tests.unit.meteora_damm_v2_samples import (
    LIMITER,
    MINT_A,
    MINT_B,
    NOW,
    VOLATILE,
    a_pool,
    buy_a,
    buy_b,
    pool_of,
    terms,
)

TRADER = Trader(owner=Pubkey.new_unique(), token_account_in=Pubkey.new_unique(), token_account_out=Pubkey.new_unique())
COMPOUNDING = a_pool(collect_fee_mode=CollectFeeMode.COMPOUNDING, token_a_amount=10**6, token_b_amount=4 * 10**6)


def with_taxes(pool: MeteoraDammV2Pool, tax_a: TransferFee, tax_b: TransferFee) -> MeteoraDammV2Pool:
    mint_a, mint_b = pool.token_mints
    return replace(pool, token_mints=(replace(mint_a, transfer_fee=tax_a), replace(mint_b, transfer_fee=tax_b)))


def test_the_fee_on_the_output_is_taken_before_it_is_paid() -> None:
    free, charged = pool_of(a_pool(base_fee=TimeScheduler(cliff_fee_numerator=0))), pool_of(a_pool())
    quote = charged.quote_exact_out(buy_b(997_500))  # and a quarter of a percent of 1,000,000
    assert (quote.amount_out, quote.fee_amount, quote.fee_token) == (997_500, 2_500, MINT_B)
    assert quote.amount_in == free.quote_exact_out(buy_b(1_000_000)).amount_in


@pytest.mark.parametrize("mode", [CollectFeeMode.ONLY_B, CollectFeeMode.COMPOUNDING])
def test_a_fee_in_b_is_added_to_an_input_of_b(mode: CollectFeeMode) -> None:
    free = pool_of(a_pool(base_fee=TimeScheduler(cliff_fee_numerator=0), collect_fee_mode=mode))
    net = free.quote_exact_out(buy_a(10**9)).amount_in
    quote = pool_of(a_pool(collect_fee_mode=mode)).quote_exact_out(buy_a(10**9))
    assert quote.amount_in == -(-net * 10_000 // 9_975)
    assert (quote.fee_amount, quote.fee_token) == (quote.amount_in - net, MINT_B)


def test_a_compounding_pool_keeps_the_product_of_its_reserves() -> None:
    quote = pool_of(replace(COMPOUNDING, base_fee=TimeScheduler(cliff_fee_numerator=0))).quote_exact_out(buy_b(39_505))
    assert (quote.amount_in, quote.fee_amount) == (9_975, 0)  # 1,000,000 * 39,505 / 3,960,495, rounded up
    assert quote.price_impact_bps == 98


@pytest.mark.parametrize("mode", list(CollectFeeMode))
def test_transfer_fees_come_on_top_on_both_sides(mode: CollectFeeMode) -> None:
    plain = pool_of(a_pool(collect_fee_mode=mode))
    tax_in, tax_out = TransferFee(U64_MAX, 100), TransferFee(7_000, 10_000)
    before = plain.quote_exact_out(buy_b(10**6 + 7_000)).amount_in
    quote = with_taxes(plain, tax_in, tax_out).quote_exact_out(buy_b(10**6))
    assert (quote.amount_in, quote.amount_out) == (tax_in.amount_before(before), 10**6)
    assert quote.amount_in > before


def test_a_later_slot_brings_the_fee_of_its_time() -> None:
    schedule = TimeScheduler(
        cliff_fee_numerator=50_000_000, number_of_periods=10, period_frequency=60, reduction_factor=4_750_000
    )
    pool = pool_of(a_pool(base_fee=schedule, activation_point=NOW.unix_timestamp))
    later = replace(pool, time=replace(NOW, unix_timestamp=NOW.unix_timestamp + 600))
    assert pool.quote_exact_out(buy_b(9_500)).fee_amount == 500
    assert later.quote_exact_out(buy_b(9_975)).fee_amount == 25


@pytest.mark.parametrize(
    ("wanted", "calm", "volatile"),  # as the program's bytecode took it
    [
        (900, 138, 138),
        (6_590, 999, 1_000),
        (19_700, 3_018, 3_018),
        (10**6, 154_611, 154_614),
        (10**9, 154_793_941, 154_797_132),
        (10**11, 17_182_130_567, 17_182_484_845),
    ],
)
def test_a_limiter_charges_its_least_fee_up_to_the_reference_and_above_its_rise_the_highest(
    wanted: int, calm: int, volatile: int
) -> None:
    state = a_pool(base_fee=LIMITER, activation_point=NOW.unix_timestamp, collect_fee_mode=CollectFeeMode.ONLY_B)
    for dynamic_fee, taken in ((None, calm), (VOLATILE, volatile)):
        assert pool_of(replace(state, dynamic_fee=dynamic_fee)).quote_exact_out(buy_a(wanted)).amount_in == taken


@pytest.mark.parametrize(("wanted", "taken"), [(13_000, 1_984), (15_000, 2_293), (19_000, 2_912)])
def test_while_a_limiter_rises_the_quote_is_the_least_that_is_enough(wanted: int, taken: int) -> None:
    state = a_pool(base_fee=LIMITER, activation_point=NOW.unix_timestamp, collect_fee_mode=CollectFeeMode.ONLY_B)
    pool = pool_of(state)
    quote = pool.quote_exact_out(buy_a(wanted))
    swap = SwapRequest(token_in=MINT_B, token_out=MINT_A, amount_in=quote.amount_in)
    assert pool.quote(swap).amount_out >= wanted
    assert quote.amount_in == taken - 1  # the bytecode took one unit more


def test_a_limiter_without_an_end_is_refused_by_name() -> None:
    limiter = replace(LIMITER, max_fee_bps=10_000)
    state = a_pool(base_fee=limiter, activation_point=NOW.unix_timestamp, collect_fee_mode=CollectFeeMode.ONLY_B)
    with pytest.raises(MathOverflow):
        pool_of(state).quote_exact_out(buy_a(10**6))


def test_wanting_nothing_is_too_small() -> None:
    with pytest.raises(AmountTooSmall):
        pool_of(a_pool()).quote_exact_out(buy_b(0))


def test_what_would_cost_nothing_is_too_small() -> None:
    with pytest.raises(AmountTooSmall):
        pool_of(replace(COMPOUNDING, token_b_amount=0), (10**6, 0)).quote_exact_out(buy_a(1_000))


@pytest.mark.parametrize("amount", [-1, U64_MAX + 1])
def test_an_amount_beyond_64_bits_is_refused(amount: int) -> None:
    with pytest.raises(QuoteRefused, match="64 bits"):
        pool_of(a_pool()).quote_exact_out(buy_b(amount))


@pytest.mark.parametrize(
    ("state", "amount", "error"),
    [
        (a_pool(), U64_MAX, MathOverflow),  # with its fee beyond u64
        (a_pool(), 10**15, PriceRangeViolation),
        (a_pool(liquidity=0), 1_000, MathOverflow),
        (COMPOUNDING, 4 * 10**6, MathOverflow),
        (a_pool(status=1), 1_000, PoolClosed),
        (a_pool(activation_point=NOW.unix_timestamp + 1), 1_000, PoolClosed),
    ],
)
def test_what_the_program_refuses_is_refused_by_name(state: PoolState, amount: int, error: type[QuoteRefused]) -> None:
    with pytest.raises(error):
        pool_of(state, (10**15, 10**15)).quote_exact_out(buy_b(amount))


def test_a_swap_that_the_vaults_cannot_settle_is_refused() -> None:
    cost = pool_of(a_pool()).quote_exact_out(buy_b(10**9)).amount_in
    assert pool_of(a_pool(), (U64_MAX - cost, 10**9)).quote_exact_out(buy_b(10**9)).amount_in == cost
    for vaults in ((0, 10**9 - 1), (U64_MAX - cost + 1, 10**9)):
        with pytest.raises(QuoteRefused):
            pool_of(a_pool(), vaults).quote_exact_out(buy_b(10**9))


def test_a_mint_of_another_pair_is_refused() -> None:
    for token_in, token_out in ((MINT_A, MINT_A), (Pubkey.new_unique(), MINT_B), (MINT_A, Pubkey.new_unique())):
        with pytest.raises(QuoteRefused, match="does not trade"):
            pool_of(a_pool()).quote_exact_out(replace(buy_b(1_000), token_in=token_in, token_out=token_out))


def test_price_impact_is_that_of_the_same_swap_by_its_input() -> None:
    for mode in CollectFeeMode:
        pool = pool_of(a_pool(collect_fee_mode=mode))
        assert pool.quote_exact_out(buy_b(1_500_000_000)).price_impact_bps == pytest.approx(100, abs=3)
        assert pool.quote_exact_out(buy_b(1_500_000)).price_impact_bps == 0


def test_the_instruction_carries_the_amount_wanted_and_the_most_to_pay() -> None:
    for state, extra in ((a_pool(), []), (a_pool(base_fee=LIMITER), [INSTRUCTIONS_SYSVAR])):
        pool = pool_of(state)
        quote = pool.quote_exact_out(buy_b(140_000))
        instruction = pool.exact_out_instruction(quote, 1_000_000, TRADER)
        assert SWAP2_ARGUMENTS.unpack(instruction.data[8:]) == (140_000, 1_000_000, SwapMode.EXACT_OUT)
        assert [meta.pubkey for meta in instruction.accounts[14:]] == extra
        assert instruction.accounts == pool.swap_instruction(quote, 1, TRADER).accounts


UNSTORABLE: Final = (
    {"protocol_a_fee": U64_MAX, "protocol_b_fee": U64_MAX},
    {"token_a_amount": U64_MAX, "token_b_amount": U64_MAX},
    {"token_a_amount": 0, "token_b_amount": 0},
    {"dynamic_fee": replace(VOLATILE, bin_step_u128=0)},
    {"collect_fee_mode": CollectFeeMode.COMPOUNDING, "protocol_b_fee": U64_MAX},
)


@pytest.mark.parametrize("change", UNSTORABLE)
@pytest.mark.parametrize("a_to_b", [True, False])
def test_a_swap_whose_next_state_does_not_fit_the_account_is_not_quoted_either(
    change: dict[str, object], a_to_b: bool
) -> None:
    market = Market(a_pool(layout_version=1, protocol_fee_percent=20, **change), terms(a_to_b=a_to_b))
    for mode, quote in ((SwapMode.EXACT_IN, market.from_input), (SwapMode.EXACT_OUT, market.exact_out)):
        with pytest.raises(MathOverflow) as whole:
            market.swap(mode, 10**6, U64_MAX if mode is SwapMode.EXACT_OUT else 0)
        with pytest.raises(MathOverflow) as alone:
            quote(10**6)
        assert alone.value.message == whole.value.message
