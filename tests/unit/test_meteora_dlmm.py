"""Meteora DLMM: accounts, bitmaps, and the pool behind the venue seam."""

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import AmountTooSmall, PoolUnreadable, QuoteRefused
from order_engine.domain.pool import Account, ExactOutRequest, SwapRequest
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from order_engine.venues.meteora_dlmm import layout
from order_engine.venues.meteora_dlmm.arrays import Bitmap, Extension, array_index_of
from order_engine.venues.meteora_dlmm.fresh_pool import BinContent, FreshPool, bin_id_of, spread
from order_engine.venues.meteora_dlmm.layout import BY_TIME, MINING, array_address, extension_address
from order_engine.venues.meteora_dlmm.math import Q64, price_of
from order_engine.venues.meteora_dlmm.pool import ARRAYS_PER_DIRECTION, MeteoraDlmmPool
from order_engine.venues.meteora_dlmm.refusals import (
    ExtensionExhausted,
    LimitOrdersUnknown,
    LiquidityExhausted,
    MathOverflow,
    MissingBinArray,
    PoolDisabled,
)
from tests.unit.meteora_dlmm_samples import (
    EVEN_BINS,
    MINT_X,
    MINT_Y,
    NOW,
    POOL,
    SLOT,
    TRADER,
    a_pool,
    accounts_of,
    buy,
    decoded,
    sell,
    sell_x,
    sell_y,
    snapshot_of,
)

FAR = 40_000  # in array 571, beyond the pool's own bitmap
INDEXES = st.integers(-6_656, 6_655)


def bitmap_of(flagged: set[int]) -> Bitmap:
    return Bitmap(
        sum(1 << (index + 512) for index in flagged if -512 <= index < 512),
        Extension(
            sum(1 << (index - 512) for index in flagged if index >= 512),
            sum(1 << (-index - 513) for index in flagged if index < -512),
        ),
    )


class TestBitmap:
    @given(st.sets(st.one_of(INDEXES, st.integers(-515, -510), st.integers(509, 514))), INDEXES)
    def test_the_next_flagged_array_is_the_nearest_one_in_that_direction(self, flagged: set[int], index: int) -> None:
        bitmap = bitmap_of(flagged)
        assert bitmap.at_or_above(index) == min((one for one in flagged if one >= index), default=None)
        assert bitmap.at_or_below(index) == max((one for one in flagged if one <= index), default=None)

    @given(st.sets(st.integers(-520, 520), min_size=1), st.integers(-521, 521), st.integers(1, 5))
    def test_a_walk_names_the_flagged_arrays_in_order(self, flagged: set[int], index: int, count: int) -> None:
        bitmap = bitmap_of(flagged)
        below = sorted((one for one in flagged if one <= index), reverse=True)
        assert bitmap.walk(index, count, down=True) == below[:count]
        assert bitmap.walk(index, count, down=False) == sorted(one for one in flagged if one >= index)[:count]


class TestPrices:
    @given(st.integers(-4_000, 4_000), st.sampled_from([1, 25, 100]))
    def test_prices_rise_from_bin_to_bin(self, bin_id: int, step: int) -> None:
        assert price_of(bin_id, step) < price_of(bin_id + 1, step)

    @pytest.mark.parametrize("bin_id", [1 << 19, -(1 << 19), -443_636, 443_636])
    def test_a_price_that_does_not_fit_is_an_overflow(self, bin_id: int) -> None:
        with pytest.raises(MathOverflow):
            price_of(bin_id, 400)

    @given(st.integers(1, 10**15), st.integers(1, 10**15))
    def test_a_fresh_pools_bin_is_the_last_one_below_its_ratio(self, amount_x: int, amount_y: int) -> None:
        bin_id = bin_id_of(amount_x, amount_y, 100)
        assert price_of(bin_id, 100) * amount_x <= amount_y * Q64
        assert price_of(bin_id + 1, 100) * amount_x > (amount_y * Q64) - amount_x

    def test_spreading_keeps_every_unit(self) -> None:
        bins = spread((1_003, 1_007), active_id=5, bins_per_side=10)
        assert (sum(one.x for one in bins.values()), sum(one.y for one in bins.values())) == (1_003, 1_007)
        assert (min(bins), max(bins)) == (-4, 14)
        assert all(one.x == 0 for bin_id, one in bins.items() if bin_id < 5)


def with_data(account: Account, at: int, value: bytes) -> Account:
    return replace(account, data=account.data[:at] + value + account.data[at + len(value) :])


def truncated(account: Account) -> Account:
    return replace(account, data=account.data[:-1])


def stolen(account: Account) -> Account:
    return replace(account, owner=TOKEN_PROGRAM)


def relabelled(account: Account) -> Account:
    return with_data(account, 0, bytes(8))


