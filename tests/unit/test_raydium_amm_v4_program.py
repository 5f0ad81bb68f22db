"""The emulated Raydium AMM v4 program: codes and after-states as the program's bytecode gives them."""

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from order_engine.papernet.programs import ProgramError, RuntimeProgramError
from order_engine.papernet.token_ledger import TokenLedger
from order_engine.venues.raydium_amm_v4 import layout
from order_engine.venues.raydium_amm_v4.instructions import (
    SWAP_BASE_IN,
    SWAP_BASE_IN_V2,
    SWAP_BASE_OUT,
    SWAP_BASE_OUT_V2,
    OrderBook,
    swap,
    swap_v2,
    swap_with_order_book,
)
from tests.unit.raydium_amm_v4_samples import (
    ADDRESS,
    EPOCH,
    FRESH,
    MINTS,
    NOW,
    TRADER,
    World,
    execute,
    owned,
    request,
    token_account,
    wanting,
    with_state,
)

TOKEN_PROGRAM_AT, POOL, AUTHORITY, COIN_VAULT, PC_VAULT = 0, 1, 2, 4, 5
USER_IN, USER_OUT, OWNER = 14, 15, 16
AMOUNT = 10**9
STRANGER = Pubkey(bytes([99] * 32))
BOOK = OrderBook(*(Pubkey(bytes([200 + n] * 32)) for n in range(6)))
Form = Callable[[tuple[int, int, int]], Instruction]


def ours(arguments: tuple[int, int, int]) -> Instruction:
    return swap(ADDRESS, FRESH, TRADER, arguments)


def long(arguments: tuple[int, int, int]) -> Instruction:
    return swap_with_order_book(ADDRESS, FRESH, TRADER, arguments, BOOK)


def short(arguments: tuple[int, int, int]) -> Instruction:
    tag, first, second = arguments
    v2 = {SWAP_BASE_IN: SWAP_BASE_IN_V2, SWAP_BASE_OUT: SWAP_BASE_OUT_V2}[tag]
    return swap_v2(ADDRESS, FRESH, TRADER, (v2, first, second))


FORMS = pytest.mark.parametrize("form", [ours, long, short])


def exact_in(amount_in: int, min_amount_out: int = 1, form: Form = ours) -> Instruction:
    return form((SWAP_BASE_IN, amount_in, min_amount_out))


def exact_out(max_amount_in: int, amount_out: int, form: Form = ours) -> Instruction:
    return form((SWAP_BASE_OUT, max_amount_in, amount_out))


def code_of(world: World, instruction: Instruction, unix_timestamp: int = NOW) -> int | str:
    with pytest.raises(ProgramError) as refusal:
        execute(world.ledger(side_in=0), instruction, unix_timestamp)
    return refusal.value.name if isinstance(refusal.value, RuntimeProgramError) else refusal.value.code


def state_after(ledger: TokenLedger) -> layout.PoolState:
    return layout.decode_pool(ADDRESS, ledger.accounts[ADDRESS])


def with_account(place: int, address: Pubkey) -> Instruction:
    instruction = exact_in(AMOUNT)
    accounts = list(instruction.accounts)
    accounts[place] = AccountMeta(address, accounts[place].is_signer, accounts[place].is_writable)
    return Instruction(instruction.program_id, bytes(instruction.data), accounts)


