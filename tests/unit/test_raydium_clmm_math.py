"""Raydium CLMM's arithmetic: ticks and prices, single steps, limit orders, bitmaps."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import QuoteRefused
from order_engine.venues.raydium_clmm.layout import PoolState
from order_engine.venues.raydium_clmm.limit_orders import match_exact_in, match_exact_out
from order_engine.venues.raydium_clmm.math import Way, exact_in_step, exact_out_step
from order_engine.venues.raydium_clmm.refusals import BitmapExtensionMissing, PriceOutOfRange, TickOutOfRange
from order_engine.venues.raydium_clmm.tick_arrays import ArrayBitmap, Tick, bit_position, decode_bitmap
from order_engine.venues.raydium_clmm.ticks import (
    MAX_SQRT_PRICE_X64,
    MAX_TICK,
    MIN_SQRT_PRICE_X64,
    MIN_TICK,
    sqrt_price_at_tick,
    tick_at_sqrt_price,
)
from tests.unit.raydium_clmm_samples import STATE, bitmaps

ticks = st.integers(MIN_TICK, MAX_TICK - 1)
ways = st.builds(Way, st.booleans(), st.booleans())
rates = st.integers(0, 100_000)
numbers = st.integers(-7_394, 7_393)


class TestTicks:
    @given(tick=ticks)
    def test_a_price_just_below_a_tick_belongs_to_the_one_before(self, tick: int) -> None:
        price = sqrt_price_at_tick(tick)
        assert tick_at_sqrt_price(price) == tick
        assert tick_at_sqrt_price(sqrt_price_at_tick(tick + 1) - 1) == tick

    @given(price=st.integers(MIN_SQRT_PRICE_X64, MAX_SQRT_PRICE_X64 - 1))
    def test_every_price_lies_between_its_tick_and_the_next(self, price: int) -> None:
        tick = tick_at_sqrt_price(price)
        assert sqrt_price_at_tick(tick) <= price < sqrt_price_at_tick(tick + 1)

    def test_the_range_ends_by_name(self) -> None:
        assert sqrt_price_at_tick(MIN_TICK) == MIN_SQRT_PRICE_X64
        assert sqrt_price_at_tick(MAX_TICK) == MAX_SQRT_PRICE_X64
        for tick in (MIN_TICK - 1, MAX_TICK + 1):
            with pytest.raises(TickOutOfRange):
                sqrt_price_at_tick(tick)
        for price in (0, MIN_SQRT_PRICE_X64 - 1, MAX_SQRT_PRICE_X64):
            with pytest.raises(PriceOutOfRange):
                tick_at_sqrt_price(price)


class TestSteps:
    @given(
        way=ways,
        near=st.integers(-100_000, 100_000),
        distance=st.integers(1, 5_000),
        liquidity=st.integers(0, 2**80),
        remaining=st.integers(1, U64_MAX),
        rate=rates,
        exact_in=st.booleans(),
    )
    def test_a_step_stays_within_its_target_and_its_amount(
        self, way: Way, near: int, distance: int, liquidity: int, remaining: int, rate: int, exact_in: bool
    ) -> None:
        price = sqrt_price_at_tick(near)
        target = sqrt_price_at_tick(near + distance if way.upwards else near - distance)
        take = exact_in_step if exact_in else exact_out_step
        try:
            step = take(way, price, target, liquidity, remaining, rate)
        except QuoteRefused:
            return
        assert min(price, target) <= step.sqrt_price_x64 <= max(price, target)
        assert min(step) >= 0
        spent = step.amount_in + (step.fee_amount if way.fee_on_input else 0)
        assert (spent if exact_in else step.amount_out) <= remaining
        if step.sqrt_price_x64 != target:
            assert (spent if exact_in else step.amount_out) == remaining

    @given(way=ways, liquidity=st.integers(1, 2**70), wanted=st.integers(1, 2**62), rate=rates)
    def test_what_an_output_costs_buys_no_less(self, way: Way, liquidity: int, wanted: int, rate: int) -> None:
        price, target = 2**64, sqrt_price_at_tick(20_000 if way.upwards else -20_000)
        cost = exact_out_step(way, price, target, liquidity, wanted, rate)
        spent = cost.amount_in + (cost.fee_amount if way.fee_on_input else 0)
        bought = exact_in_step(way, price, target, liquidity, spent, rate)
        assert bought.amount_out >= cost.amount_out - 1


class TestLimitOrders:
    @given(
        way=ways,
        tick=st.integers(-200_000, 200_000),
        orders=st.integers(0, 2**62),
        part=st.integers(0, 2**62),
        remaining=st.integers(1, 2**62),
        rate=rates,
        exact_in=st.booleans(),
    )
    def test_orders_pay_no_more_than_rests_and_cost_no_less_than_their_price(
        self, way: Way, tick: int, orders: int, part: int, remaining: int, rate: int, exact_in: bool
    ) -> None:
        resting = Tick(tick, 0, 0, orders_amount=orders, part_filled_amount=part, unfilled_ratio_x64=2**64)
        take = match_exact_in if exact_in else match_exact_out
        price = sqrt_price_at_tick(tick)
        try:
            match = take(way, resting, price, remaining, rate)
        except QuoteRefused:
            return
        gross = match.amount_out + (0 if way.fee_on_input else match.fee_amount)
        assert resting.resting - match.tick.resting == gross <= resting.resting
        spent = match.amount_in + (match.fee_amount if way.fee_on_input else 0)
        assert (spent if exact_in else match.amount_out) <= remaining
        if way.upwards:
            assert match.amount_in << 128 >= gross * price * price
        else:
            assert match.amount_in * price * price >= gross << 128
        assert match.tick.unfilled_ratio_x64 <= 2**64


class TestBitmaps:
    @given(flagged=st.sets(numbers, max_size=30), number=numbers)
    def test_the_next_array_is_the_nearest_flagged_one(self, flagged: set[int], number: int) -> None:
        own, extension = bitmaps(flagged)
        bitmap = decode_bitmap(_state(own), extension)
        assert bitmap.has(number) == (number in flagged)
        assert bitmap.next_array(number, upwards=True) == min((one for one in flagged if one > number), default=None)
        assert bitmap.next_array(number, upwards=False) == max((one for one in flagged if one < number), default=None)

    @pytest.mark.parametrize(
        ("number", "row", "bit"),
        [
            (0, None, 512),
            (511, None, 1_023),
            (-512, None, 0),
            (512, 0, 0),
            (1_023, 0, 511),
            (1_024, 1, 0),
            (7_393, 13, 225),
            (-513, 14, 511),
            (-1_024, 14, 0),
            (-1_025, 15, 511),
            (-7_394, 27, 286),
        ],
    )
    def test_an_array_has_its_place_in_one_of_the_bitmaps(self, number: int, row: int | None, bit: int) -> None:
        assert bit_position(number) == (row, bit)

    def test_without_the_extension_only_the_pools_own_arrays_are_known(self) -> None:
        bitmap = decode_bitmap(_state(bitmaps({3})[0]), None)
        assert bitmap.next_array(0, upwards=True) == 3
        with pytest.raises(BitmapExtensionMissing):
            bitmap.next_array(3, upwards=True)
        wide = decode_bitmap(_state(bitmaps({3})[0], tick_spacing=15), None)
        assert isinstance(wide, ArrayBitmap)
        assert wide.next_array(3, upwards=True) is None


def _state(bitmap: bytes, tick_spacing: int = 1) -> PoolState:
    return replace(STATE, bitmap=bitmap, tick_spacing=tick_spacing)
