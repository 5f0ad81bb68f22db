"""Meteora DAMM v2: whole swaps, the pool behind the venue seam, and what must hold for any pool and amount."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import AmountTooSmall, PoolUnreadable, QuoteRefused
from order_engine.domain.pool import ExactOutRequest, Quote, SwapRequest, Trader
from order_engine.domain.tokens import TransferFee
from order_engine.venues.meteora_damm_v2 import layout
from order_engine.venues.meteora_damm_v2.fee_state import TimeScheduler
from order_engine.venues.meteora_damm_v2.fresh_pool import fresh_pool
from order_engine.venues.meteora_damm_v2.instructions import INSTRUCTIONS_SYSVAR, SWAP2_ARGUMENTS
from order_engine.venues.meteora_damm_v2.layout import ActivationType, CollectFeeMode, PoolState
from order_engine.venues.meteora_damm_v2.pool import MeteoraDammV2Pool
from order_engine.venues.meteora_damm_v2.refusals import (
    AmountIsZero,
    MathOverflow,
    PoolClosed,
    PriceRangeViolation,
    ProgramRefusal,
    SlippageRefused,
)
from order_engine.venues.meteora_damm_v2.swap import SwapMode, SwapTerms, swap
from tests.unit.meteora_damm_v2_samples import (
    LIMITER,
    MINT_A,
    MINT_B,
    NOW,
    POOL,
    RESERVES,
    VOLATILE,
    a_pool,
    account_of,
    pool_of,
    sell_a,
    snapshot_of,
    terms,
)

NARROW = replace(a_pool(), sqrt_min_price=a_pool().sqrt_price * 999 // 1000, sqrt_max_price=a_pool().sqrt_price * 2)
TRADER = Trader(owner=Pubkey.new_unique(), token_account_in=Pubkey.new_unique(), token_account_out=Pubkey.new_unique())


class TestSwap:
    @pytest.mark.parametrize("mode", list(SwapMode))
    def test_the_threshold_is_met_exactly_or_the_swap_is_refused(self, mode: SwapMode) -> None:
        exact_out = mode is SwapMode.EXACT_OUT
        free = swap(a_pool(), terms(), mode, 1_000_000, U64_MAX if exact_out else 0)
        limit, worse = (free.amount_in, -1) if exact_out else (free.amount_out, 1)
        assert swap(a_pool(), terms(), mode, 1_000_000, limit) == free
        with pytest.raises(SlippageRefused):
            swap(a_pool(), terms(), mode, 1_000_000, limit + worse)

    def test_a_pool_that_is_switched_off_or_not_open_yet_refuses(self) -> None:
        by_slot = a_pool(activation_type=ActivationType.SLOT, activation_point=NOW.slot)
        by_time = a_pool(activation_point=NOW.unix_timestamp)
        for opened in (by_slot, by_time):
            assert swap(opened, terms(), SwapMode.EXACT_IN, 1_000, 0).amount_out > 0
            with pytest.raises(PoolClosed):
                swap(
                    replace(opened, activation_point=opened.activation_point + 1), terms(), SwapMode.EXACT_IN, 1_000, 0
                )
            with pytest.raises(PoolClosed):
                swap(replace(opened, status=1), terms(), SwapMode.EXACT_IN, 1_000, 0)

    @pytest.mark.parametrize("a_to_b", [True, False])
    @pytest.mark.parametrize("mode", [CollectFeeMode.BOTH_TOKENS, CollectFeeMode.ONLY_B])
    def test_a_partial_fill_takes_what_the_bound_allows_and_no_more(self, mode: CollectFeeMode, a_to_b: bool) -> None:
        state = replace(NARROW, collect_fee_mode=mode)
        offered = 10**13
        with pytest.raises(PriceRangeViolation):
            swap(state, terms(a_to_b=a_to_b), SwapMode.EXACT_IN, offered, 0)
        filled = swap(state, terms(a_to_b=a_to_b), SwapMode.PARTIAL_FILL, offered, 0)
        assert 0 < filled.amount_in < offered
        assert filled.state.sqrt_price == (state.sqrt_min_price if a_to_b else state.sqrt_max_price)
        again = swap(state, terms(a_to_b=a_to_b), SwapMode.PARTIAL_FILL, filled.amount_in, 0)
        assert (again.amount_in, again.amount_out) == (filled.amount_in, filled.amount_out)
        with pytest.raises(AmountIsZero):
            swap(filled.state, terms(a_to_b=a_to_b), SwapMode.PARTIAL_FILL, offered, 0)

    def test_a_partial_fill_with_a_transfer_fee_pays_for_the_part_used(self) -> None:
        taxed = replace(terms(), transfer_fee_in=TransferFee(U64_MAX, 100))
        filled = swap(NARROW, taxed, SwapMode.PARTIAL_FILL, 10**13, 0)
        assert filled.amount_in - taxed.transfer_fee_in.on(filled.amount_in) == filled.vault_in
        assert filled.vault_in == swap(NARROW, terms(), SwapMode.PARTIAL_FILL, 10**13, 0).vault_in

    def test_a_referral_is_paid_out_of_the_protocols_part(self) -> None:
        alone = swap(a_pool(), terms(), SwapMode.EXACT_IN, 10**9, 0).fee
        shared = swap(a_pool(), terms(has_referral=True), SwapMode.EXACT_IN, 10**9, 0).fee
        assert shared.total == alone.total
        assert shared.protocol + shared.referral == alone.protocol == alone.total * 20 // 100
        assert shared.referral == alone.protocol * 20 // 100 > 0

    @pytest.mark.parametrize("wanted", [1, 900, 10**6, 10**9, 10**11])
    def test_a_limited_exact_out_pays_just_enough_for_the_same_output(self, wanted: int) -> None:
        state = a_pool(base_fee=LIMITER, activation_point=NOW.unix_timestamp, collect_fee_mode=CollectFeeMode.ONLY_B)
        bought = swap(state, terms(a_to_b=False), SwapMode.EXACT_OUT, wanted, U64_MAX)
        assert swap(state, terms(a_to_b=False), SwapMode.EXACT_IN, bought.amount_in, 0).amount_out >= wanted
        less = swap(state, terms(a_to_b=False), SwapMode.PARTIAL_FILL, bought.amount_in - 1, 0) if wanted > 1 else None
        assert less is None or less.amount_out <= wanted

    def test_without_liquidity_nothing_is_swapped(self) -> None:
        with pytest.raises(MathOverflow):
            swap(a_pool(liquidity=0), terms(), SwapMode.EXACT_IN, 1_000, 0)


class TestPool:
    def test_discovery_matches_the_pool_whichever_mint_is_named_first(self) -> None:
        data = account_of(a_pool()).data
        for pair in ((MINT_A, MINT_B), (MINT_B, MINT_A)):
            filters = MeteoraDammV2Pool.discovery_filters(*pair)
            matching = [
                all(data[at:].startswith(part) for at, part in wanted.memcmp)
                for wanted in filters
                if wanted.data_size == len(data)
            ]
            assert sorted(matching) == [False, True]

    def test_decode_needs_exactly_the_dependencies(self) -> None:
        snapshot = snapshot_of(a_pool())
        named = MeteoraDammV2Pool.dependencies(POOL, snapshot.accounts[POOL])
        assert {POOL, *named} == set(snapshot.accounts)
        for missing in snapshot.accounts:
            rest = {address: account for address, account in snapshot.accounts.items() if address != missing}
            with pytest.raises(PoolUnreadable):
                MeteoraDammV2Pool.decode(POOL, replace(snapshot, accounts=rest))

    def test_an_amount_that_would_pay_nothing_is_too_small(self) -> None:
        for amount in (0, 1):
            with pytest.raises(AmountTooSmall):
                pool_of(a_pool()).quote(sell_a(amount))

    @pytest.mark.parametrize("amount", [-1, U64_MAX + 1])
    def test_an_amount_beyond_64_bits_is_refused(self, amount: int) -> None:
        with pytest.raises(QuoteRefused):
            pool_of(a_pool()).quote(sell_a(amount))

    def test_a_mint_of_another_pair_is_refused(self) -> None:
        for token_in, token_out in ((MINT_A, MINT_A), (Pubkey.new_unique(), MINT_B), (MINT_A, Pubkey.new_unique())):
            with pytest.raises(QuoteRefused):
                pool_of(a_pool()).quote(SwapRequest(token_in=token_in, token_out=token_out, amount_in=1_000_000))

    def test_a_swap_that_the_vaults_cannot_settle_is_refused(self) -> None:
        out = swap(a_pool(), terms(), SwapMode.EXACT_IN, 10**9, 0).vault_out
        assert pool_of(a_pool(), (0, out)).quote(sell_a(10**9)).amount_out == out
        for vaults in ((0, out - 1), (U64_MAX - 10**9 + 1, out)):
            with pytest.raises(QuoteRefused):
                pool_of(a_pool(), vaults).quote(sell_a(10**9))

    def test_price_impact_is_against_the_spot_price_without_fees(self) -> None:
        free = a_pool(base_fee=TimeScheduler(cliff_fee_numerator=0))
        for state in (a_pool(), free, replace(a_pool(), collect_fee_mode=CollectFeeMode.COMPOUNDING)):
            quote = pool_of(state).quote(sell_a(RESERVES[0] // 98))
            assert quote.price_impact_bps == 101
            assert pool_of(state).quote(sell_a(RESERVES[0] // 100_000)).price_impact_bps == 0

    def test_the_instruction_carries_the_amount_and_the_least_to_receive(self) -> None:
        pool = pool_of(a_pool())
        instruction = pool.swap_instruction(pool.quote(sell_a(1_000_000)), 140_000, TRADER)
        assert SWAP2_ARGUMENTS.unpack(instruction.data[8:]) == (1_000_000, 140_000, SwapMode.EXACT_IN)

    def test_only_a_rate_limited_pool_takes_the_instructions_sysvar(self) -> None:
        for state, extra in ((a_pool(), []), (a_pool(base_fee=LIMITER), [INSTRUCTIONS_SYSVAR])):
            pool = pool_of(state)
            accounts = pool.swap_instruction(pool.quote(sell_a(1_000_000)), 1, TRADER).accounts
            assert [meta.pubkey for meta in accounts[14:]] == extra


AMOUNTS = st.one_of(st.integers(1, 10**6), st.integers(1, U64_MAX))
FEES = st.sampled_from([0, 1, 2_500_000, 50_000_000, 989_999_999])


@st.composite
def pools(draw: st.DrawFn) -> PoolState:
    reserve = st.integers(10**3, 10**15)
    state = fresh_pool(POOL, mints=(MINT_A, MINT_B), reserves=(draw(reserve), draw(reserve)), fee_numerator=draw(FEES))
    return replace(
        state,
        collect_fee_mode=draw(st.sampled_from(CollectFeeMode)),
        compounding_fee_bps=draw(st.sampled_from([0, 5_000, 10_000])),
        dynamic_fee=draw(st.sampled_from([None, VOLATILE])),
    )


def paid(state: PoolState, swap_terms: SwapTerms, amount: int) -> int:
    """Return the output, 0 where the pool refuses."""
    try:
        return swap(state, swap_terms, SwapMode.EXACT_IN, amount, 0).amount_out
    except ProgramRefusal:
        return 0


@given(pools(), st.booleans(), AMOUNTS, AMOUNTS, st.sampled_from([0, 1, 250, 9_999]))
def test_more_in_never_pays_less(state: PoolState, a_to_b: bool, first: int, second: int, tax_bps: int) -> None:
    taxed = replace(terms(a_to_b=a_to_b), transfer_fee_in=TransferFee(10**9, tax_bps))
    less, more = sorted((first, second))
    highest = paid(state, taxed, more)
    assume(highest > 0)
    assert paid(state, taxed, less) <= highest


@given(pools(), st.booleans(), AMOUNTS)
def test_a_round_trip_never_profits(state: PoolState, a_to_b: bool, amount: int) -> None:
    try:
        there = swap(state, terms(a_to_b=a_to_b), SwapMode.EXACT_IN, amount, 0)
    except ProgramRefusal:
        assume(False)
    assert paid(there.state, terms(a_to_b=not a_to_b), there.amount_out) <= amount


@given(pools(), st.booleans(), AMOUNTS)
def test_no_swap_pays_more_than_the_pool_holds(state: PoolState, a_to_b: bool, amount: int) -> None:
    try:
        outcome = swap(state, terms(a_to_b=a_to_b), SwapMode.PARTIAL_FILL, amount, 0)
    except ProgramRefusal:
        assume(False)
    held = state.token_b_amount if a_to_b else state.token_a_amount
    assert 0 <= outcome.vault_out <= outcome.vault_out + outcome.fee.protocol * (not outcome.fee_on_input) <= held
    assert min(outcome.state.token_a_amount, outcome.state.token_b_amount) >= 0


@given(pools(), st.booleans(), st.integers(1, 10**12))
def test_exact_out_costs_what_exact_in_needs(state: PoolState, a_to_b: bool, wanted: int) -> None:
    try:
        bought = swap(state, terms(a_to_b=a_to_b), SwapMode.EXACT_OUT, wanted, U64_MAX)
    except ProgramRefusal:
        assume(False)
    assert bought.amount_out == wanted
    assert paid(state, terms(a_to_b=a_to_b), bought.amount_in) >= wanted


FIELDS = (
    (8, 32),
    (48, 8),
    (56, 96),
    (152, 16),
    (360, 16),
    (392, 16),
    (424, 16),
    (440, 16),
    (456, 16),
    (472, 16),
    (680, 17),
)


@settings(max_examples=300)
@given(
    pools(),
    st.lists(
        st.sampled_from(FIELDS).flatmap(lambda f: st.tuples(st.just(f[0]), st.binary(min_size=f[1], max_size=f[1])))
    ),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 1, 2, 10**6, 2**63, U64_MAX]),
)
def test_any_account_answers_or_fails_by_name(
    state: PoolState, patches: list[tuple[int, bytes]], a_to_b: bool, exact_out: bool, amount: int
) -> None:
    data = bytearray(layout.encode_pool(state))
    for at, value in patches:
        data[at : at + len(value)] = value
    snapshot = snapshot_of(state)
    account = replace(snapshot.accounts[POOL], data=bytes(data))
    token_in, token_out = (MINT_A, MINT_B) if a_to_b else (MINT_B, MINT_A)
    try:
        pool = MeteoraDammV2Pool.decode(POOL, replace(snapshot, accounts={**snapshot.accounts, POOL: account}))
        if exact_out:
            quote = pool.quote_exact_out(ExactOutRequest(token_in=token_in, token_out=token_out, amount_out=amount))
        else:
            quote = pool.quote(SwapRequest(token_in=token_in, token_out=token_out, amount_in=amount))
    except (PoolUnreadable, QuoteRefused):
        return
    assert isinstance(quote, Quote)
    assert 0 < quote.amount_in <= U64_MAX
    assert 0 < quote.amount_out <= U64_MAX
    assert 0 <= quote.price_impact_bps <= 10_000
