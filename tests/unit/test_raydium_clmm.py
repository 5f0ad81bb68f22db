"""Raydium CLMM pools: what they quote, what they read, and what they refuse."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import AmountTooSmall, PoolUnreadable, QuoteRefused
from order_engine.domain.pool import Account, SwapRequest, missing_dependencies
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, Mint, TransferFee
from order_engine.venues.raydium_clmm import layout, tick_arrays
from order_engine.venues.raydium_clmm.instructions import decode_arguments
from order_engine.venues.raydium_clmm.layout import bitmap_extension_address, tick_array_address
from order_engine.venues.raydium_clmm.pool import MAX_STEPS, RaydiumClmmPool
from order_engine.venues.raydium_clmm.refusals import (
    BitmapExtensionMissing,
    LiquidityInsufficient,
    NoLiquidityThatWay,
    ProgramRefusal,
    TickArrayMissing,
)
from order_engine.venues.raydium_clmm.swap import check_moved
from order_engine.venues.raydium_clmm.tick_arrays import Tick
from order_engine.venues.raydium_clmm.ticks import MAX_SQRT_PRICE_X64, sqrt_price_at_tick
from order_engine.venues.raydium_clmm.volatility import DynamicFee
from order_engine.venues.raydium_clmm.walk import Walk
from tests.unit.raydium_clmm_samples import (
    ADDRESS,
    CONFIG,
    LIQUIDITY,
    MINTS,
    NOW,
    STATE,
    TICKS,
    TRADER,
    World,
    exact_out_request,
    execute,
    mint_data,
    owned,
    request,
    tick_array_data,
    with_state,
)

DYNAMIC = DynamicFee(
    filter_period=30,
    decay_period=120,
    reduction_factor=5_000,
    control=20_000,
    max_accumulator=350_000,
    group_reference=0,
    volatility_reference=1_000,
    accumulator=30_000,
    last_update=NOW - 1,
)
ORDERS = (Tick(-50, 0, 0, orders_amount=10**9), Tick(50, 0, 0, part_filled_amount=10**9, unfilled_ratio_x64=2**63))
WORLDS = {
    "static fee": World(),
    "dynamic fee": with_state(World(), dynamic_fee=DYNAMIC),
    "fee on token 0": with_state(World(), fee_on=layout.FEE_ON_TOKEN_0),
    "fee on token 1": with_state(World(), fee_on=layout.FEE_ON_TOKEN_1),
    "limit orders": World(ticks=tuple(sorted((*TICKS, *ORDERS)))),
}
# far below price 1: only the extension knows of these arrays
FAR_STATE = replace(STATE, tick_current=-320_000, sqrt_price_x64=sqrt_price_at_tick(-320_000))
FAR = World(state=FAR_STATE, ticks=(Tick(-330_000, LIQUIDITY, LIQUIDITY), Tick(-310_000, -LIQUIDITY, LIQUIDITY)))
worlds = st.sampled_from(sorted(WORLDS))
sides = st.integers(0, 1)


class TestQuote:
    def test_within_one_step_the_curve_decides(self) -> None:
        quote = World().pool().quote(request(10**9))
        # 997,500,000 of 10^9 move the square root of the price from 1 to 1 / 1.0009975: 996,505,985.8 is rounded down
        assert (quote.amount_in, quote.amount_out, quote.fee_amount) == (10**9, 996_505_985, 2_500_000)
        assert (quote.fee_token, quote.venue, quote.pool) == (MINTS[0], "raydium_clmm", ADDRESS)
        assert quote.price_impact_bps == 9

    def test_a_step_costs_compute_units(self) -> None:
        near, far = (World().pool().quote(request(amount)) for amount in (10**9, 10**10))
        assert near.compute_units is not None
        assert far.compute_units is not None
        assert near.compute_units < far.compute_units

    @pytest.mark.parametrize(("fee_on", "side_in"), [(1, 1), (2, 0)])
    def test_a_fee_on_the_output_counts_in_the_output_token(self, fee_on: int, side_in: int) -> None:
        free = replace(CONFIG, trade_fee_rate=0)
        whole = World(config=free).pool().quote(request(10**9, side_in))
        charged = with_state(World(), fee_on=fee_on).pool().quote(request(10**9, side_in))
        assert charged.fee_token == MINTS[1 - side_in]
        assert charged.amount_out + charged.fee_amount == whole.amount_out

    def test_a_fee_on_the_input_token_alone_is_as_any_fee_on_the_input(self) -> None:
        for fee_on, side_in in ((1, 0), (2, 1)):
            same = with_state(World(), fee_on=fee_on).pool().quote(request(10**9, side_in))
            assert same == World().pool().quote(request(10**9, side_in))

    def test_limit_orders_fill_at_the_price_of_their_tick(self) -> None:
        with_orders = WORLDS["limit orders"].pool()
        for side_in in (0, 1):
            amount = 5 * 10**9
            better = with_orders.quote(request(amount, side_in)).amount_out
            assert better > World().pool().quote(request(amount, side_in)).amount_out

    def test_moving_the_price_raises_the_dynamic_fee(self) -> None:
        pool = WORLDS["dynamic fee"].pool()
        rates = [pool.quote(request(amount)).fee_amount * 10**6 // amount for amount in (10**8, 10**10, 3 * 10**10)]
        assert 2_500 < rates[0] < rates[1] < rates[2]

    def test_volatility_fades(self) -> None:
        fees = []
        for age in (29, 30, 119, 120):
            fee = replace(DYNAMIC, group_reference=-9, last_update=NOW - age)
            fees.append(with_state(World(), dynamic_fee=fee).pool().quote(request(10**8, side_in=1)).fee_amount)
        plain = World().pool().quote(request(10**8, side_in=1)).fee_amount
        assert fees[0] > fees[1] == fees[2] > fees[3] == plain

    @pytest.mark.parametrize("name", WORLDS)
    def test_the_liquidity_ends_by_name(self, name: str) -> None:
        for side_in in (0, 1):
            with pytest.raises(LiquidityInsufficient):
                WORLDS[name].pool().quote(request(10**14, side_in))

    def test_nothing_initialized_on_one_side_is_a_refusal_by_name(self) -> None:
        upwards_only = World(ticks=(Tick(700, LIQUIDITY, LIQUIDITY),))
        with pytest.raises(NoLiquidityThatWay):
            with_state(upwards_only, liquidity=0).pool().quote(request(10**6))

    @pytest.mark.parametrize("status", [1, 2, 4, 8, 32, 239])
    def test_a_pool_closed_for_other_things_still_trades(self, status: int) -> None:
        assert with_state(World(), status=status).pool().quote(request(10**9)).amount_out > 0

    @pytest.mark.parametrize("status", [16, 31, 255])
    def test_a_paused_pool_refuses(self, status: int) -> None:
        with pytest.raises(ProgramRefusal, match="switched off") as refusal:
            with_state(World(), status=status).pool().quote(request(10**9))
        assert refusal.value.program_error == 6001

    def test_a_pool_opens_after_its_second(self) -> None:
        assert with_state(World(), open_time=NOW - 1).pool().quote(request(10**9)).amount_out > 0
        with pytest.raises(QuoteRefused, match="opens after"):
            with_state(World(), open_time=NOW).pool().quote(request(10**9))

    @pytest.mark.parametrize("amount", [0, 1, 2])
    def test_an_amount_that_pays_nothing_is_too_small(self, amount: int) -> None:
        with pytest.raises(AmountTooSmall):
            with_state(World(), fee_on=1).pool().quote(request(min(amount, 1)))
        with pytest.raises(AmountTooSmall):
            World().pool().quote_exact_out(exact_out_request(0))

    def test_zero_liquidity_jumps_to_where_there_is_some(self) -> None:
        gap = World(ticks=(Tick(-1_200, LIQUIDITY, LIQUIDITY), Tick(-600, -LIQUIDITY, LIQUIDITY)))
        quote = with_state(gap, liquidity=0).pool().quote(request(10**9))
        assert 0 < quote.amount_out < 10**9 * sqrt_price_at_tick(-600) ** 2 >> 128

    def test_a_pool_without_any_liquidity_refuses(self) -> None:
        for side_in in (0, 1):
            with pytest.raises(QuoteRefused):
                with_state(World(ticks=()), liquidity=0).pool().quote(request(10**9, side_in))

    @pytest.mark.parametrize("amount", [-1, U64_MAX, U64_MAX + 1])
    def test_an_amount_beyond_all_means_is_refused(self, amount: int) -> None:
        with pytest.raises(QuoteRefused):
            World().pool().quote(request(amount))
        with pytest.raises(QuoteRefused):
            World().pool().quote_exact_out(exact_out_request(amount))

    def test_a_vault_is_never_overdrawn_nor_overfilled(self) -> None:
        paid = World().pool().quote(request(10**9)).amount_out
        assert World(vault_amounts=(10**15, paid)).pool().quote(request(10**9)).amount_out == paid
        with pytest.raises(QuoteRefused, match="holds"):
            World(vault_amounts=(10**15, paid - 1)).pool().quote(request(10**9))
        with pytest.raises(QuoteRefused, match="cannot hold"):
            World(vault_amounts=(U64_MAX - 10**9 + 1, 10**15)).pool().quote(request(10**9))

    def test_transfer_fees_are_taken_on_both_sides(self) -> None:
        plain = World().pool()
        fees = (Mint(9, TOKEN_2022_PROGRAM, TransferFee(U64_MAX, 100)), Mint(6, TOKEN_2022_PROGRAM, TransferFee(7, 1)))
        quote = replace(plain, token_mints=fees).quote(request(10**9))
        assert quote.amount_in == 10**9
        assert quote.amount_out == plain.quote(request(990_000_000)).amount_out - 7

    def test_an_output_that_its_transfer_fee_eats_is_too_small(self) -> None:
        fees = (Mint(9, TOKEN_PROGRAM, TransferFee(0, 0)), Mint(6, TOKEN_2022_PROGRAM, TransferFee(U64_MAX, 10_000)))
        with pytest.raises(AmountTooSmall):
            replace(World().pool(), token_mints=fees).quote(request(10**9))

    def test_a_swap_of_too_many_steps_is_refused(self) -> None:
        many = tuple(Tick(-10 * step, 10**9, 10**9) for step in range(100, 0, -1))
        world = with_state(World(ticks=(*many, Tick(10, -100 * 10**9, 100 * 10**9))), liquidity=100 * 10**9)
        with pytest.raises(QuoteRefused, match=f"more than the {MAX_STEPS} steps"):
            world.pool().quote(request(10**10))

    @pytest.mark.parametrize("pair", [(0, 0), (1, 1)])
    def test_a_token_is_not_traded_for_itself(self, pair: tuple[int, int]) -> None:
        swap = SwapRequest(token_in=MINTS[pair[0]], token_out=MINTS[pair[1]], amount_in=10**9)
        with pytest.raises(QuoteRefused, match="does not trade"):
            World().pool().quote(swap)


class TestProperties:
    @given(name=worlds, side_in=sides, amount=st.integers(1, 4 * 10**10), more=st.integers(0, 10**10))
    def test_more_in_never_pays_less(self, name: str, side_in: int, amount: int, more: int) -> None:
        pool = POOLS[name]
        less, rather = (_paid(pool, side_in, value) for value in (amount, amount + more))
        assume(less is not None and rather is not None)
        assert less is not None
        assert rather is not None
        assert less <= rather

    @given(name=worlds, side_in=sides, amount=st.integers(1, 5 * 10**10))
    def test_the_running_sums_pay_what_the_walk_pays(self, name: str, side_in: int, amount: int) -> None:
        pool = POOLS[name]
        path, ladder = pool._path(side_in)
        walk = Walk(pool._terms(side_in, path, exact_in=True), pool.state, amount)
        try:
            walk.run(MAX_STEPS)
            check_moved(amount - walk.remaining, walk.calculated)
        except ProgramRefusal as refusal:
            with pytest.raises(type(refusal)):
                ladder.exact_in(amount, MAX_STEPS)
            return
        if walk.remaining:
            with pytest.raises(QuoteRefused):
                ladder.exact_in(amount, MAX_STEPS)
            return
        assert ladder.exact_in(amount, MAX_STEPS) == (amount, walk.calculated, walk.fee_amount, walk.steps)

    @given(name=worlds, side_in=sides, wanted=st.integers(1, 4 * 10**10))
    def test_what_an_exact_output_costs_buys_it_again(self, name: str, side_in: int, wanted: int) -> None:
        pool = POOLS[name]
        try:
            quote = pool.quote_exact_out(exact_out_request(wanted, side_in))
        except QuoteRefused:
            assume(False)
        assert quote.amount_out == wanted
        bought = _paid(pool, side_in, quote.amount_in)
        assert bought is not None
        assert abs(bought - wanted) <= 2 * MAX_STEPS  # a unit of rounding or two for each step

    @given(name=worlds, side_in=sides, amount=st.integers(1, 4 * 10**10))
    def test_a_round_trip_never_profits(self, name: str, side_in: int, amount: int) -> None:
        ledger = WORLDS[name].ledger(side_in)
        pool = POOLS[name]
        try:
            bought = pool.quote(request(amount, side_in))
            execute(ledger, pool.swap_instruction(bought, 1, TRADER))
            snapshot = replace(WORLDS[name].snapshot(), accounts=ledger.accounts)
            back = RaydiumClmmPool.decode(ADDRESS, snapshot).quote(request(bought.amount_out, 1 - side_in))
        except QuoteRefused:
            assume(False)
        assert back.amount_out <= amount

    @given(name=worlds, side_in=sides, amount=st.integers(0, U64_MAX))
    def test_any_amount_is_an_answer_within_the_vault_or_a_named_refusal(
        self, name: str, side_in: int, amount: int
    ) -> None:
        pool = POOLS[name]
        for ask in (
            lambda: pool.quote(request(amount, side_in)),
            lambda: pool.quote_exact_out(exact_out_request(amount, side_in)),
        ):
            try:
                quote = ask()
            except QuoteRefused:
                continue
            assert 0 < quote.amount_in <= U64_MAX
            assert 0 < quote.amount_out <= pool.vault_amounts[1 - side_in]

    @given(
        price=st.integers(4_295_048_017, MAX_SQRT_PRICE_X64 - 1),
        liquidity=st.integers(0, 2**128 - 1),
        amount=st.integers(0, U64_MAX),
        side_in=sides,
        fee_on=st.integers(0, 2),
    )
    def test_any_price_and_liquidity_give_an_answer_or_a_named_refusal(
        self, price: int, liquidity: int, amount: int, side_in: int, fee_on: int
    ) -> None:
        world = with_state(World(), sqrt_price_x64=price, liquidity=liquidity, fee_on=fee_on)
        paid = _paid(world.pool(), side_in, amount)
        assert paid is None or 0 < paid <= world.vault_amounts[1 - side_in]


def _paid(pool: RaydiumClmmPool, side_in: int, amount: int) -> int | None:
    try:
        return pool.quote(request(amount, side_in)).amount_out
    except QuoteRefused:
        return None


POOLS = {name: world.pool() for name, world in WORLDS.items()}


class TestAccounts:
    def test_a_pool_and_its_dynamic_fee_encode_to_what_they_were_read_from(self) -> None:
        state = replace(
            STATE,
            status=2,
            fee_on=1,
            fee_growth_x64=(2**127, 3),
            protocol_fees=(1, 2),
            fund_fees=(3, 4),
            rewards=bytes(range(250)) + bytes(257),
            bitmap=bytes([1] * 128),
            open_time=7,
            recent_epoch=8,
            dynamic_fee=DYNAMIC,
        )
        assert layout.decode_pool(ADDRESS, owned(layout.PROGRAM_ID, layout.encode_pool(state))) == state

    def test_a_patched_pool_keeps_every_unused_byte(self) -> None:
        data = bytearray(layout.encode_pool(with_state(World(), dynamic_fee=DYNAMIC).state))
        for start, end in ((273, 277), (325, 389), (391, 397), (1032, 1064), (1130, 1544)):
            data[start:end] = bytes([255] * (end - start))
        state = layout.decode_pool(ADDRESS, owned(layout.PROGRAM_ID, bytes(data)))
        assert layout.patch_pool(bytes(data), state) == bytes(data)

    def test_dependencies_are_all_that_decoding_needs(self) -> None:
        snapshot = World().snapshot()
        needed = {ADDRESS, *RaydiumClmmPool.dependencies(ADDRESS, snapshot.accounts[ADDRESS])}
        only = replace(snapshot, accounts={key: snapshot.accounts[key] for key in needed})
        assert missing_dependencies(RaydiumClmmPool, ADDRESS, only) == ()
        assert RaydiumClmmPool.decode(ADDRESS, only) == World().pool()

    @pytest.mark.parametrize("number", range(5))
    def test_config_vaults_and_mints_are_needed(self, number: int) -> None:
        missing = RaydiumClmmPool.dependencies(ADDRESS, World().accounts()[ADDRESS])[number]
        with pytest.raises(PoolUnreadable):
            World(others={missing: None}).pool()

    def test_arrays_that_only_the_extension_knows_are_read_in_a_second_step(self) -> None:
        snapshot = FAR.snapshot()
        first = {ADDRESS, *RaydiumClmmPool.dependencies(ADDRESS, snapshot.accounts[ADDRESS])}
        only = replace(snapshot, accounts={key: snapshot.accounts[key] for key in first & snapshot.accounts.keys()})
        missing = missing_dependencies(RaydiumClmmPool, ADDRESS, only)
        assert set(missing) == {tick_array_address(ADDRESS, start) for start in (-330_000, -310_200)}
        whole = replace(snapshot, accounts={**only.accounts, **{key: snapshot.accounts[key] for key in missing}})
        assert missing_dependencies(RaydiumClmmPool, ADDRESS, whole) == ()
        assert RaydiumClmmPool.decode(ADDRESS, whole).quote(request(10**15)).amount_out > 0

    def test_arrays_follow_a_price_that_has_moved_on(self) -> None:
        many = tuple(Tick(600 * number, 0, LIQUIDITY) for number in range(-9, 10))
        before, after = World(ticks=many), with_state(World(ticks=many), tick_current=3_000)
        known = {ADDRESS, *RaydiumClmmPool.dependencies(ADDRESS, before.accounts()[ADDRESS])}
        snapshot = after.snapshot()
        stale = replace(snapshot, accounts={key: snapshot.accounts[key] for key in known})
        missing = missing_dependencies(RaydiumClmmPool, ADDRESS, stale)
        assert tick_array_address(ADDRESS, 3_600) in missing
        assert tick_array_address(ADDRESS, 0) not in missing

    def test_without_the_extension_far_arrays_are_a_refusal_by_name(self) -> None:
        world = replace(FAR, others={bitmap_extension_address(ADDRESS): None})
        with pytest.raises(BitmapExtensionMissing):
            world.pool().quote(request(10**9))

    def test_a_missing_array_stops_only_the_swaps_that_reach_it(self) -> None:
        pool = World(others={tick_array_address(ADDRESS, -1_200): None}).pool()
        small = pool.quote(request(10**8))
        assert small == World().pool().quote(request(10**8))
        with pytest.raises(TickArrayMissing) as refusal:
            pool.quote(request(10**10))
        assert refusal.value.program_error == 6027
        with pytest.raises(TickArrayMissing):
            pool.quote_exact_out(exact_out_request(10**10))

    @pytest.mark.parametrize(
        "account",
        [
            owned(TOKEN_PROGRAM, layout.encode_pool(STATE)),
            owned(layout.PROGRAM_ID, layout.encode_pool(STATE)[:-1]),
            owned(layout.PROGRAM_ID, layout.encode_pool(STATE) + b"\0"),
            owned(layout.PROGRAM_ID, bytes(layout.POOL_SIZE)),
            owned(layout.PROGRAM_ID, layout.encode_config(CONFIG)),
            owned(layout.PROGRAM_ID, layout.encode_pool(replace(STATE, tick_spacing=0))),
            owned(layout.PROGRAM_ID, layout.encode_pool(replace(STATE, tick_spacing=1_001))),
            owned(layout.PROGRAM_ID, b""),
        ],
        ids=["owner", "short", "long", "discriminator", "config", "no spacing", "spacing", "empty"],
    )
    def test_what_is_no_pool_is_unreadable(self, account: Account) -> None:
        with pytest.raises(PoolUnreadable):
            RaydiumClmmPool.dependencies(ADDRESS, account)
        with pytest.raises(PoolUnreadable):
            World(others={ADDRESS: account}).pool()

    @pytest.mark.parametrize(
        "changes",
        [
            {"sqrt_price_x64": 0},
            {"sqrt_price_x64": MAX_SQRT_PRICE_X64},
            {"tick_current": 443_637},
            {"tick_current": -(2**31)},
        ],
    )
    def test_a_pool_without_a_price_is_unreadable(self, changes: dict[str, int]) -> None:
        with pytest.raises(PoolUnreadable, match="no price"):
            with_state(World(), **changes).pool()

    @pytest.mark.parametrize("rates", [(10**6, 0, 0), (1, 600_000, 400_001)])
    def test_a_config_that_takes_more_than_there_is_is_unreadable(self, rates: tuple[int, int, int]) -> None:
        trade, protocol, fund = rates
        config = replace(CONFIG, trade_fee_rate=trade, protocol_fee_rate=protocol, fund_fee_rate=fund)
        with pytest.raises(PoolUnreadable):
            World(config=config).pool()

    @pytest.mark.parametrize(
        "data",
        [
            tick_array_data(-600, ())[:-1],
            bytes(tick_arrays.TICK_ARRAY_SIZE),
            tick_array_data(-1_200, ()),
            tick_array_data(-600, (), pool=MINTS[0]),
            tick_array_data(-600, (), pool=ADDRESS)[:44] + tick_array_data(0, TICKS[2:3])[44:],
        ],
        ids=["short", "discriminator", "another start", "another pool", "ticks of elsewhere"],
    )
    def test_what_is_no_array_of_the_pool_is_unreadable(self, data: bytes) -> None:
        world = World(others={tick_array_address(ADDRESS, -600): owned(layout.PROGRAM_ID, data)})
        with pytest.raises(PoolUnreadable):
            world.pool()

    @pytest.mark.parametrize("data", [b"", bytes(tick_arrays.BITMAP_EXTENSION_SIZE)])
    def test_what_is_no_extension_is_unreadable(self, data: bytes) -> None:
        world = World(others={bitmap_extension_address(ADDRESS): owned(layout.PROGRAM_ID, data)})
        with pytest.raises(PoolUnreadable):
            world.pool()

    @pytest.mark.parametrize("owner", [layout.PROGRAM_ID, TOKEN_PROGRAM, TOKEN_2022_PROGRAM, Pubkey.default()])
    @pytest.mark.parametrize("address", [STATE.config, *STATE.vaults, *STATE.mints])
    def test_an_account_of_another_kind_is_unreadable(self, address: Pubkey, owner: Pubkey) -> None:
        with pytest.raises(PoolUnreadable):
            World(others={address: owned(owner, bytes(64))}).pool()

    def test_discovery_finds_the_pool_whichever_mint_is_named_first(self) -> None:
        data = layout.encode_pool(STATE)
        for pair in (MINTS, MINTS[::-1]):
            (only,) = RaydiumClmmPool.discovery_filters(*pair)
            assert only.data_size == len(data)
            assert all(data[offset : offset + len(held)] == held for offset, held in only.memcmp)


class TestInstruction:
    def test_arrays_are_listed_as_the_swap_meets_them(self) -> None:
        pool = World().pool()
        for side_in, starts in ((0, (0, -600, -1_200)), (1, (0, 1_200))):
            built = pool.swap_instruction(pool.quote(request(10**9, side_in)), 5, TRADER)
            ahead = [meta.pubkey for meta in built.accounts[13:]]
            arrays = [tick_array_address(ADDRESS, start) for start in starts]
            assert ahead == [bitmap_extension_address(ADDRESS), *arrays]
            assert all(meta.is_writable for meta in built.accounts[13:])

    def test_without_an_extension_none_is_named(self) -> None:
        pool = World(others={bitmap_extension_address(ADDRESS): None}).pool()
        built = pool.swap_instruction(pool.quote(request(10**9)), 5, TRADER)
        assert bitmap_extension_address(ADDRESS) not in [meta.pubkey for meta in built.accounts]

    def test_an_exact_output_names_a_price_limit_only_where_a_transfer_fee_may_be(self) -> None:
        limits = []
        for program in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM):
            world = World(others={MINTS[1]: owned(program, mint_data(6))})
            pool = world.pool()
            built = pool.exact_out_instruction(pool.quote_exact_out(exact_out_request(10**6)), 10**7, TRADER)
            arguments = decode_arguments(bytes(built.data))
            assert arguments is not None
            assert (arguments.amount, arguments.threshold, arguments.is_base_input) == (10**6, 10**7, False)
            limits.append(arguments.sqrt_price_limit_x64)
        assert limits == [0, 4_295_048_017]
