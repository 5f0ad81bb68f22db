"""The emulated DLMM program: its account checks, its arguments, and what it writes."""

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from order_engine.papernet.programs import ProgramError
from order_engine.venues.meteora_dlmm.fresh_pool import BinContent
from order_engine.venues.meteora_dlmm.instructions import SWAP, SWAP2
from order_engine.venues.meteora_dlmm.layout import LIMIT_ORDER, PROGRAM_ID, array_address, extension_address
from tests.unit.meteora_dlmm_samples import (
    CLOCK,
    FULL,
    MINT_X,
    MINT_Y,
    NOW,
    POOL,
    TRADER,
    Market,
    a_pool,
    buy,
    owned,
    sell_x,
)

AMOUNT = 2_000_000
Change = Callable[[list[AccountMeta]], list[AccountMeta]]


def instruction(market: Market, amount: int = AMOUNT, threshold: int = 1) -> Instruction:
    pool = market.pool()
    return pool.swap_instruction(pool.quote(sell_x(amount)), threshold, TRADER)


def changed(made: Instruction, change: Change) -> Instruction:
    return Instruction(made.program_id, bytes(made.data), change(list(made.accounts)))


def code_of(market: Market, made: Instruction) -> int:
    with pytest.raises(ProgramError) as refusal:
        market.execute(made)
    return refusal.value.code


def at(index: int, **changes: object) -> Change:
    def change(metas: list[AccountMeta]) -> list[AccountMeta]:
        old = metas[index]
        values = {"pubkey": old.pubkey, "is_signer": old.is_signer, "is_writable": old.is_writable, **changes}
        return [*metas[:index], AccountMeta(**values), *metas[index + 1 :]]  # type: ignore[arg-type]

    return change


class TestSwaps:
    def test_an_exact_input_moves_what_was_quoted(self) -> None:
        market = Market.of(a_pool())
        quote = market.pool().quote(sell_x(AMOUNT))
        market.execute(instruction(market, threshold=quote.amount_out))
        assert market.ledger.balance(TRADER.token_account_in) == FULL - AMOUNT
        assert market.ledger.balance(TRADER.token_account_out) == quote.amount_out

    def test_an_exact_output_moves_what_was_quoted(self) -> None:
        market = Market.of(a_pool())
        pool = market.pool()
        quote = pool.quote_exact_out(buy(True, AMOUNT))
        market.execute(pool.exact_out_instruction(quote, quote.amount_in, TRADER))
        assert market.ledger.balance(TRADER.token_account_in) == FULL - quote.amount_in
        assert market.ledger.balance(TRADER.token_account_out) == AMOUNT

    def test_an_exact_output_that_costs_more_than_allowed_is_refused(self) -> None:
        market = Market.of(a_pool())
        pool = market.pool()
        quote = pool.quote_exact_out(buy(True, AMOUNT))
        assert code_of(market, pool.exact_out_instruction(quote, quote.amount_in - 1, TRADER)) == 6003

    def test_paying_less_than_asked_is_refused_with_the_slippage_code(self) -> None:
        market = Market.of(a_pool())
        quote = market.pool().quote(sell_x(AMOUNT))
        assert code_of(market, instruction(market, threshold=quote.amount_out + 1)) == 6003 == quote_pool_code(market)

    def test_the_older_instruction_does_the_same(self) -> None:
        newer, older = Market.of(a_pool()), Market.of(a_pool())
        made = instruction(newer)
        newer.execute(made)
        metas = [meta for index, meta in enumerate(made.accounts) if index != 13]
        older.execute(Instruction(PROGRAM_ID, SWAP + struct.pack("<QQ", AMOUNT, 1), metas))
        assert older.ledger.accounts == newer.ledger.accounts

    def test_accounts_of_transfer_hooks_are_passed_over(self) -> None:
        plain, hooked = Market.of(a_pool()), Market.of(a_pool())
        made = instruction(plain)
        plain.execute(made)
        data = SWAP2 + struct.pack("<QQI", AMOUNT, 1, 2) + bytes([0, 1, 1, 1])
        extra = [AccountMeta(Pubkey.new_unique(), is_signer=False, is_writable=False) for _ in range(2)]
        hooked.execute(Instruction(PROGRAM_ID, data, [*made.accounts[:16], *extra, *made.accounts[16:]]))
        assert hooked.ledger.accounts == plain.ledger.accounts

    def test_bin_arrays_may_stand_in_any_order(self) -> None:
        first, second = Market.of(a_pool()), Market.of(a_pool())
        made = instruction(first)
        first.execute(made)
        second.execute(changed(made, lambda metas: metas[:16] + metas[:15:-1]))
        assert second.ledger.accounts == first.ledger.accounts


def quote_pool_code(market: Market) -> int:
    return market.pool().SLIPPAGE_ERROR