class TestSwap:
    @FORMS
    @pytest.mark.parametrize("side_in", [0, 1])
    def test_every_form_pays_what_the_pool_quotes(self, form: Form, side_in: int) -> None:
        world, ledger = World(), World().ledger(side_in)
        quote = world.pool().quote(request(AMOUNT, side_in))
        execute(ledger, exact_in(AMOUNT, quote.amount_out, form))
        assert ledger.balance(TRADER.token_account_out) == quote.amount_out
        assert ledger.balance(TRADER.token_account_in) == world.trader_balance - AMOUNT
        assert ledger.balance(FRESH.vaults[side_in]) == world.vault_amounts[side_in] + AMOUNT
        assert ledger.balance(FRESH.vaults[1 - side_in]) == world.vault_amounts[1 - side_in] - quote.amount_out

    @FORMS
    @pytest.mark.parametrize("side_in", [0, 1])
    def test_every_form_sells_an_exact_amount_for_what_the_pool_quotes(self, form: Form, side_in: int) -> None:
        world, ledger = World(), World().ledger(side_in)
        quote = world.pool().quote_exact_out(wanting(123_456, side_in))
        execute(ledger, exact_out(quote.amount_in, 123_456, form))
        assert ledger.balance(TRADER.token_account_out) == 123_456
        assert ledger.balance(TRADER.token_account_in) == world.trader_balance - quote.amount_in

    def test_the_pools_own_instructions_execute(self) -> None:
        pool, ledger = World().pool(), World().ledger(side_in=0)
        bought, sold = pool.quote_exact_out(wanting(50_000)), pool.quote(request(AMOUNT))
        execute(ledger, pool.exact_out_instruction(bought, bought.amount_in, TRADER))
        assert ledger.balance(TRADER.token_account_out) == 50_000
        ledger = World().ledger(side_in=0)
        execute(ledger, pool.swap_instruction(sold, sold.amount_out, TRADER))
        assert ledger.balance(TRADER.token_account_out) == sold.amount_out

    def test_only_the_epoch_of_the_pool_changes(self) -> None:
        ledger = World().ledger(side_in=0)
        before = ledger.accounts[ADDRESS].data
        execute(ledger, exact_in(AMOUNT))
        assert state_after(ledger) == replace(FRESH, recent_epoch=EPOCH)
        assert ledger.accounts[ADDRESS].data == layout.patch_pool(before, replace(FRESH, recent_epoch=EPOCH))

    def test_pnl_not_yet_taken_stays_in_the_vault(self) -> None:
        world = with_state(World(), need_take_pnl=(10**14, 10**10))
        ledger = world.ledger(side_in=0)
        execute(ledger, exact_in(AMOUNT))
        assert state_after(ledger).need_take_pnl == (10**14, 10**10)
        assert ledger.balance(TRADER.token_account_out) == world.pool().quote(request(AMOUNT)).amount_out

    def test_the_first_swap_after_the_open_time_ends_the_waiting(self) -> None:
        waiting = with_state(World(), status=layout.WAITING_TRADE, open_time=NOW)
        ledger = waiting.ledger(side_in=0)
        execute(ledger, exact_in(AMOUNT))
        assert state_after(ledger).status == layout.SWAP_ONLY
        assert code_of(waiting, exact_in(AMOUNT), unix_timestamp=NOW - 1) == 22

    def test_a_pool_that_was_open_keeps_its_status(self) -> None:
        ledger = with_state(World(), status=layout.INITIALIZED, open_time=NOW + 1).ledger(side_in=0)
        execute(ledger, exact_in(AMOUNT))
        assert state_after(ledger).status == layout.INITIALIZED