def far_pool() -> FreshPool:
    bins = {FAR + step: BinContent(x=1_000_000, y=1_000_000) for step in range(-2, 3)}
    return a_pool(bins, FAR, step=2)


class TestUnreadable:
    @pytest.mark.parametrize("spoil", [truncated, stolen, relabelled])
    @pytest.mark.parametrize("address", [POOL, array_address(POOL, 571), extension_address(POOL)])
    def test_an_account_of_another_kind_makes_the_pool_unreadable(
        self, address: Pubkey, spoil: Callable[[Account], Account]
    ) -> None:
        accounts = accounts_of(far_pool())
        assert MeteoraDlmmPool.decode(POOL, snapshot_of(accounts)).arrays
        accounts[address] = spoil(accounts[address])
        with pytest.raises(PoolUnreadable):
            MeteoraDlmmPool.decode(POOL, snapshot_of(accounts))

    @pytest.mark.parametrize("spoil", [truncated, stolen, relabelled])
    def test_dependencies_of_what_is_no_pool_are_not_known(self, spoil: Callable[[Account], Account]) -> None:
        with pytest.raises(PoolUnreadable):
            MeteoraDlmmPool.dependencies(POOL, spoil(accounts_of(a_pool())[POOL]))

    @pytest.mark.parametrize("address", [array_address(POOL, 571), extension_address(POOL)])
    def test_an_account_of_another_pool_makes_the_pool_unreadable(self, address: Pubkey) -> None:
        accounts = accounts_of(far_pool())
        pair_at = 8 if address == extension_address(POOL) else 24
        accounts[address] = with_data(accounts[address], pair_at, bytes(MINT_X))
        with pytest.raises(PoolUnreadable):
            MeteoraDlmmPool.decode(POOL, snapshot_of(accounts))

    def test_an_array_in_anothers_place_makes_the_pool_unreadable(self) -> None:
        accounts = accounts_of(a_pool())
        accounts[array_address(POOL, 0)] = accounts[array_address(POOL, 1)]
        with pytest.raises(PoolUnreadable):
            MeteoraDlmmPool.decode(POOL, snapshot_of(accounts))

    @pytest.mark.parametrize("missing", [POOL, MINT_X, MINT_Y, a_pool().state.reserve_x, a_pool().state.reserve_y])
    def test_every_fixed_account_is_needed(self, missing: Pubkey) -> None:
        accounts = accounts_of(a_pool())
        del accounts[missing]
        with pytest.raises(PoolUnreadable):
            MeteoraDlmmPool.decode(POOL, snapshot_of(accounts))

    @pytest.mark.parametrize(
        "changes",
        [
            {"function_type": 3},
            {"collect_fee_mode": 2},
            {"activation_type": 2},
            {"protocol_share": 10_001},
            {"reduction_factor": 10_001},
            {"bin_step": 0},
            {"active_id": 443_637},
        ],
    )
    def test_a_state_that_the_program_never_writes_is_unreadable(self, changes: dict[str, int]) -> None:
        with pytest.raises(PoolUnreadable):
            decoded(a_pool(**changes))

    def test_a_mint_whose_transfers_call_a_program_is_not_traded(self) -> None:
        accounts = accounts_of(a_pool())
        mint = accounts[MINT_X].data.ljust(165, b"\0") + b"\x01"
        for program, is_traded in ((bytes(32), True), (bytes(MINT_Y), False)):
            data = mint + struct.pack("<HHQ", 99, 8, 0) + struct.pack("<HH", 14, 64) + bytes(32) + program
            accounts[MINT_X] = Account(owner=TOKEN_2022_PROGRAM, lamports=1, data=data)
            if is_traded:
                assert MeteoraDlmmPool.decode(POOL, snapshot_of(accounts)).mints == (MINT_X, MINT_Y)
                continue
            with pytest.raises(PoolUnreadable, match="call another program"):
                MeteoraDlmmPool.decode(POOL, snapshot_of(accounts))


