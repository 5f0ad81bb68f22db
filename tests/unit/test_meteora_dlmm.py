"""Meteora DLMM: accounts, bitmaps and prices."""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from order_engine.venues.meteora_dlmm.arrays import Bitmap, Extension
from order_engine.venues.meteora_dlmm.fresh_pool import BinContent, bin_id_of, spread
from order_engine.venues.meteora_dlmm.layout import array_address, extension_address
from order_engine.venues.meteora_dlmm.math import Q64, price_of
from order_engine.venues.meteora_dlmm.pool import ARRAYS_PER_DIRECTION, MeteoraDlmmPool
from order_engine.venues.meteora_dlmm.refusals import (
    MathOverflow,
    MissingBinArray,
)
from tests.unit.meteora_dlmm_samples import (
    FAR,
    MINT_X,
    MINT_Y,
    POOL,
    a_pool,
    accounts_of,
    decoded,
    far_pool,
    sell_x,
    snapshot_of,
)

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
    def test_a_state_that_the_program_never_writes_is_unreadable(self, changes: dict[str, Any]) -> None:
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

    def test_arrays_that_only_the_extension_names_are_read_in_a_second_step(self) -> None:
        bins = {FAR + 70 * step: BinContent(x=1_000_000, y=1_000_000) for step in (-9, 0, 9)}
        pool = a_pool(bins, FAR, step=2)
        accounts = accounts_of(pool)
        first = {POOL, *MeteoraDlmmPool.dependencies(POOL, accounts[POOL])}
        snapshot = snapshot_of({key: account for key, account in accounts.items() if key in first})
        further = MeteoraDlmmPool.further_dependencies(POOL, snapshot)
        assert set(further) == {array_address(POOL, 571 + step) for step in (-9, 9)}
        assert MeteoraDlmmPool.further_dependencies(POOL, snapshot_of(accounts)) == ()
        with pytest.raises(MissingBinArray):
            MeteoraDlmmPool.decode(POOL, snapshot).quote(sell_x(500))
        assert MeteoraDlmmPool.decode(POOL, snapshot_of(accounts)).quote(sell_x(500)).amount_out > 0

    def test_a_pool_whose_price_moved_since_it_was_found_asks_for_the_arrays_there(self) -> None:
        accounts = accounts_of(a_pool())
        del accounts[array_address(POOL, 1)]
        snapshot = snapshot_of(accounts)
        assert MeteoraDlmmPool.further_dependencies(POOL, snapshot) == (array_address(POOL, 1),)

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
