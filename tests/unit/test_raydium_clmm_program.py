"""The emulated Raydium CLMM program: its codes, and what a swap leaves in every account."""

import struct
from dataclasses import replace

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.pool import Account
from order_engine.domain.tokens import TOKEN_PROGRAM
from order_engine.papernet.programs import ProgramError, RuntimeProgramError
from order_engine.papernet.programs.raydium_clmm_rewards import decode_rewards, encode_rewards
from order_engine.papernet.programs.raydium_clmm_state import observed
from order_engine.papernet.token_ledger import TokenLedger
from order_engine.venues.raydium_clmm import layout, tick_arrays
from order_engine.venues.raydium_clmm.instructions import SwapArguments, swap_v2
from order_engine.venues.raydium_clmm.layout import bitmap_extension_address, tick_array_address
from order_engine.venues.raydium_clmm.tick_arrays import ArrayBitmap, Tick, TickArray, decode_bitmap, decode_tick_array
from order_engine.venues.raydium_clmm.ticks import sqrt_price_at_tick
from tests.unit.raydium_clmm_samples import (
    ADDRESS,
    CONFIG,
    EPOCH,
    LIQUIDITY,
    MINTS,
    NOW,
    STATE,
    TICKS,
    TRADER,
    World,
    execute,
    observation_data,
    owned,
    tick_array_data,
    with_state,
)

PAYER, CONFIG_AT, POOL, USER_IN, USER_OUT, VAULT_IN, VAULT_OUT, OBSERVATION = range(8)
TOKEN, TOKEN_2022, MEMO, MINT_IN, MINT_OUT, EXTENSION, FIRST_ARRAY = range(8, 15)
AMOUNT = 10**9
STRANGER = Pubkey(bytes([99] * 32))
ARRAYS = {0: (0, -600, -1_200), 1: (0, 1_200)}
Q64 = 2**64


def instruction(
    amount: int = AMOUNT,
    *,
    threshold: int = 1,
    limit: int = 0,
    exact_in: bool = True,
    side_in: int = 0,
    ahead: tuple[Pubkey, ...] | None = None,
) -> Instruction:
    arguments = SwapArguments(amount=amount, threshold=threshold, sqrt_price_limit_x64=limit, is_base_input=exact_in)
    arrays = [tick_array_address(ADDRESS, start) for start in ARRAYS[side_in]]
    return swap_v2(ADDRESS, STATE, TRADER, side_in, arguments, ahead or (bitmap_extension_address(ADDRESS), *arrays))


def code_of(world: World, swap: Instruction, unix_timestamp: int = NOW, side_in: int = 0) -> int | str:
    with pytest.raises(ProgramError) as refusal:
        execute(world.ledger(side_in), swap, unix_timestamp)
    return refusal.value.name if isinstance(refusal.value, RuntimeProgramError) else refusal.value.code


def altered(swap: Instruction, place: int, meta: AccountMeta) -> Instruction:
    accounts = list(swap.accounts)
    accounts[place] = meta
    return Instruction(swap.program_id, bytes(swap.data), accounts)


def state_of(ledger: TokenLedger) -> layout.PoolState:
    return layout.decode_pool(ADDRESS, ledger.accounts[ADDRESS])


def array_of(ledger: TokenLedger, start: int) -> TickArray:
    address = tick_array_address(ADDRESS, start)
    return decode_tick_array(address, ledger.accounts[address], STATE.tick_spacing)


def outside(ledger: TokenLedger, start: int, tick: int) -> tuple[int, ...]:
    data = ledger.accounts[tick_array_address(ADDRESS, start)].data
    at = tick_arrays.TICKS_OFFSET + (tick - start) // STATE.tick_spacing * tick_arrays.TICK_SIZE + 36
    return tuple(int.from_bytes(data[at + 16 * i : at + 16 * i + 16], "little") for i in range(5))


def swapped(world: World, swap: Instruction, side_in: int = 0, unix_timestamp: int = NOW) -> TokenLedger:
    ledger = world.ledger(side_in)
    execute(ledger, swap, unix_timestamp)
    return ledger