class TestDependencies:
    def test_they_are_all_that_decode_reads(self) -> None:
        accounts = accounts_of(a_pool())
        named = {POOL, *MeteoraDlmmPool.dependencies(POOL, accounts[POOL])}
        assert set(accounts) <= named
        assert named - set(accounts) == {extension_address(POOL)}

    def test_they_follow_the_active_bin(self) -> None:
        bins = {index * 70: BinContent(x=1, y=1) for index in range(-9, 10)}
        for active in (-3, 0, 4):
            account = accounts_of(a_pool(bins, active * 70))[POOL]
            near = {array_address(POOL, active + step) for step in range(-2, 3)}
            assert near <= set(MeteoraDlmmPool.dependencies(POOL, account))
            far = {array_address(POOL, active + step) for step in (-3, 3)}
            assert not far & set(MeteoraDlmmPool.dependencies(POOL, account))

    def test_beyond_the_pools_own_bitmap_the_nearest_arrays_are_read(self) -> None:
        account = accounts_of(far_pool())[POOL]
        near = {array_address(POOL, 571 + step) for step in range(-2, 3)}
        assert near <= set(MeteoraDlmmPool.dependencies(POOL, account))

    def test_they_fit_one_read(self) -> None:
        account = accounts_of(a_pool())[POOL]
        assert len(MeteoraDlmmPool.dependencies(POOL, account)) <= 5 + 2 * ARRAYS_PER_DIRECTION

    def test_discovery_matches_the_pool_whichever_mint_is_named_first(self) -> None:
        data = accounts_of(a_pool())[POOL].data
        for pair in ((MINT_X, MINT_Y), (MINT_Y, MINT_X)):
            matching = [
                all(data[at:].startswith(part) for at, part in wanted.memcmp)
                for wanted in MeteoraDlmmPool.discovery_filters(*pair)
                if wanted.data_size == len(data)
            ]
            assert sorted(matching) == [False, True]


class TestRefusals:
    @pytest.mark.parametrize("x_to_y", [True, False])
    def test_amounts_of_nothing_are_too_small(self, x_to_y: bool) -> None:
        for amount in (0, 1):
            with pytest.raises(AmountTooSmall):
                decoded(a_pool()).quote(sell(x_to_y, amount))
        with pytest.raises(AmountTooSmall):
            decoded(a_pool()).quote_exact_out(buy(x_to_y, 0))

    @pytest.mark.parametrize("amount", [-1, U64_MAX + 1])
    def test_amounts_beyond_64_bits_are_refused(self, amount: int) -> None:
        with pytest.raises(QuoteRefused):
            decoded(a_pool()).quote(sell_x(amount))
        with pytest.raises(QuoteRefused):
            decoded(a_pool()).quote_exact_out(buy(True, amount))

    @pytest.mark.parametrize("x_to_y", [True, False])
    def test_the_greatest_amount_runs_out_of_bins(self, x_to_y: bool) -> None:
        with pytest.raises(LiquidityExhausted):
            decoded(a_pool()).quote(sell(x_to_y, U64_MAX))
        with pytest.raises(LiquidityExhausted):
            decoded(a_pool()).quote_exact_out(buy(x_to_y, U64_MAX))

    def test_with_a_bitmap_extension_running_out_has_its_own_code(self) -> None:
        with pytest.raises(ExtensionExhausted):
            decoded(far_pool()).quote(sell_x(U64_MAX))

    def test_a_pool_without_liquidity_runs_out_at_once(self) -> None:
        with pytest.raises(LiquidityExhausted):
            decoded(a_pool({})).quote(sell_x(10))

    @pytest.mark.parametrize(
        ("token_in", "token_out"), [(MINT_X, MINT_X), (Pubkey.new_unique(), MINT_Y), (MINT_X, Pubkey.new_unique())]
    )
    def test_other_mints_are_refused(self, token_in: Pubkey, token_out: Pubkey) -> None:
        pool = decoded(a_pool())
        with pytest.raises(QuoteRefused):
            pool.quote(SwapRequest(token_in=token_in, token_out=token_out, amount_in=1_000))
        with pytest.raises(QuoteRefused):
            pool.quote_exact_out(ExactOutRequest(token_in=token_in, token_out=token_out, amount_out=1_000))

    def test_a_pool_that_is_off_or_not_open_yet_refuses(self) -> None:
        by_slot = a_pool(activation_point=SLOT)
        by_time = a_pool(activation_point=NOW, activation_type=BY_TIME)
        for opened in (by_slot, by_time):
            assert decoded(opened).quote(sell_x(1_000)).amount_out > 0
            state = opened.state
            for closed in (replace(state, status=1), replace(state, activation_point=state.activation_point + 1)):
                with pytest.raises(PoolDisabled):
                    decoded(replace(opened, state=closed)).quote(sell_x(1_000))

    def test_a_swap_that_the_vaults_cannot_settle_is_refused(self) -> None:
        out = decoded(a_pool()).quote(sell_x(10_000)).amount_out
        assert decoded(a_pool(), (0, out)).quote(sell_x(10_000)).amount_out == out
        for vaults in ((0, out - 1), (U64_MAX - 9_999, out)):
            with pytest.raises(QuoteRefused):
                decoded(a_pool(), vaults).quote(sell_x(10_000))

    def test_what_reads_as_limit_orders_in_a_mining_pool_is_refused(self) -> None:
        bins = {0: BinContent(y=1_000, opened=5)}
        with pytest.raises(LimitOrdersUnknown):
            decoded(a_pool(bins, function_type=MINING)).quote(sell_x(500))
        assert decoded(a_pool(bins, function_type=0)).quote(sell_x(500)).amount_out > 0


