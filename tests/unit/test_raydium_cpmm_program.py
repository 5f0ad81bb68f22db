"""The emulated Raydium CPMM program: codes and after-states as the program's bytecode gives them."""

import struct
from dataclasses import replace

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from order_engine.papernet.programs import ProgramError, RuntimeProgramError
from order_engine.papernet.programs.raydium_cpmm_observation import observe
from order_engine.venues.raydium_cpmm import layout
from order_engine.venues.raydium_cpmm.pool import SWAP_BASE_INPUT, SWAP_BASE_OUTPUT
from tests.unit.raydium_cpmm_samples import (
    ADDRESS,
    CONFIG,
    EPOCH,
    FRESH,
    MINTS,
    NOW,
    TRADER,
    World,
    execute,
    owned,
    request,
    swap_instruction,
    with_state,
)

AUTHORITY, CONFIG_AT, POOL, USER_IN, USER_OUT, VAULT_IN, VAULT_OUT = range(1, 8)
PROGRAM_IN, PROGRAM_OUT, MINT_IN, MINT_OUT, OBSERVATION = range(8, 13)
AMOUNT = 10**9
STRANGER = Pubkey(bytes([99] * 32))


def code_of(world: World, instruction: Instruction, unix_timestamp: int = NOW) -> int | str:
    with pytest.raises(ProgramError) as refusal:
        execute(world.ledger(side_in=0), instruction, unix_timestamp)
    return refusal.value.name if isinstance(refusal.value, RuntimeProgramError) else refusal.value.code


def altered(instruction: Instruction, **changes: object) -> Instruction:
    parts = {"data": bytes(instruction.data), "accounts": list(instruction.accounts), **changes}
    return Instruction(instruction.program_id, parts["data"], parts["accounts"])


def with_accounts(*places: tuple[int, Pubkey]) -> Instruction:
    instruction = swap_instruction(World(), AMOUNT)
    accounts = list(instruction.accounts)
    for place, address in places:
        accounts[place] = AccountMeta(address, accounts[place].is_signer, accounts[place].is_writable)
    return altered(instruction, accounts=accounts)


def exact_out(max_amount_in: int, amount_out: int) -> Instruction:
    data = SWAP_BASE_OUTPUT + struct.pack("<QQ", max_amount_in, amount_out)
    return altered(swap_instruction(World(), AMOUNT), data=data)


class TestSlippage:
    def test_the_quoted_amount_is_just_enough(self) -> None:
        quoted = World().pool().quote(request(AMOUNT)).amount_out
        ledger = World().ledger(side_in=0)
        execute(ledger, swap_instruction(World(), AMOUNT, min_amount_out=quoted))
        assert ledger.balance(TRADER.token_account_out) == quoted
        assert code_of(World(), swap_instruction(World(), AMOUNT, min_amount_out=quoted + 1)) == 6005

    def test_exact_out_takes_no_more_than_allowed(self) -> None:
        world, ledger = World(), World().ledger(side_in=0)
        execute(ledger, exact_out(2**64 - 1, 123_456))
        needed = world.trader_balance - ledger.balance(TRADER.token_account_in)
        assert ledger.balance(TRADER.token_account_out) == 123_456
        execute(world.ledger(side_in=0), exact_out(needed, 123_456))
        assert code_of(world, exact_out(needed - 1, 123_456)) == 6005

    def test_a_second_swap_meets_the_price_that_the_first_one_left(self) -> None:
        ledger = World().ledger(side_in=0)
        instruction = swap_instruction(World(), 10**13)
        execute(ledger, instruction)
        first = ledger.balance(TRADER.token_account_out)
        execute(ledger, instruction)
        assert 0 < ledger.balance(TRADER.token_account_out) - first < first


