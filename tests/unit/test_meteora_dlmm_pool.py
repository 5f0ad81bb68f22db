"""Meteora DLMM: what the pool behind the venue seam quotes and refuses."""

from dataclasses import replace

import pytest
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import AmountTooSmall, QuoteRefused
from order_engine.domain.pool import Account, ExactOutRequest, SwapRequest
from order_engine.venues.meteora_dlmm import layout
from order_engine.venues.meteora_dlmm.arrays import array_index_of
from order_engine.venues.meteora_dlmm.fresh_pool import BinContent
from order_engine.venues.meteora_dlmm.layout import BY_TIME, MINING, array_address
from order_engine.venues.meteora_dlmm.pool import MeteoraDlmmPool
from order_engine.venues.meteora_dlmm.refusals import (
    ExtensionExhausted,
    LimitOrdersUnknown,
    LiquidityExhausted,
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
    far_pool,
    sell,
    sell_x,
    sell_y,
    snapshot_of,
)


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
