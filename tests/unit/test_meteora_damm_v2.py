"""Meteora DAMM v2: the pool account, and what its fee schedules charge."""

from dataclasses import replace

import pytest
from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.domain.tokens import TOKEN_PROGRAM
from order_engine.venues.meteora_damm_v2 import layout
from order_engine.venues.meteora_damm_v2.fee_state import BaseFee, MarketCapScheduler, RateLimiter
from order_engine.venues.meteora_damm_v2.fee_state import TimeScheduler as Schedule
from order_engine.venues.meteora_damm_v2.fees import fee_numerator, update_dynamic_fee
from order_engine.venues.meteora_damm_v2.fresh_pool import amounts_of
from tests.unit.meteora_damm_v2_samples import (
    LIMITER,
    NOW,
    POOL,
    RESERVES,
    VOLATILE,
    a_pool,
    account_of,
    pool_of,
    sell_a,
)


class TestLayout:
    @pytest.mark.parametrize(
        "base_fee",
        [
            Schedule(cliff_fee_numerator=1, exponential=True, number_of_periods=2, period_frequency=3),
            RateLimiter(
                cliff_fee_numerator=1,
                fee_increment_bps=2,
                max_limiter_duration=3,
                max_fee_bps=4,
                reference_amount=5,
            ),
            MarketCapScheduler(
                cliff_fee_numerator=1,
                exponential=True,
                number_of_periods=2,
                sqrt_price_step_bps=3,
                scheduler_expiration_duration=4,
                reduction_factor=5,
            ),
        ],
    )
    def test_an_encoded_pool_reads_back_equal(self, base_fee: BaseFee) -> None:
        state = a_pool(base_fee=base_fee, dynamic_fee=VOLATILE)
        assert layout.decode_pool(POOL, account_of(state)) == state

    def test_a_patch_changes_only_what_a_swap_changes(self) -> None:
        data = bytes(range(256)) * 5
        patched = layout.patch_pool(data[: layout.POOL_SIZE], a_pool(dynamic_fee=None))
        changed = {i for i, (old, new) in enumerate(zip(data, patched, strict=False)) if old != new}
        assert changed <= {*range(392, 408), *range(456, 472), *range(680, 696)}
        assert changed

    @pytest.mark.parametrize(
        ("offset", "value"),
        [(0, 0), (16, 5), (48, 101), (50, 101), (480, 2), (484, 3), (486, 2), (696, 2), (471, 255), (79, 255)],
    )
    def test_a_pool_of_an_unknown_kind_is_unreadable(self, offset: int, value: int) -> None:
        data = bytearray(layout.encode_pool(a_pool(dynamic_fee=VOLATILE)))
        data[offset] = value
        account = Account(owner=layout.PROGRAM_ID, lamports=1, data=bytes(data))
        with pytest.raises(PoolUnreadable):
            layout.decode_pool(POOL, account)

    def test_an_account_of_another_program_or_size_is_unreadable(self) -> None:
        data = layout.encode_pool(a_pool())
        for account in (
            Account(owner=TOKEN_PROGRAM, lamports=1, data=data),
            Account(owner=layout.PROGRAM_ID, lamports=1, data=data[:-1]),
        ):
            with pytest.raises(PoolUnreadable):
                layout.decode_pool(POOL, account)

    def test_addresses_are_those_of_the_program(self) -> None:
        key = Pubkey.from_string
        authorities = [
            Pubkey.find_program_address([seed], layout.PROGRAM_ID)[0]
            for seed in (b"pool_authority", b"__event_authority")
        ]
        assert authorities == [layout.POOL_AUTHORITY, layout.EVENT_AUTHORITY]
        config, mint_a = (
            key("63XuAdH8ob3BCP2KCYeWnswLBwDvzx8urTSLM8QeZ5qo"),
            key("AZLVJhhnb2mquaiA7QjEfjMh4Xy4FpE8PT11S5gjcKLm"),
        )
        mint_b, pool = (
            key("BkzNq7uwwF1mLDRoBQ9HSggD3t3MAEsED98dzG3htX8o"),
            key("2Cd66rRHFqQDCyXzDFXTSb9ZPPjMmAdLWcVnEjtCbkcR"),
        )
        assert str(layout.pool_address(config, mint_a, mint_b)) == "ErRLahA11sFnv54yMJ8XiJhTuRc8GvpXcseQfxuUEJiX"
        assert str(layout.custom_pool_address(mint_b, mint_a)) == "HHZEB8uQQDJFEZzrZd32qi6Gt7U1kbEFNSFXBXKc5iDN"
        assert str(layout.vault_address(mint_a, pool)) == "6t6ixXXYLB2Laa8LrETzgk3JHwhBqNqQ4U2NU1peURgJ"


def test_a_fresh_pool_holds_nearly_the_wanted_reserves_at_their_price() -> None:
    state = a_pool()
    assert (state.token_a_amount, state.token_b_amount) == amounts_of(state.liquidity, state.sqrt_price)
    assert state.token_a_amount == pytest.approx(RESERVES[0], rel=1e-8)
    assert state.token_b_amount == pytest.approx(RESERVES[1], rel=1e-8)
    assert pool_of(state).quote(sell_a(1_000_000)).amount_out == 149_624  # 0.15 each, 25 bps fee rounded up


