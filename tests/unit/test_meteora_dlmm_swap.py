"""Meteora DLMM: the rules of one swap, one by one."""

from typing import ClassVar

import pytest

from order_engine.domain.amounts import BPS, U64_MAX
from order_engine.domain.pool import Quote
from order_engine.domain.tokens import NO_TRANSFER_FEE, TransferFee
from order_engine.venues.meteora_dlmm.bins import references
from order_engine.venues.meteora_dlmm.fresh_pool import BinContent
from order_engine.venues.meteora_dlmm.layout import FEE_ON_INPUT, FEE_ON_Y, LIMIT_ORDER, decode_pair
from order_engine.venues.meteora_dlmm.pool import MeteoraDlmmPool
from order_engine.venues.meteora_dlmm.refusals import (
    LiquidityExhausted,
    OutputUndetermined,
    PaysNothing,
    ProgramRefusal,
    SlippageRefused,
)
from order_engine.venues.meteora_dlmm.swap import exact_in, exact_out, state_after
from tests.unit.meteora_dlmm_samples import NOW, POOL, Market, a_pool, buy, decoded, sell_x, sell_y


class TestTransferFees:
    TAX = TransferFee(10**9, 300)

    def walk(self) -> MeteoraDlmmPool:
        return decoded(a_pool())

    @pytest.mark.parametrize("amount", [1_000, 400_000, 3_000_000])
    def test_an_exact_input_is_taxed_before_the_pool_and_its_output_after(self, amount: int) -> None:
        walk = self.walk()._walk(x_to_y=True)
        free = exact_in(walk, NO_TRANSFER_FEE, NO_TRANSFER_FEE, amount - self.TAX.on(amount), 0)
        taxed = exact_in(walk, self.TAX, self.TAX, amount, 0)
        assert taxed.amount_in == amount
        assert taxed.trade == free.trade
        assert taxed.amount_out == free.amount_out - self.TAX.on(free.amount_out)

    @pytest.mark.parametrize("wanted", [1, 400_000, 3_000_000])
    def test_an_exact_output_arrives_whole(self, wanted: int) -> None:
        bought = exact_out(self.walk()._walk(x_to_y=True), self.TAX, self.TAX, wanted, U64_MAX)
        assert bought.amount_out == wanted
        assert bought.trade.amount_out - self.TAX.on(bought.trade.amount_out) == wanted
        assert bought.amount_in - self.TAX.on(bought.amount_in) == bought.trade.amount_in

    def test_a_fee_that_leaves_nothing_is_a_named_refusal(self) -> None:
        everything_taxed = TransferFee(U64_MAX, BPS)
        for fees in ((everything_taxed, NO_TRANSFER_FEE), (NO_TRANSFER_FEE, everything_taxed)):
            with pytest.raises(PaysNothing):
                exact_in(self.walk()._walk(x_to_y=True), *fees, 1_000, 0)
            with pytest.raises(ProgramRefusal):
                exact_out(self.walk()._walk(x_to_y=True), *fees, 1_000, U64_MAX)


class TestThresholds:
    def test_they_are_met_exactly_or_the_swap_is_refused(self) -> None:
        walk, free = decoded(a_pool())._walk(x_to_y=True), (NO_TRANSFER_FEE, NO_TRANSFER_FEE)
        sold, bought = exact_in(walk, *free, 10_000, 0), exact_out(walk, *free, 10_000, U64_MAX)
        assert exact_in(walk, *free, 10_000, sold.amount_out) == sold
        assert exact_out(walk, *free, 10_000, bought.amount_in) == bought
        with pytest.raises(SlippageRefused):
            exact_in(walk, *free, 10_000, sold.amount_out + 1)
        with pytest.raises(SlippageRefused):
            exact_out(walk, *free, 10_000, bought.amount_in - 1)


class TestLimitOrders:
    BINS: ClassVar[dict[int, BinContent]] = {
        0: BinContent(y=1_000, processed=2_000, opened=4_000),
        -1: BinContent(opened=5_000),
        1: BinContent(opened=5_000, orders_sell_x=True),
    }

    def pool(self) -> MeteoraDlmmPool:
        return decoded(a_pool(self.BINS, function_type=LIMIT_ORDER))

    def test_orders_are_filled_only_in_their_own_direction(self) -> None:
        assert self.pool().quote_exact_out(buy(True, 12_000)).amount_in > 12_000
        assert self.pool().quote_exact_out(buy(False, 5_000)).amount_in > 5_000
        for request in (buy(True, 12_001), buy(False, 5_001)):
            with pytest.raises(LiquidityExhausted):
                self.pool().quote_exact_out(request)

    def test_a_bin_with_nothing_but_orders_is_not_empty(self) -> None:
        assert self.pool()._walk(x_to_y=True).exact_in(10_000).last_offer.bin_id == -1

    @pytest.mark.parametrize(
        ("wanted", "is_sold"), [(900, True), (2_500, True), (3_500, False), (7_000, True), (8_000, False)]
    )
    def test_an_exact_output_that_ends_in_open_orders_is_refused(self, wanted: int, is_sold: bool) -> None:
        if is_sold:
            assert self.pool().quote_exact_out(buy(True, wanted)).amount_out == wanted
            return
        with pytest.raises(OutputUndetermined):
            self.pool().quote_exact_out(buy(True, wanted))

    def test_the_protocol_gets_half_of_what_orders_earn(self) -> None:
        pool = a_pool({0: BinContent(opened=10**9)}, function_type=LIMIT_ORDER, protocol_share=500)
        trade = decoded(pool)._walk(x_to_y=True).exact_in(10**6)
        assert (trade.fee, trade.protocol_fee) == (1_000, 500)
        own = decoded(a_pool({0: BinContent(y=10**9)}))._walk(x_to_y=True).exact_in(10**6)
        assert (own.fee, own.protocol_fee) == (1_000, 50)