class TestMissingArrays:
    @pytest.mark.parametrize("x_to_y", [True, False])
    def test_only_a_swap_that_needs_the_array_is_refused(self, x_to_y: bool) -> None:
        whole, accounts = decoded(a_pool()), accounts_of(a_pool())
        del accounts[array_address(POOL, -2 if x_to_y else 1)]
        holed = MeteoraDlmmPool.decode(POOL, snapshot_of(accounts))
        near, far = sell(x_to_y, 60_000_000), sell(x_to_y, 85_000_000)
        assert holed.quote(near) == whole.quote(near)
        assert whole.quote(far).amount_out > whole.quote(near).amount_out
        for _ in range(2):
            with pytest.raises(MissingBinArray, match="bin array"):
                holed.quote(far)
        assert holed.quote(near) == whole.quote(near)

    def test_without_the_active_array_nothing_is_quoted(self) -> None:
        accounts = accounts_of(a_pool())
        del accounts[array_address(POOL, 0)]
        with pytest.raises(MissingBinArray):
            MeteoraDlmmPool.decode(POOL, snapshot_of(accounts)).quote(sell_y(1_000))

    def test_the_instruction_names_the_arrays_on_the_way_up_to_a_missing_one(self) -> None:
        accounts = accounts_of(a_pool())
        pool = MeteoraDlmmPool.decode(POOL, snapshot_of(accounts))
        down = pool.swap_instruction(pool.quote(sell_x(1_000)), 1, TRADER).accounts[16:]
        assert [meta.pubkey for meta in down] == [array_address(POOL, index) for index in (0, -1, -2)]
        assert all(meta.is_writable for meta in down)
        del accounts[array_address(POOL, -1)]
        holed = MeteoraDlmmPool.decode(POOL, snapshot_of(accounts))
        shorter = holed.swap_instruction(holed.quote(sell_x(1_000)), 1, TRADER).accounts[16:]
        assert [meta.pubkey for meta in shorter] == [array_address(POOL, 0)]


class TestQuotes:
    def test_price_impact_is_against_the_active_bins_price_without_fees(self) -> None:
        pool = decoded(a_pool())
        assert pool.quote(sell_x(400_000)).price_impact_bps == 0
        # a third in the active bin, the rest 25 bps below it
        assert pool.quote(sell_x(1_500_000)).price_impact_bps == 16
        assert pool.quote(sell_y(1_500_000)).price_impact_bps == 16

    def test_the_fee_is_named_with_its_token(self) -> None:
        quote = decoded(a_pool()).quote(sell_x(100_000))
        assert (quote.fee_amount, quote.fee_token) == (100, MINT_X)
        on_output = decoded(a_pool(collect_fee_mode=1)).quote(sell_x(100_000))
        assert (on_output.fee_amount, on_output.fee_token) == (100, MINT_Y)
        assert decoded(a_pool(collect_fee_mode=1)).quote(sell_y(100_000)).fee_token == MINT_Y

    def test_compute_units_grow_with_the_bins_crossed(self) -> None:
        pool = decoded(a_pool())
        small, large = (pool.quote(sell_x(amount)).compute_units or 0 for amount in (1_000, 50_000_000))
        assert 0 < small < 100_000 < large < pool.COMPUTE_UNITS

    def test_the_active_bin_may_lie_outside_every_flagged_array(self) -> None:
        bins = {bin_id: content for bin_id, content in EVEN_BINS.items() if array_index_of(bin_id) != 0}
        quote = decoded(a_pool(bins)).quote(sell_x(1_000))
        assert quote.price_impact_bps == 24
        assert decoded(a_pool(bins)).quote(sell_y(1_000)).price_impact_bps > 1_500

    def test_quoting_twice_changes_nothing(self) -> None:
        pool = decoded(a_pool())
        first = [pool.quote(sell_x(amount)) for amount in (1_000, 50_000_000, 1_000)]
        assert first == [decoded(a_pool()).quote(sell_x(amount)) for amount in (1_000, 50_000_000, 1_000)]

    def test_an_encoded_state_reads_back_equal(self) -> None:
        state = a_pool(volatility_accumulator=5, index_reference=-3, last_update_timestamp=-1, bitmap=1 << 1023).state
        account = Account(owner=layout.PROGRAM_ID, lamports=1, data=layout.encode_pair(state))
        assert layout.decode_pair(POOL, account) == state

    def test_a_pool_of_a_base_key_has_one_address_whichever_mint_is_named_first(self) -> None:
        first, second = (layout.custom_pair_address(POOL, *mints) for mints in ((MINT_X, MINT_Y), (MINT_Y, MINT_X)))
        assert first == second != layout.custom_pair_address(MINT_X, MINT_X, MINT_Y)