class TestRefusals:
    def test_only_swap_v2_is_known(self) -> None:
        swap = instruction()
        assert code_of(World(), Instruction(swap.program_id, b"\0" * 41, swap.accounts)) == 101

    @pytest.mark.parametrize("data", [b"", bytes(32), bytes(32) + b"\2"])
    def test_arguments_that_cannot_be_read(self, data: bytes) -> None:
        swap = instruction()
        assert code_of(World(), Instruction(swap.program_id, bytes(swap.data)[:8] + data, swap.accounts)) == 102

    def test_too_few_accounts(self) -> None:
        swap = instruction()
        assert code_of(World(), Instruction(swap.program_id, bytes(swap.data), swap.accounts[:12])) == 3005

    @pytest.mark.parametrize(
        ("place", "code"),
        [
            (CONFIG_AT, 3012),
            (POOL, 3007),
            (USER_IN, 3012),
            (USER_OUT, 3012),
            (VAULT_IN, 3012),
            (VAULT_OUT, 3012),
            (OBSERVATION, 3007),
            (TOKEN, 3008),
            (TOKEN_2022, 3008),
            (MEMO, 3008),
            (MINT_IN, 3012),
            (MINT_OUT, 3012),
            (EXTENSION, 6027),
            (FIRST_ARRAY, 6027),
        ],
    )
    def test_an_account_that_does_not_exist(self, place: int, code: int) -> None:
        swap = instruction()
        meta = swap.accounts[place]
        assert code_of(World(), altered(swap, place, AccountMeta(STRANGER, meta.is_signer, meta.is_writable))) == code

    @pytest.mark.parametrize("place", [POOL, USER_IN, USER_OUT, VAULT_IN, VAULT_OUT, OBSERVATION])
    def test_an_account_that_must_be_writable(self, place: int) -> None:
        swap = instruction()
        assert code_of(World(), altered(swap, place, AccountMeta(swap.accounts[place].pubkey, False, False))) == 2000

    def test_a_tick_array_must_be_writable(self) -> None:
        swap = instruction()
        readonly = AccountMeta(swap.accounts[FIRST_ARRAY].pubkey, False, False)
        assert code_of(World(), altered(swap, FIRST_ARRAY, readonly)) == 3006

    def test_the_payer_must_sign(self) -> None:
        assert code_of(World(), altered(instruction(), PAYER, AccountMeta(TRADER.owner, False, False))) == 3010

    def test_another_config_or_observation_than_the_pools(self) -> None:
        config = Account(owner=layout.PROGRAM_ID, lamports=1, data=layout.encode_config(CONFIG))
        world = World(others={STRANGER: config})
        assert code_of(world, altered(instruction(), CONFIG_AT, AccountMeta(STRANGER, False, False))) == 2012
        world = World(others={STRANGER: owned(layout.PROGRAM_ID, observation_data())})
        assert code_of(world, altered(instruction(), OBSERVATION, AccountMeta(STRANGER, False, True))) == 2012
        assert code_of(World(observation=observation_data(STRANGER)), instruction()) == 2502

    def test_accounts_of_another_kind(self) -> None:
        for place, key in ((POOL, CONFIG_AT), (CONFIG_AT, OBSERVATION)):
            swap = instruction()
            meta = AccountMeta(swap.accounts[key].pubkey, False, True)
            assert code_of(World(), altered(swap, place, meta)) == 3002
        foreign = World(others={tick_array_address(ADDRESS, 0): owned(TOKEN_PROGRAM, tick_array_data(0, TICKS[2:3]))})
        assert code_of(foreign, instruction()) == 3007

    def test_vaults_and_mints_that_do_not_belong_together(self) -> None:
        swap = instruction()
        same = altered(swap, VAULT_OUT, swap.accounts[VAULT_IN])
        assert code_of(World(), same) == 2012
        assert code_of(World(), altered(same, MINT_OUT, swap.accounts[MINT_IN])) == 6025

    def test_a_pool_that_is_not_open_or_paused(self) -> None:
        assert code_of(with_state(World(), open_time=NOW), instruction()) == 2505
        assert code_of(with_state(World(), status=16), instruction()) == 6001
        assert code_of(with_state(World(), status=16), instruction(0)) == 6024

    @pytest.mark.parametrize(
        ("side_in", "limit"), [(0, Q64), (0, Q64 + 1), (0, 4_295_048_016), (1, Q64), (1, Q64 - 1), (1, 2**127)]
    )
    def test_a_price_limit_that_does_not_lie_ahead(self, side_in: int, limit: int) -> None:
        assert code_of(World(), instruction(limit=limit, side_in=side_in), side_in=side_in) == 6013

    def test_slippage(self) -> None:
        paid = swapped(World(), instruction()).balance(TRADER.token_account_out)
        assert code_of(World(), instruction(threshold=paid + 1)) == 6022
        assert swapped(World(), instruction(threshold=paid)).balance(TRADER.token_account_out) == paid
        cost = World().trader_balance - swapped(World(), instruction(exact_in=False, threshold=U64_MAX)).balance(
            TRADER.token_account_in
        )
        assert code_of(World(), instruction(exact_in=False, threshold=cost - 1)) == 6023

    def test_tick_arrays_in_the_wrong_order_or_missing(self) -> None:
        first, second, third = (tick_array_address(ADDRESS, start) for start in ARRAYS[0])
        extension = bitmap_extension_address(ADDRESS)
        assert code_of(World(), instruction(ahead=(extension, second, third))) == 6028
        assert code_of(World(), instruction(ahead=(extension, first, third))) == 6027
        assert code_of(World(), instruction(ahead=(extension,))) == 6027
        large = 6 * 10**9
        assert code_of(World(), instruction(large, ahead=(extension, first, second))) == 6027
        paid = swapped(World(), instruction(ahead=(extension, third, first, second)))
        assert paid.balance(TRADER.token_account_out) > 0

    def test_the_extension_is_needed_only_beyond_the_pools_own_bitmap(self) -> None:
        arrays = [tick_array_address(ADDRESS, start) for start in ARRAYS[0]]
        assert swapped(World(), instruction(ahead=tuple(arrays))).balance(TRADER.token_account_out) > 0
        assert code_of(World(), instruction(10**14, ahead=tuple(arrays))) == 6040
        assert code_of(World(), instruction(10**14)) == 6019

    def test_an_extension_or_array_of_another_pool(self) -> None:
        data = tick_arrays.BITMAP_EXTENSION_DISCRIMINATOR + bytes(tick_arrays.BITMAP_EXTENSION_SIZE - 8)
        world = World(others={bitmap_extension_address(ADDRESS): owned(layout.PROGRAM_ID, data)})
        assert code_of(world, instruction()) == 2502
        alien = owned(layout.PROGRAM_ID, tick_array_data(0, TICKS[2:3], pool=STRANGER))
        assert code_of(World(others={tick_array_address(ADDRESS, 0): alien}), instruction()) == 2502

    def test_liquidity_that_would_turn_negative_is_a_panic(self) -> None:
        broken = World(ticks=(Tick(-1_200, LIQUIDITY, LIQUIDITY), Tick(-600, 2 * LIQUIDITY, 2 * LIQUIDITY)))
        assert code_of(broken, instruction(4 * 10**10, ahead=_ahead(-600, -1_200))) == "ProgramFailedToComplete"