class TestRefusals:
    def test_exact_in_pays_no_less_than_the_least_accepted(self) -> None:
        quoted = World().pool().quote(request(AMOUNT)).amount_out
        execute(World().ledger(side_in=0), exact_in(AMOUNT, quoted))
        assert code_of(World(), exact_in(AMOUNT, quoted + 1)) == 30

    def test_exact_out_takes_no_more_than_allowed(self) -> None:
        needed = World().pool().quote_exact_out(wanting(123_456)).amount_in
        execute(World().ledger(side_in=0), exact_out(needed, 123_456))
        assert code_of(World(), exact_out(needed - 1, 123_456)) == 30

    def test_slippage_is_looked_at_before_amounts_of_zero(self) -> None:
        assert code_of(World(), exact_in(0, 0)) == 29
        assert code_of(World(), exact_in(0, 1)) == 30
        assert code_of(World(), exact_in(1, 0)) == 29
        assert code_of(World(), exact_out(0, 0)) == 29

    def test_a_trader_who_holds_too_little_is_refused_before_anything_else_is_computed(self) -> None:
        poor = replace(World(), trader_balance=AMOUNT - 1)
        assert code_of(poor, exact_in(AMOUNT, U64_MAX)) == 40
        assert code_of(poor, exact_out(0, 10**9)) == 40
        empty = replace(poor, vault_amounts=(0, 0))
        assert code_of(empty, exact_in(AMOUNT)) == 40

    def test_more_than_the_pool_holds_panics_before_slippage(self) -> None:
        assert code_of(World(), exact_out(1, World().vault_amounts[1])) == "ProgramFailedToComplete"
        assert code_of(World(), exact_out(U64_MAX, U64_MAX)) == "ProgramFailedToComplete"

    def test_all_that_the_pool_holds_is_refused(self) -> None:
        assert code_of(replace(World(), vault_amounts=(0, 10**9)), exact_in(AMOUNT)) == 40

    @pytest.mark.parametrize(("changes", "code"), [
        ({"need_take_pnl": (10**15 + 1, 0)}, 32),
        ({"need_take_pnl": (0, U64_MAX)}, 32),
        ({"swap_fee_denominator": 0}, "ProgramFailedToComplete"),
        ({"swap_fee_numerator": 10_001}, "ProgramFailedToComplete"),
        ({"mints": (MINTS[0], MINTS[0])}, 59),
        ({"nonce": 0}, 1),
        ({"status": 0}, 22),
        ({"status": 8}, "ProgramFailedToComplete"),
    ])  # fmt: skip
    def test_a_broken_pool_fails_with_the_programs_code(self, changes: dict[str, object], code: int | str) -> None:
        assert code_of(with_state(World(), **changes), exact_in(AMOUNT)) == code

    @pytest.mark.parametrize("status", [2, 3, 4, 5])
    def test_a_paused_pool_refuses_both_kinds_of_swap(self, status: int) -> None:
        world = with_state(World(), status=status)
        assert code_of(world, exact_in(AMOUNT)) == code_of(world, exact_out(U64_MAX, 1)) == 22

    @pytest.mark.parametrize(
        ("place", "address", "code"),
        [
            (TOKEN_PROGRAM_AT, TOKEN_2022_PROGRAM, 38),
            (POOL, STRANGER, 27),
            (POOL, FRESH.vaults[0], 27),
            (AUTHORITY, STRANGER, 1),
            (COIN_VAULT, FRESH.vaults[1], 4),
            (PC_VAULT, FRESH.vaults[0], 5),
            (USER_IN, FRESH.vaults[0], 42),
            (USER_OUT, FRESH.vaults[1], 42),
            (USER_IN, TRADER.token_account_out, 42),
            (USER_OUT, TRADER.token_account_in, 42),
            (USER_IN, STRANGER, 38),
            (USER_OUT, ADDRESS, 38),
        ],
    )
    def test_a_wrong_account_fails_with_the_programs_code(self, place: int, address: Pubkey, code: int) -> None:
        assert code_of(World(), with_account(place, address)) == code

    def test_whoever_stands_for_the_order_book_is_not_looked_at(self) -> None:
        for place in (3, *range(6, 14)):
            execute(World().ledger(side_in=0), with_account(place, STRANGER))

    @pytest.mark.parametrize("place", [COIN_VAULT, PC_VAULT, USER_IN, USER_OUT])
    @pytest.mark.parametrize(("data", "code"), [(b"", 3), (bytes(165), 3), (bytes(178), 3)])
    def test_what_is_no_token_account_is_refused(self, place: int, data: bytes, code: int) -> None:
        instruction = exact_in(AMOUNT)
        broken = World(others={instruction.accounts[place].pubkey: owned(TOKEN_PROGRAM, data)})
        ledger = TokenLedger({**broken.ledger(side_in=0).accounts, **broken.others}, EPOCH)
        with pytest.raises(ProgramError) as refusal:
            execute(ledger, instruction)
        assert refusal.value.code == code

    @pytest.mark.parametrize("size", [0, 8, 751, 753])
    def test_a_pool_of_another_size_is_refused(self, size: int) -> None:
        world = World(others={ADDRESS: owned(layout.PROGRAM_ID, bytes(size))})
        assert code_of(world, exact_in(AMOUNT)) == 3

    def test_the_owner_must_sign_and_own(self) -> None:
        instruction = exact_in(AMOUNT)
        unsigned = [*instruction.accounts[:-1], AccountMeta(TRADER.owner, is_signer=False, is_writable=False)]
        assert code_of(World(), Instruction(instruction.program_id, bytes(instruction.data), unsigned)) == 21
        assert code_of(World(), with_account(OWNER, STRANGER)) == 4  # the token program's own OwnerMismatch

    @pytest.mark.parametrize(
        ("place", "name"),
        [(COIN_VAULT, "PrivilegeEscalation"), (PC_VAULT, "PrivilegeEscalation"), (USER_IN, "PrivilegeEscalation"),
         (USER_OUT, "PrivilegeEscalation"), (POOL, "ReadonlyDataModified")],
    )  # fmt: skip
    def test_what_changes_must_be_writable(self, place: int, name: str) -> None:
        instruction = exact_in(AMOUNT)
        accounts = list(instruction.accounts)
        accounts[place] = AccountMeta(accounts[place].pubkey, is_signer=False, is_writable=False)
        assert code_of(World(), Instruction(instruction.program_id, bytes(instruction.data), accounts)) == name

    def test_a_pool_that_does_not_change_may_be_read_only(self) -> None:
        world = with_state(World(), recent_epoch=EPOCH)
        instruction = exact_in(AMOUNT)
        accounts = list(instruction.accounts)
        accounts[POOL] = AccountMeta(ADDRESS, is_signer=False, is_writable=False)
        ledger = world.ledger(side_in=0)
        execute(ledger, Instruction(instruction.program_id, bytes(instruction.data), accounts))
        assert ledger.balance(TRADER.token_account_out) > 0

    @pytest.mark.parametrize("count", [0, 8, 16, 19])
    def test_a_list_of_another_length_is_refused(self, count: int) -> None:
        instruction = exact_in(AMOUNT)
        accounts = (instruction.accounts * 2)[:count]
        assert code_of(World(), Instruction(instruction.program_id, bytes(instruction.data), accounts)) == 24

    @pytest.mark.parametrize("count", [0, 4, 7])
    def test_a_short_list_of_the_short_form_is_refused(self, count: int) -> None:
        instruction = exact_in(AMOUNT, form=short)
        cut = Instruction(instruction.program_id, bytes(instruction.data), instruction.accounts[:count])
        assert code_of(World(), cut) == "NotEnoughAccountKeys"

    @pytest.mark.parametrize("data", [b"", b"\x09", struct.pack("<BQ", 9, 1), struct.pack("<BQQ", 3, 1, 1)])
    def test_other_data_is_refused(self, data: bytes) -> None:
        instruction = exact_in(AMOUNT)
        changed = Instruction(instruction.program_id, data, instruction.accounts)
        assert code_of(World(), changed) == "InvalidInstructionData"

    def test_bytes_after_the_arguments_do_not_matter(self) -> None:
        instruction = exact_in(AMOUNT)
        changed = Instruction(instruction.program_id, bytes(instruction.data) + b"more", instruction.accounts)
        execute(World().ledger(side_in=0), changed)


def test_a_full_account_refuses_the_transfer_with_the_token_programs_code() -> None:
    ledger = World().ledger(side_in=0)
    full = token_account(MINTS[1], TRADER.owner, U64_MAX)
    ledger.accounts[TRADER.token_account_out] = full
    with pytest.raises(ProgramError) as refusal:
        execute(ledger, exact_in(AMOUNT))
    assert refusal.value.code == 14