class TestRefusals:
    @pytest.mark.parametrize(
        ("places", "code"),
        [
            ([(AUTHORITY, STRANGER)], 2006),
            ([(CONFIG_AT, STRANGER)], 3012),
            ([(CONFIG_AT, ADDRESS)], 3002),
            ([(POOL, STRANGER)], 3007),
            ([(POOL, FRESH.config)], 3002),
            ([(USER_IN, STRANGER)], 3012),
            ([(USER_OUT, STRANGER)], 3012),
            ([(USER_OUT, ADDRESS)], 3007),
            ([(VAULT_IN, STRANGER)], 3012),
            ([(VAULT_OUT, TRADER.token_account_out)], 2003),
            ([(VAULT_IN, FRESH.vaults[1]), (VAULT_OUT, FRESH.vaults[0])], 2012),
            ([(VAULT_IN, FRESH.vaults[1]), (MINT_IN, MINTS[1])], 6008),
            ([(PROGRAM_IN, STRANGER)], 3008),
            ([(MINT_IN, MINTS[1])], 2012),
            ([(MINT_OUT, STRANGER)], 3012),
            ([(OBSERVATION, ADDRESS)], 3002),
            ([(OBSERVATION, STRANGER)], 3007),
            ([(PROGRAM_IN, TOKEN_2022_PROGRAM)], "IncorrectProgramId"),
        ],
    )
    def test_a_wrong_account_fails_with_the_programs_code(
        self, places: list[tuple[int, Pubkey]], code: int | str
    ) -> None:
        assert code_of(World(), with_accounts(*places)) == code

    @pytest.mark.parametrize("place", [CONFIG_AT, POOL, OBSERVATION])
    @pytest.mark.parametrize(("data", "code"), [(b"", 3001), (b"\1", 3001), (bytes(637), 3002)])
    def test_an_account_of_another_kind_fails_with_anchors_code(self, place: int, data: bytes, code: int) -> None:
        instruction = swap_instruction(World(), AMOUNT)
        address = instruction.accounts[place].pubkey
        assert code_of(World(others={address: owned(layout.PROGRAM_ID, data)}), instruction) == code

    def test_another_pools_observations_are_refused(self) -> None:
        other = owned(layout.PROGRAM_ID, layout.empty_observation(STRANGER))
        assert code_of(World(others={STRANGER: other}), with_accounts((OBSERVATION, STRANGER))) == 2012

    @pytest.mark.parametrize("place", [POOL, USER_IN, USER_OUT, VAULT_IN, VAULT_OUT, OBSERVATION])
    def test_what_changes_must_be_writable(self, place: int) -> None:
        instruction = swap_instruction(World(), AMOUNT)
        accounts = list(instruction.accounts)
        accounts[place] = AccountMeta(accounts[place].pubkey, is_signer=False, is_writable=False)
        assert code_of(World(), altered(instruction, accounts=accounts)) == 2000

    def test_the_payer_must_sign(self) -> None:
        instruction = swap_instruction(World(), AMOUNT)
        payer = AccountMeta(TRADER.owner, is_signer=False, is_writable=False)
        assert code_of(World(), altered(instruction, accounts=[payer, *instruction.accounts[1:]])) == 3010

    @pytest.mark.parametrize("count", [0, 1, 12])
    def test_a_short_account_list_is_refused(self, count: int) -> None:
        instruction = swap_instruction(World(), AMOUNT)
        assert code_of(World(), altered(instruction, accounts=instruction.accounts[:count])) == 3005

    @pytest.mark.parametrize(
        ("data", "code"), [(b"", 101), (bytes(24), 101), (SWAP_BASE_INPUT, 102), (SWAP_BASE_OUTPUT + bytes(15), 102)]
    )
    def test_unreadable_data_is_refused(self, data: bytes, code: int) -> None:
        assert code_of(World(), altered(swap_instruction(World(), AMOUNT), data=data)) == code

    @pytest.mark.parametrize("data", [SWAP_BASE_INPUT + bytes(16), SWAP_BASE_OUTPUT + b"\xff" * 8 + bytes(8)])
    def test_an_amount_of_zero_is_refused(self, data: bytes) -> None:
        assert code_of(World(), altered(swap_instruction(World(), AMOUNT), data=data)) == 2505

    def test_a_paused_pool_is_not_approved_but_an_exact_out_of_zero_is_noticed_first(self) -> None:
        paused = with_state(World(), status=4)
        assert code_of(paused, swap_instruction(World(), AMOUNT)) == 6000
        assert code_of(paused, exact_out(2**64 - 1, 0)) == 2505

    def test_a_pool_is_not_approved_before_it_opens(self) -> None:
        opens = with_state(World(), open_time=NOW)
        instruction = swap_instruction(World(), AMOUNT)
        assert code_of(opens, instruction, NOW - 1) == 6000
        execute(opens.ledger(side_in=0), instruction, NOW)

    @pytest.mark.parametrize("wanted", [150 * 10**9, 2**64 - 1])
    def test_asking_for_the_whole_reserve_panics(self, wanted: int) -> None:
        assert code_of(World(), exact_out(2**64 - 1, wanted)) == "ProgramFailedToComplete"

    @pytest.mark.parametrize(
        ("owed", "error"), [(10**15, "ProgramFailedToComplete"), (10**15 + 1, 6012), (2**64 - 1, 6012)]
    )
    def test_a_vault_that_owes_all_it_holds_is_refused(self, owed: int, error: int | str) -> None:
        assert code_of(with_state(World(), fund_fees=(owed, 0)), swap_instruction(World(), AMOUNT)) == error

    def test_fee_counters_beyond_u64_are_refused(self) -> None:
        overflowing = with_state(World(), fund_fees=(2**64 - 1, 0), creator_fees=(1, 0))
        assert code_of(overflowing, swap_instruction(World(), AMOUNT)) == 6011

    def test_a_trader_without_the_amount_fails_in_the_token_program(self) -> None:
        assert code_of(replace(World(), trader_balance=AMOUNT - 1), swap_instruction(World(), AMOUNT)) == 1

    def test_an_uninitialized_token_account_is_refused(self) -> None:
        blank = owned(TOKEN_PROGRAM, bytes(165))
        world = World(others={STRANGER: blank})
        assert code_of(world, with_accounts((USER_OUT, STRANGER))) == "UninitializedAccount"