def _ahead(*starts: int) -> tuple[Pubkey, ...]:
    return (bitmap_extension_address(ADDRESS), *(tick_array_address(ADDRESS, start) for start in starts))


class TestAfterState:
    def test_a_step_moves_price_fees_and_vaults(self) -> None:
        ledger = swapped(World(), instruction())
        state = state_of(ledger)
        assert state.sqrt_price_x64 < Q64
        assert (state.tick_current, state.liquidity) == (-20, LIQUIDITY)
        assert (state.protocol_fees, state.fund_fees) == ((300_000, 0), (100_000, 0))
        assert state.fee_growth_x64 == (2_100_000 * Q64 // LIQUIDITY, 0)
        assert state.recent_epoch == EPOCH
        assert ledger.balance(state.vaults[0]) == 10**15 + AMOUNT
        assert ledger.balance(state.vaults[1]) == 10**15 - ledger.balance(TRADER.token_account_out)

    @pytest.mark.parametrize(("fee_on", "side_in", "fee_side"), [(1, 1, 0), (2, 0, 1), (1, 0, 0), (2, 1, 1)])
    def test_fees_are_booked_where_they_were_taken(self, fee_on: int, side_in: int, fee_side: int) -> None:
        state = state_of(swapped(with_state(World(), fee_on=fee_on), instruction(side_in=side_in), side_in))
        for booked in (state.protocol_fees, state.fund_fees, state.fee_growth_x64):
            assert booked[fee_side] > 0
            assert booked[1 - fee_side] == 0

    def test_a_price_limit_stops_the_swap_and_the_trader_pays_for_what_was_done(self) -> None:
        limit = sqrt_price_at_tick(-50) + 7
        ledger = swapped(World(), instruction(10**12, limit=limit))
        state = state_of(ledger)
        assert (state.sqrt_price_x64, state.tick_current) == (limit, -50)
        assert (
            World().trader_balance - ledger.balance(TRADER.token_account_in)
            == ledger.balance(state.vaults[0]) - 10**15
            < 10**12
        )

    def test_a_limit_on_a_tick_crosses_it(self) -> None:
        down = state_of(swapped(World(), instruction(10**12, limit=sqrt_price_at_tick(-100))))
        assert (down.tick_current, down.liquidity) == (-101, LIQUIDITY // 2)
        up = state_of(swapped(World(), instruction(10**12, limit=sqrt_price_at_tick(100), side_in=1), 1))
        assert (up.tick_current, up.liquidity) == (100, LIQUIDITY // 2)

    def test_crossing_a_tick_turns_its_growth_around(self) -> None:
        state = replace(STATE, fee_growth_x64=(7, 5), rewards=_rewards(growth=11))
        ledger = swapped(World(state=state), instruction(6 * 10**9))
        crossed = outside(ledger, -600, -100)
        at_crossing = crossed[0]
        assert 7 < at_crossing < state_of(ledger).fee_growth_x64[0]
        assert crossed[1:] == (5, decode_rewards(state_of(ledger).rewards)[0].growth_x64, 0, 0)
        assert outside(ledger, -1_200, -1_200) == (0, 0, 0, 0, 0)
        data = ledger.accounts[tick_array_address(ADDRESS, -600)].data
        assert struct.unpack_from("<BQ", data, 10_124) == (1, EPOCH)

    def test_there_and_back_again_the_tick_is_crossed_twice(self) -> None:
        ledger = swapped(World(), instruction(6 * 10**9))
        bought = ledger.balance(TRADER.token_account_out)
        back = swap_v2(
            ADDRESS,
            STATE,
            replace(
                TRADER,
                token_account_in=TRADER.token_account_out,
                token_account_out=TRADER.token_account_in,
            ),
            1,
            SwapArguments(amount=bought, threshold=1),
            _ahead(-600, 0, 1_200),
        )
        execute(ledger, back)
        assert state_of(ledger).liquidity == LIQUIDITY
        below = outside(ledger, -600, -100)[0]
        assert 0 < below < state_of(ledger).fee_growth_x64[0]
        assert ledger.balance(TRADER.token_account_in) < World().trader_balance

    def test_rewards_grow_with_time_and_end(self) -> None:
        state = replace(STATE, rewards=_rewards(last=NOW - 10, end=NOW + 5))
        (running, *_) = decode_rewards(state_of(swapped(World(state=state), instruction())).rewards)
        assert (running.last_update, running.emitted, running.state) == (NOW, 10 * 3, 2)
        assert running.growth_x64 == 10 * 3 * Q64 // LIQUIDITY
        ledger = swapped(World(state=state), instruction(), unix_timestamp=NOW + 100)
        (ended, *others) = decode_rewards(state_of(ledger).rewards)
        assert (ended.last_update, ended.emitted, ended.state) == (NOW + 5, 15 * 3, 3)
        assert not any(other.is_initialized for other in others)

    def test_observations_start_wait_and_follow(self) -> None:
        started = observed(observation_data(), NOW, 5)
        assert (started[8], struct.unpack_from("<Iq", started, 51)) == (1, (NOW, 0))
        assert observed(started, NOW + 14, 5) == started
        followed = observed(started, NOW + 15, -5)
        assert struct.unpack_from("<H", followed, 17) == (1,)
        assert struct.unpack_from("<Iq", followed, 51 + 44) == (NOW + 15, -75)
        last = bytearray(started)
        struct.pack_into("<H", last, 17, 99)
        assert struct.unpack_from("<H", observed(bytes(last), NOW, 5), 17) == (0,)

    def test_a_swap_within_one_tick_is_not_observed(self) -> None:
        assert swapped(World(), instruction()).accounts[STATE.observation].data[8] == 1
        small = swapped(World(), instruction(10**6, side_in=1), 1)
        assert state_of(small).tick_current == STATE.tick_current
        assert small.accounts[STATE.observation].data == observation_data()


class TestLimitOrders:
    RESTING = 10**9

    def world(self, tick: int, **orders: int) -> World:
        return World(ticks=tuple(sorted((*TICKS, Tick(tick, 0, 0, **orders)))))

    def test_a_part_of_an_order_starts_a_phase_and_the_price_stays_on_its_tick(self) -> None:
        world = self.world(-50, order_phase=3, orders_amount=self.RESTING)
        ledger = swapped(world, instruction(3 * 10**9))
        (order,) = [tick for tick in array_of(ledger, -600).ticks if tick.tick_index == -50]
        taken = self.RESTING - order.part_filled_amount
        assert 0 < taken < self.RESTING
        assert (order.order_phase, order.orders_amount) == (4, 0)
        assert order.unfilled_ratio_x64 == Q64 * order.part_filled_amount // self.RESTING
        state = state_of(ledger)
        assert (state.tick_current, state.sqrt_price_x64) == (-50, sqrt_price_at_tick(-50))

    def test_what_was_partly_filled_goes_first(self) -> None:
        world = self.world(50, order_phase=3, orders_amount=10, part_filled_amount=self.RESTING, unfilled_ratio_x64=Q64)
        ledger = swapped(world, instruction(3 * 10**9, side_in=1), 1)
        (order,) = [tick for tick in array_of(ledger, 0).ticks if tick.tick_index == 50]
        assert (order.order_phase, order.orders_amount) == (3, 10)
        assert order.unfilled_ratio_x64 == Q64 * order.part_filled_amount // self.RESTING
        state = state_of(ledger)
        assert (state.tick_current, state.sqrt_price_x64) == (49, sqrt_price_at_tick(50))

    def test_a_tick_whose_orders_are_gone_is_passed_and_forgotten(self) -> None:
        alone = World(ticks=tuple(sorted((*TICKS, Tick(-700, 0, 0, orders_amount=1_000)))))
        arrays = _ahead(0, -600, -1_200)
        before = bitmap_of(alone.ledger(0))
        ledger = swapped(alone, instruction(3 * 10**10, ahead=arrays))
        data = ledger.accounts[tick_array_address(ADDRESS, -1_200)].data
        assert data[10_124] == 1
        assert [tick.tick_index for tick in array_of(ledger, -1_200).ticks] == [-1_200]
        assert state_of(ledger).tick_current < -700
        assert bitmap_of(ledger) == before

    @pytest.mark.parametrize("start", [-1_800, -720_000 // 2])
    def test_an_array_whose_last_orders_are_gone_leaves_the_bitmap(self, start: int) -> None:
        far = start < -307_200
        order = Tick(start + 10, 0, 0, orders_amount=1_000)
        deep = Tick(start - 600, LIQUIDITY, LIQUIDITY)
        top = Tick(start + 600, -LIQUIDITY, LIQUIDITY)
        price = start + 300
        state = replace(STATE, tick_current=price, sqrt_price_x64=sqrt_price_at_tick(price))
        world = World(state=state, ticks=(deep, order, top), trader_balance=U64_MAX // 2)
        ledger = world.ledger(0)
        number = start // 600
        assert bitmap_of(ledger).has(number)
        limit = sqrt_price_at_tick(start - 100)
        swap = instruction(9 * 10**18 if far else 10**12, limit=limit, ahead=_ahead(start, start - 600))
        execute(ledger, swap)
        assert state_of(ledger).sqrt_price_x64 == limit
        assert array_of(ledger, start).ticks == ()
        left = bitmap_of(ledger)
        assert not left.has(number)
        assert left.has(number - 1)
        assert left.has(number + 1)


def bitmap_of(ledger: TokenLedger) -> ArrayBitmap:
    return decode_bitmap(state_of(ledger), ledger.accounts[bitmap_extension_address(ADDRESS)].data)


def _rewards(*, growth: int = 0, last: int = NOW - 1, end: int = NOW + 1_000) -> bytes:
    first, *others = decode_rewards(STATE.rewards)
    running = replace(
        first,
        state=2,
        open_time=1,
        end_time=end,
        last_update=last,
        emissions_x64=3 * Q64,
        mint=bytes(MINTS[0]),
        growth_x64=growth,
    )
    return encode_rewards([running, *others])