class TestDynamicFee:
    @pytest.mark.parametrize(
        ("elapsed", "reference", "sqrt_reference"),
        [(9, 300_000, 1 << 64), (10, 500_000, 2 << 64), (119, 500_000, 2 << 64), (120, 0, 2 << 64)],
    )
    def test_volatility_is_kept_then_halved_then_forgotten(
        self, elapsed: int, reference: int, sqrt_reference: int
    ) -> None:
        now = VOLATILE.last_update_timestamp + elapsed
        after = update_dynamic_fee(VOLATILE, price_before=2 << 64, price_after=2 << 64, unix_timestamp=now)
        assert (after.volatility_reference, after.sqrt_price_reference) == (reference, sqrt_reference)
        assert after.last_update_timestamp == VOLATILE.last_update_timestamp

    def test_a_move_of_whole_bins_raises_volatility_up_to_its_maximum_and_takes_the_time(self) -> None:
        one_bin = (1 << 64) + VOLATILE.bin_step_u128
        now = VOLATILE.last_update_timestamp + 1
        after = update_dynamic_fee(VOLATILE, 1 << 64, one_bin, now)
        assert (after.volatility_accumulator, after.last_update_timestamp) == (300_000 + 2 * 10_000, now)
        assert update_dynamic_fee(VOLATILE, 1 << 64, 4 << 64, now).volatility_accumulator == 14_460_000

    def test_the_stored_volatility_is_charged_on_top(self) -> None:
        # ceil(2000 * (1_000_000 * 1)^2 / 10^11) = 20_000
        assert fee_numerator(a_pool(dynamic_fee=VOLATILE), NOW, 1, a_to_b=True) == 2_520_000


class TestBaseFee:
    @pytest.mark.parametrize(
        ("activation_point", "numerator"),
        [
            (1_000_000, 50_000_000),
            (999_941, 50_000_000),
            (999_940, 49_000_000),
            (1, 40_000_000),
            (1_000_001, 40_000_000),
        ],
    )
    def test_a_linear_schedule_falls_once_a_period_and_stops_at_its_end(
        self, activation_point: int, numerator: int
    ) -> None:
        schedule = Schedule(
            cliff_fee_numerator=50_000_000, number_of_periods=10, period_frequency=60, reduction_factor=1_000_000
        )
        state = a_pool(base_fee=schedule, activation_point=activation_point)
        assert fee_numerator(state, NOW, 1, a_to_b=True) == numerator

    def test_an_exponential_schedule_multiplies_each_period(self) -> None:
        schedule = Schedule(
            cliff_fee_numerator=100_000_000,
            exponential=True,
            number_of_periods=10,
            period_frequency=1,
            reduction_factor=5_000,
        )
        state = a_pool(base_fee=schedule, activation_point=NOW.unix_timestamp - 3)
        assert fee_numerator(state, NOW, 1, a_to_b=True) == 12_500_000

    @pytest.mark.parametrize(
        ("price_percent", "activation_point", "numerator"),
        [
            (100, 1_000_000, 50_000_000),
            (99, 1_000_000, 50_000_000),
            (103, 1_000_000, 47_000_000),
            (150, 1_000_000, 40_000_000),
            (100, 998_999, 40_000_000),
            (100, 999_000, 50_000_000),
        ],
    )
    def test_a_market_cap_schedule_falls_with_the_price_and_ends_at_its_expiry(
        self, price_percent: int, activation_point: int, numerator: int
    ) -> None:
        schedule = MarketCapScheduler(
            cliff_fee_numerator=50_000_000,
            number_of_periods=10,
            sqrt_price_step_bps=100,
            scheduler_expiration_duration=1_000,
            reduction_factor=1_000_000,
        )
        start = 100 << 64
        state = a_pool(
            base_fee=schedule,
            init_sqrt_price=start,
            sqrt_price=start * price_percent // 100,
            activation_point=activation_point,
        )
        assert fee_numerator(state, NOW, 1, a_to_b=True) == numerator

    @pytest.mark.parametrize(
        ("amount", "numerator"),
        [(1_000, 10_000_000), (2_000, 15_000_000), (3_000, 20_000_000), (4_000, 22_500_000), (1_000_000, 29_970_000)],
    )
    def test_a_rate_limiter_charges_larger_buys_more(self, amount: int, numerator: int) -> None:
        state = a_pool(base_fee=LIMITER, activation_point=NOW.unix_timestamp)
        assert fee_numerator(state, NOW, amount, a_to_b=False) == numerator

    @pytest.mark.parametrize("activation_point", [999_899, 1_000_001])
    def test_a_rate_limiter_is_off_outside_its_time_and_for_sales(self, activation_point: int) -> None:
        state = a_pool(base_fee=LIMITER, activation_point=activation_point)
        assert fee_numerator(state, NOW, 1_000_000, a_to_b=False) == 10_000_000
        assert fee_numerator(replace(state, activation_point=0), NOW, 1_000_000, a_to_b=True) == 10_000_000

    @pytest.mark.parametrize(("fee_version", "numerator"), [(0, 500_000_000), (1, 990_000_000)])
    def test_the_whole_fee_is_capped(self, fee_version: int, numerator: int) -> None:
        state = a_pool(base_fee=Schedule(cliff_fee_numerator=2_000_000_000), fee_version=fee_version)
        assert fee_numerator(state, NOW, 1, a_to_b=True) == numerator