def after(world: World, side_in: int) -> layout.PoolState:
    ledger = world.ledger(side_in)
    execute(ledger, swap_instruction(world, 10**6, side_in=side_in))
    return layout.decode_pool(ADDRESS, ledger.accounts[ADDRESS])


class TestAfterState:
    CHARGING = replace(CONFIG, trade_fee_rate=10_000, creator_fee_rate=20_000)

    @pytest.mark.parametrize(
        ("fee_on", "side_in", "creator_side"), [(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 0), (2, 0, 1), (2, 1, 1)]
    )
    def test_protocol_and_fund_earn_the_input_and_the_creator_its_side(
        self, fee_on: int, side_in: int, creator_side: int
    ) -> None:
        world = World(vault_amounts=(10**12, 10**12), config=self.CHARGING)
        state = after(with_state(world, creator_fee_on=fee_on, is_creator_fee_enabled=True), side_in)
        expected = [0, 0]
        expected[side_in] = 1_200
        assert state.protocol_fees == tuple(expected)
        expected[side_in] = 400
        assert state.fund_fees == tuple(expected)
        assert state.creator_fees[creator_side] == (20_000 if creator_side == side_in else 19_800)
        assert state.creator_fees[1 - creator_side] == 0
        assert state.recent_epoch == EPOCH

    def test_a_disabled_creator_fee_is_not_taken(self) -> None:
        assert after(World(config=self.CHARGING), 0).creator_fees == (0, 0)

    def test_the_swap_records_an_observation(self) -> None:
        ledger = World().ledger(side_in=0)
        execute(ledger, swap_instruction(World(), AMOUNT))
        recorded = ledger.accounts[FRESH.observation].data
        assert recorded == observe(layout.empty_observation(ADDRESS), NOW, World().vault_amounts)
        assert recorded != layout.empty_observation(ADDRESS)


def cell(account: bytes, index: int) -> tuple[int, int, int]:
    at = 43 + 40 * index
    return tuple(
        int.from_bytes(account[a:b], "little") for a, b in ((at, at + 8), (at + 8, at + 24), (at + 24, at + 40))
    )


class TestObservations:
    RESERVES = (2_000, 500)
    PRICES = (2**30, 2**34)  # 500 / 2,000 and 2,000 / 500 in Q32

    def test_the_first_swap_starts_the_clock(self) -> None:
        account = observe(layout.empty_observation(ADDRESS), NOW, self.RESERVES)
        assert account[8] == 1
        assert cell(account, 0) == (NOW, 0, 0)

    def test_within_fifteen_seconds_the_observation_grows(self) -> None:
        account = observe(layout.empty_observation(ADDRESS), NOW, self.RESERVES)
        for seconds in (4, 14):
            account = observe(account, NOW + seconds, self.RESERVES)
        assert account[9:11] == b"\0\0"
        assert cell(account, 0) == (NOW, 14 * self.PRICES[0], 14 * self.PRICES[1])

    def test_after_fifteen_seconds_the_next_observation_follows(self) -> None:
        account = observe(layout.empty_observation(ADDRESS), NOW, self.RESERVES)
        account = observe(account, NOW + 15, self.RESERVES)
        assert account[9:11] == b"\1\0"
        assert cell(account, 1) == (NOW + 15, 15 * self.PRICES[0], 15 * self.PRICES[1])

    def test_the_hundredth_is_followed_by_the_first(self) -> None:
        account = observe(layout.empty_observation(ADDRESS), NOW, self.RESERVES)
        for step in range(1, 101):
            account = observe(account, NOW + 15 * step, self.RESERVES)
        assert account[9:11] == b"\0\0"
        assert cell(account, 0) == (NOW + 1_500, 1_500 * self.PRICES[0], 1_500 * self.PRICES[1])

    @pytest.mark.parametrize("seconds", [0, -1, -100])
    def test_time_that_does_not_pass_records_nothing(self, seconds: int) -> None:
        account = observe(layout.empty_observation(ADDRESS), NOW, self.RESERVES)
        assert observe(account, NOW + seconds, self.RESERVES) == account


def test_a_dump_with_unreadable_data_of_the_right_kind_panics() -> None:
    truncated = Account(owner=layout.PROGRAM_ID, lamports=1, data=layout.encode_pool(FRESH)[:-1])
    assert code_of(World(others={ADDRESS: truncated}), swap_instruction(World(), AMOUNT)) == "ProgramFailedToComplete"
