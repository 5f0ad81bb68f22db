"""A CLMM pool made from reserves: it reads back, holds what it pays, and is found in the bitmaps."""

from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from order_engine.domain.errors import QuoteRefused
from order_engine.domain.pool import Account, AccountSnapshot, ExactOutRequest, SwapRequest, missing_dependencies
from order_engine.domain.tokens import TOKEN_PROGRAM
from order_engine.papernet.token_ledger import token_account_data
from order_engine.venues.raydium_clmm import layout
from order_engine.venues.raydium_clmm.fresh_pool import FreshPool, Position, around, fresh_pool, sqrt_price_of
from order_engine.venues.raydium_clmm.pool import RaydiumClmmPool
from order_engine.venues.raydium_clmm.tick_arrays import decode_tick_array
from order_engine.venues.raydium_clmm.ticks import sqrt_price_at_tick
from tests.unit.raydium_clmm_samples import MINTS, mint_data, owned

OWNER = Pubkey(bytes([5] * 32))
RESERVES = (10**12, 150 * 10**9)


def config(tick_spacing: int) -> layout.AmmConfig:
    return layout.AmmConfig(
        index=1, owner=OWNER, protocol_fee_rate=120_000, trade_fee_rate=2_500, tick_spacing=tick_spacing,
        fund_fee_rate=40_000, fund_owner=OWNER,
    )  # fmt: skip


def address_of(pool: FreshPool) -> Pubkey:
    return layout.pool_address(pool.state.config, *MINTS)


def decoded(pool: FreshPool, tick_spacing: int, vault_amounts: tuple[int, int]) -> RaydiumClmmPool:
    address, state = address_of(pool), pool.state
    accounts: dict[Pubkey, Account] = {
        address: owned(layout.PROGRAM_ID, layout.encode_pool(state)),
        state.config: owned(layout.PROGRAM_ID, layout.encode_config(config(tick_spacing))),
    }
    for start, data in pool.arrays.items():
        accounts[layout.tick_array_address(address, start)] = owned(layout.PROGRAM_ID, data)
    if pool.extension is not None:
        accounts[layout.bitmap_extension_address(address)] = owned(layout.PROGRAM_ID, pool.extension)
    for mint, vault, amount in zip(MINTS, state.vaults, vault_amounts, strict=True):
        accounts[mint] = owned(TOKEN_PROGRAM, mint_data(6))
        accounts[vault] = owned(TOKEN_PROGRAM, token_account_data(mint, address, amount))
    asked = {address, *RaydiumClmmPool.dependencies(address, accounts[address])}
    snapshot = AccountSnapshot(
        slot=1, unix_timestamp=1, epoch=1, accounts={key: accounts[key] for key in asked & accounts.keys()}
    )
    further = missing_dependencies(RaydiumClmmPool, address, snapshot)
    held = {**snapshot.accounts, **{key: accounts[key] for key in further if key in accounts}}
    return RaydiumClmmPool.decode(address, AccountSnapshot(slot=1, unix_timestamp=1, epoch=1, accounts=held))


def made(reserves: tuple[int, int], tick_spacing: int, *widths: int) -> FreshPool:
    price = sqrt_price_of(*reserves)
    positions = around(reserves, price, tick_spacing, widths)
    terms = config(tick_spacing)
    return fresh_pool(terms, mints=MINTS, decimals=(6, 6), sqrt_price_x64=price, positions=positions)


def test_the_price_is_that_of_the_reserves() -> None:
    assert sqrt_price_of(10**12, 10**12) == 2**64
    assert sqrt_price_of(10**12, 4 * 10**12) == 2**65
    assert sqrt_price_of(3, 1) == isqrt(2**128 // 3)


@pytest.mark.parametrize(("tick_spacing", "needs_extension"), [(60, False), (1, False)])
def test_a_pool_near_price_one_needs_no_extension(tick_spacing: int, needs_extension: bool) -> None:
    assert (made(RESERVES, tick_spacing, 600, 2_000).extension is not None) is needs_extension


@pytest.mark.parametrize("side_in", [0, 1])
def test_a_pool_far_from_price_one_is_found_by_its_extension(side_in: int) -> None:
    reserves = (10**15, 10**12) if side_in else (10**12, 10**15)  # some 69,000 ticks from 0: beyond 512 arrays
    pool = made(reserves, 1, 300)
    assert pool.extension is not None
    quote = decoded(pool, 1, reserves).quote(_sale(side_in, 10**6))
    assert quote.amount_out > 0


def _sale(side_in: int, amount: int) -> SwapRequest:
    return SwapRequest(token_in=MINTS[side_in], token_out=MINTS[1 - side_in], amount_in=amount)


def test_ticks_and_liquidity_are_those_of_the_positions() -> None:
    positions = [Position(-600, 600, 1_000), Position(-600, 0, 50), Position(0, 120, 7)]
    pool = fresh_pool(
        config(60), mints=MINTS, decimals=(6, 6), sqrt_price_x64=sqrt_price_at_tick(30), positions=positions
    )
    assert (pool.state.tick_current, pool.state.liquidity) == (30, 1_007)
    ticks = {}
    for start, data in pool.arrays.items():
        address = layout.tick_array_address(address_of(pool), start)
        array = decode_tick_array(address, owned(layout.PROGRAM_ID, data), 60)
        assert (array.pool, array.start) == (address_of(pool), start)
        assert data[10_124] == len(array.ticks)
        ticks.update({tick.tick_index: (tick.liquidity_net, tick.liquidity_gross) for tick in array.ticks})
    assert ticks == {-600: (1_050, 1_050), 0: (-43, 57), 120: (-7, 7), 600: (-1_000, 1_000)}


@given(
    amount_0=st.integers(10**9, 10**16),
    amount_1=st.integers(10**9, 10**16),
    tick_spacing=st.sampled_from([1, 10, 60]),
    width=st.integers(600, 20_000),
    side_in=st.sampled_from([0, 1]),
)
def test_the_positions_pay_most_of_the_reserves_and_never_more(
    amount_0: int, amount_1: int, tick_spacing: int, width: int, side_in: int
) -> None:
    reserves = (amount_0, amount_1)
    pool = decoded(made(reserves, tick_spacing, width), tick_spacing, (10**18, 10**18))

    def price_of(amount_out: int) -> int:
        wanted = ExactOutRequest(token_in=MINTS[side_in], token_out=MINTS[1 - side_in], amount_out=amount_out)
        return pool.quote_exact_out(wanted).amount_in

    assert price_of(reserves[1 - side_in] * 7 // 10) > 0
    with pytest.raises(QuoteRefused, match=r"liquidity|bitmap extension"):
        price_of(reserves[1 - side_in] + 1)