class TestEffects:
    def test_bins_take_the_input_without_fees_and_give_the_output(self) -> None:
        market = Market.of(a_pool({0: BinContent(x=5, y=1_000), -1: BinContent(y=10**6)}))
        quote = market.pool().quote(sell_x(10_000))
        market.execute(instruction(market, 10_000))
        array_0 = market.ledger.accounts[array_address(POOL, 0)].data
        array_below = market.ledger.accounts[array_address(POOL, -1)].data
        x_0, y_0 = struct.unpack_from("<QQ", array_0, 56)
        x_below, y_below = struct.unpack_from("<QQ", array_below, 56 + 69 * 144)
        assert (x_0 - 5) + x_below == 10_000 - quote.fee_amount
        assert (y_0, y_below) == (0, 10**6 + 1_000 - quote.amount_out)

    def test_orders_give_what_they_sell_and_the_bin_keeps_nothing_of_their_input(self) -> None:
        bins = {0: BinContent(y=1_000, processed=2_000, opened=4_000)}
        market = Market.of(a_pool(bins, function_type=LIMIT_ORDER))
        quote = market.pool().quote(sell_x(5_000))
        market.execute(instruction(market, 5_000))
        data = market.ledger.accounts[array_address(POOL, 0)].data
        x, y = struct.unpack_from("<QQ", data, 56)
        opened, _, processed = struct.unpack_from("<QQQ", data, 56 + 112)
        assert (x, y, processed) == (1_000, 0, 0)
        assert opened == 4_000 - (quote.amount_out - 3_000)

    def test_the_oracles_latest_sample_grows_by_the_active_bin(self) -> None:
        market = Market.of(a_pool({5: BinContent(y=10**9)}, 5))
        oracle = market.pool().state.oracle
        untouched = market.ledger.accounts[oracle].data
        market.execute(instruction(market))
        assert market.ledger.accounts[oracle].data == untouched
        head = untouched[:8] + struct.pack("<3Q", 1, 2, 100)
        sample = struct.pack("<16s2q", (-7).to_bytes(16, "little", signed=True), NOW - 60, NOW - 30)
        market.ledger.accounts[oracle] = owned(head + bytes(32) + sample + untouched[96:])
        market.execute(instruction(market))
        data = market.ledger.accounts[oracle].data
        assert int.from_bytes(data[64:80], "little", signed=True) == -7 + 5 * 30
        assert struct.unpack_from("<2q", data, 80) == (NOW - 60, NOW)

    def test_the_clock_of_the_samples_is_the_networks(self) -> None:
        assert CLOCK.unix_timestamp == NOW


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (at(0, pubkey=MINT_X), 3007),
            (at(0, pubkey=array_address(POOL, 0)), 3002),
            (at(0, pubkey=Pubkey.new_unique()), 3012),
            (at(0, is_writable=False), 2000),
            (at(1, pubkey=MINT_X, is_writable=True), 3007),
            (at(1, pubkey=array_address(POOL, 0), is_writable=True), 3002),
            (at(2, pubkey=MINT_X), 2001),
            (at(3, is_writable=False), 2000),
            (at(4, pubkey=Pubkey.new_unique()), 3012),
            (at(5, pubkey=TRADER.token_account_in), 6010),
            (at(6, pubkey=MINT_Y), 2001),
            (at(8, pubkey=MINT_Y), 2001),
            (at(9, pubkey=TRADER.token_account_out, is_writable=True), 6002),
            (at(10, is_signer=False), 3010),
            (at(11, pubkey=TOKEN_2022_PROGRAM), 2021),
            (at(12, pubkey=PROGRAM_ID), 3008),
            (at(13, pubkey=TOKEN_PROGRAM), 3008),
            (at(14, pubkey=PROGRAM_ID), 2006),
            (lambda metas: metas[:15], 3005),
            (lambda metas: metas[:16], 3005),
            (lambda metas: metas[:17], 3005),
            (at(16, pubkey=array_address(POOL, 1)), 3005),
            (at(16, is_writable=False), 3005),
        ],
    )
    def test_wrong_accounts_are_refused_with_the_programs_codes(self, change: Change, code: int) -> None:
        market = Market.of(a_pool())
        assert code_of(market, changed(instruction(market), change)) == code

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", 101),
            (bytes(24), 101),
            (SWAP2, 102),
            (SWAP2 + bytes(16), 102),
            (SWAP2 + bytes(16) + struct.pack("<I", 5), 102),
            (SWAP2 + struct.pack("<QQI", 0, 0, 0), 6002),
            (SWAP2 + struct.pack("<QQI", 1, 0, 0), 6039),
            (SWAP2 + struct.pack("<QQI", 2**64 - 1, 0, 0), 6036),
        ],
    )
    def test_wrong_arguments_are_refused_with_the_programs_codes(self, data: bytes, code: int) -> None:
        market = Market.of(a_pool())
        made = instruction(market)
        assert code_of(market, Instruction(PROGRAM_ID, data, made.accounts)) == code

    def test_an_extension_of_another_pool_is_refused(self) -> None:
        bins = {40_000: BinContent(y=10**9)}
        market = Market.of(a_pool(bins, 40_000, 2))
        made, address = instruction(market, 1_000), extension_address(POOL)
        account = market.ledger.accounts[address]
        market.ledger.accounts[address] = replace(account, data=account.data[:8] + bytes(32) + account.data[40:])
        assert code_of(market, made) == 2001

    def test_a_pool_that_is_off_is_refused(self) -> None:
        made = instruction(Market.of(a_pool()))
        assert code_of(Market.of(a_pool(status=1)), made) == 6042

    def test_more_than_the_trader_holds_is_the_token_programs_refusal(self) -> None:
        market = Market.of(a_pool())
        made = instruction(market)
        market.turn(x_to_y=True, held=AMOUNT - 1)
        assert code_of(market, made) == 1

    def test_a_counter_that_leaves_64_bits_is_refused(self) -> None:
        market = Market.of(a_pool(protocol_fee_x=2**64 - 1))
        assert code_of(market, instruction(market)) == 6018