class TestOneUnitIsWorthMoreThanTheBin:
    """High prices: the least input pays for the whole bin, and no more than it holds leaves it."""

    BIN_ID = 1_000  # some 10^10 Y for one X, 233 bps a bin

    @pytest.mark.parametrize("mode", [FEE_ON_INPUT, FEE_ON_Y])
    def test_an_exact_output_takes_no_more_than_the_bin_holds(self, mode: int) -> None:
        pool = a_pool({self.BIN_ID: BinContent(y=10)}, self.BIN_ID, 233, collect_fee_mode=mode)
        bought = decoded(pool).quote_exact_out(buy(True, 4))
        assert (bought.amount_in, bought.amount_out) == (2 if mode == FEE_ON_INPUT else 1, 4)
        trade = decoded(pool)._walk(x_to_y=True).exact_out(4)
        assert trade.part is not None
        assert trade.part.outputs == (10, 0, 0)


class TestState:
    def test_time_is_kept_only_when_the_active_bin_changes(self) -> None:
        for amount, active_id, stamp in ((1_000, 0, NOW - 50), (1_000_000, -1, NOW)):
            pool = decoded(a_pool(last_update_timestamp=NOW - 50))
            trade = pool._walk(x_to_y=True).exact_in(amount)
            after = state_after(pool.state, trade, NOW, fee_in_x=True)
            assert (after.active_id, after.last_update_timestamp) == (active_id, stamp)

    def test_a_bin_emptied_exactly_stays_active(self) -> None:
        pool = decoded(a_pool())
        walk = pool._walk(x_to_y=True)
        whole = walk.exact_out(500_000)
        assert (whole.last_offer.bin_id, whole.whole_bins, whole.part) == (0, 1, None)
        assert walk.exact_in(whole.amount_in) == whole
        assert walk.exact_in(whole.amount_in + 1).last_offer.bin_id == -1

    @pytest.mark.parametrize(
        ("elapsed", "expected"), [(29, (7, 1_000)), (30, (0, 10_000)), (599, (0, 10_000)), (600, (0, 0))]
    )
    def test_references_move_with_time(self, elapsed: int, expected: tuple[int, int]) -> None:
        state = a_pool(
            last_update_timestamp=NOW - elapsed,
            volatility_accumulator=20_000,
            volatility_reference=1_000,
            index_reference=7,
        ).state
        assert references(state, NOW) == expected

    def test_with_the_fee_on_the_output_a_bin_is_taken_whole_only_if_the_fee_included_asks_for_all_of_it(self) -> None:
        tenth = a_pool({0: BinContent(y=11)}, step=400, base_factor=25_000, collect_fee_mode=FEE_ON_Y)
        walk = decoded(tenth)._walk(x_to_y=True)
        assert walk.exact_in(11)[:2] == (11, 9)  # 11 less a fee of 2
        assert walk.exact_out(9)[:2] == (10, 9)  # 9 asks for 10 of the 11

    def test_swaps_one_after_the_other_go_on_from_where_the_last_one_ended(self) -> None:
        market, fresh = Market.of(a_pool()), decoded(a_pool(variable_fee_control=0))
        parts = [market.swap(700_000, x_to_y=True) for _ in range(5)]
        whole = fresh.quote(sell_x(3_500_000)).amount_out
        assert whole - 10 <= sum(parts) <= whole
        state = decode_pair(POOL, market.ledger.accounts[POOL])
        assert state.active_id < 0
        assert state.last_update_timestamp == NOW
        assert state.protocol_fee_x > 0
        assert market.pool().quote(sell_y(1_000)).amount_out > fresh.quote(sell_y(1_000)).amount_out


def test_a_quote_says_what_it_is_of() -> None:
    quote = decoded(a_pool()).quote(sell_x(10_000))
    assert isinstance(quote, Quote)
    assert (quote.venue, quote.pool, quote.slot) == ("meteora_dlmm", POOL, 5_000)
