"""Raydium CPMM: quotes, refusals, accounts."""

import struct
from dataclasses import replace

import pytest
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import AmountTooSmall, PoolUnreadable, QuoteRefused
from order_engine.domain.pool import Account, AccountSnapshot, SwapRequest
from order_engine.domain.tokens import NO_TRANSFER_FEE, TOKEN_2022_PROGRAM, TOKEN_PROGRAM, TransferFee
from order_engine.venues import VENUES
from order_engine.venues.raydium_cpmm import layout
from order_engine.venues.raydium_cpmm.math import ProgramRefuses
from order_engine.venues.raydium_cpmm.pool import SWAP_BASE_OUTPUT, RaydiumCpmmPool
from tests.unit.raydium_cpmm_samples import (
    ADDRESS,
    CONFIG,
    FRESH,
    MINTS,
    NOW,
    TRADER,
    World,
    owned,
    request,
    wanting,
    with_state,
)


class TestQuote:
    def test_pays_the_constant_product_after_the_trade_fee(self) -> None:
        quote = World(vault_amounts=(1_000_000, 4_000_000)).pool().quote(request(10_000))
        # 25 of 10,000 are fee; 9,975 * 4,000,000 / 1,009,975 rounds down
        assert (quote.amount_in, quote.amount_out, quote.fee_amount) == (10_000, 39_505, 25)
        assert (quote.fee_token, quote.price_impact_bps) == (MINTS[0], 98)
        assert (quote.venue, quote.pool, quote.slot) == ("raydium_cpmm", ADDRESS, 5)

    def test_fees_owed_to_others_are_no_reserves(self) -> None:
        owing = with_state(World(), protocol_fees=(10, 3), fund_fees=(20, 4), creator_fees=(30, 5))
        richer = replace(owing, vault_amounts=(owing.vault_amounts[0] + 60, owing.vault_amounts[1] + 12))
        assert richer.pool().quote(request(10**12)) == World().pool().quote(request(10**12))

    @pytest.mark.parametrize(("fee_on", "side_in"), [(1, 1), (2, 0)])
    def test_a_creator_fee_on_the_output_counts_in_the_input_token(self, fee_on: int, side_in: int) -> None:
        world = World(vault_amounts=(10**12, 10**12))
        without = world.pool().quote(request(10**8, side_in))
        charged = with_state(world, creator_fee_on=fee_on, is_creator_fee_enabled=True)
        quote = charged.pool().quote(request(10**8, side_in))
        creator_fee = without.amount_out - quote.amount_out
        assert creator_fee == 49_871  # 500 millionths of 99,740,050, rounded up
        assert quote.fee_token == MINTS[side_in]
        assert quote.fee_amount - without.fee_amount == 49_876  # the same at the price of this swap, rounded up

    @pytest.mark.parametrize("fee_on", [0, 1])
    def test_a_creator_fee_on_the_input_is_rounded_together_with_the_trade_fee(self, fee_on: int) -> None:
        charged = with_state(World(), creator_fee_on=fee_on, is_creator_fee_enabled=True)
        # 2,500 + 500 millionths of 100,001 is 300.003: one rounding up, not two
        assert charged.pool().quote(request(100_001)).fee_amount == 301

    def test_price_impact_of_doubling_the_reserve_is_half(self) -> None:
        world = World(vault_amounts=(10**12, 10**12), config=replace(CONFIG, trade_fee_rate=0, creator_fee_rate=1))
        enabled = with_state(world, is_creator_fee_enabled=True, creator_fee_on=layout.FEE_ON_TOKEN_1)
        assert enabled.pool().quote(request(10**12)).price_impact_bps == 5_000

    @pytest.mark.parametrize("status", [1, 2, 3])
    def test_a_pool_closed_for_deposits_still_trades(self, status: int) -> None:
        assert with_state(World(), status=status).pool().quote(request(10**9)).amount_out > 0

    @pytest.mark.parametrize("status", [4, 7, 255])
    def test_a_paused_pool_refuses(self, status: int) -> None:
        with pytest.raises(QuoteRefused, match="paused"):
            with_state(World(), status=status).pool().quote(request(10**9))

    def test_a_pool_opens_at_its_second_and_not_before(self) -> None:
        assert with_state(World(), open_time=NOW).pool().quote(request(10**9)).amount_out > 0
        with pytest.raises(QuoteRefused, match=f"opens at {NOW + 1}"):
            with_state(World(), open_time=NOW + 1).pool().quote(request(10**9))

    @pytest.mark.parametrize("amount_in", [0, 1, 6_666])
    def test_an_amount_that_pays_nothing_is_too_small(self, amount_in: int) -> None:
        with pytest.raises(AmountTooSmall):
            World().pool().quote(request(amount_in))

    def test_an_output_that_its_transfer_fee_eats_is_too_small(self) -> None:
        pool = replace(World().pool(), transfer_fees=(NO_TRANSFER_FEE, TransferFee(U64_MAX, 10_000)))
        with pytest.raises(AmountTooSmall):
            pool.quote(request(10**12))

    @pytest.mark.parametrize("amount_in", [U64_MAX, U64_MAX + 1])
    def test_what_no_vault_can_hold_is_refused(self, amount_in: int) -> None:
        with pytest.raises(QuoteRefused):
            World().pool().quote(request(amount_in))

    @pytest.mark.parametrize("owed", [10**15, 10**15 + 1, U64_MAX + 1])
    def test_a_pool_without_reserves_refuses(self, owed: int) -> None:
        fund = min(owed, U64_MAX)
        with pytest.raises(QuoteRefused):
            with_state(World(), fund_fees=(fund, 0), creator_fees=(owed - fund, 0)).pool().quote(request(10**9))

    @pytest.mark.parametrize("pair", [(0, 0), (1, 1)])
    def test_a_token_is_not_traded_for_itself(self, pair: tuple[int, int]) -> None:
        swap = SwapRequest(token_in=MINTS[pair[0]], token_out=MINTS[pair[1]], amount_in=10**9)
        with pytest.raises(QuoteRefused, match="does not trade"):
            World().pool().quote(swap)

    def test_an_unknown_token_is_refused(self) -> None:
        swap = SwapRequest(token_in=MINTS[0], token_out=Pubkey.default(), amount_in=10**9)
        with pytest.raises(QuoteRefused, match="does not trade"):
            World().pool().quote(swap)

    def test_fees_whose_rates_are_zero_are_refused_as_the_program_cannot_split_them(self) -> None:
        with pytest.raises(ProgramRefuses) as refusal:
            replace(World(), config=replace(CONFIG, trade_fee_rate=0)).pool().quote(request(10**9))
        assert refusal.value.program_error == 6006


class TestExactOut:
    def test_costs_the_constant_product_with_the_trade_fee_on_top(self) -> None:
        quote = World(vault_amounts=(1_000_000, 4_000_000)).pool().quote_exact_out(wanting(39_505))
        # 1,000,000 * 39,505 / 3,960,495 rounds up to 9,975; with its fee that is 10,000
        assert (quote.amount_in, quote.amount_out, quote.fee_amount) == (10_000, 39_505, 25)
        assert (quote.fee_token, quote.price_impact_bps) == (MINTS[0], 98)
        assert (quote.venue, quote.pool, quote.slot) == ("raydium_cpmm", ADDRESS, 5)

    @pytest.mark.parametrize(("fee_on", "side_in"), [(1, 1), (2, 0)])
    def test_a_creator_fee_on_the_output_is_taken_before_it_is_paid(self, fee_on: int, side_in: int) -> None:
        world = World(vault_amounts=(10**12, 10**12))
        charged = with_state(world, creator_fee_on=fee_on, is_creator_fee_enabled=True).pool()
        # 99,950,000 and 500 millionths of the gross amount are 100,000,000
        quote, gross = charged.quote_exact_out(wanting(99_950_000, side_in)), wanting(10**8, side_in)
        assert quote.amount_in == world.pool().quote_exact_out(gross).amount_in
        assert quote.amount_out == 99_950_000

    def test_transfer_fees_come_on_top_on_both_sides(self) -> None:
        plain = World(vault_amounts=(10**12, 10**12)).pool()
        taxed = replace(plain, transfer_fees=(TransferFee(U64_MAX, 100), TransferFee(7_000, 10_000)))
        before = plain.quote_exact_out(wanting(10**6 + 7_000)).amount_in
        quote = taxed.quote_exact_out(wanting(10**6))
        assert quote.amount_in == TransferFee(U64_MAX, 100).amount_before(before) > before
        assert taxed.quote(request(quote.amount_in)).amount_out == 10**6

    def test_all_but_one_unit_of_the_reserve_can_be_bought_and_all_of_it_not(self) -> None:
        pool = with_state(World(vault_amounts=(1_000, 1_050)), protocol_fees=(0, 50)).pool()
        assert pool.quote_exact_out(wanting(999)).amount_in == 1_001_504  # 1,000 * 999 / 1 and its fee
        for amount_out in (1_000, 1_049, 1_050, U64_MAX):
            with pytest.raises(ProgramRefuses, match="does not hold that much"):
                pool.quote_exact_out(wanting(amount_out))

    def test_wanting_nothing_is_too_small(self) -> None:
        with pytest.raises(AmountTooSmall):
            World().pool().quote_exact_out(wanting(0))

    @pytest.mark.parametrize("amount_out", [-1, U64_MAX + 1])
    def test_an_amount_beyond_64_bits_is_refused(self, amount_out: int) -> None:
        with pytest.raises(QuoteRefused, match="64 bits"):
            World().pool().quote_exact_out(wanting(amount_out))

    @pytest.mark.parametrize("vaults", [(U64_MAX - 100, 10**6), (U64_MAX // 2, 10**6)])
    def test_what_no_trader_can_hold_and_no_vault_can_take_is_refused(self, vaults: tuple[int, int]) -> None:
        with pytest.raises(QuoteRefused, match=r"u64|cannot hold"):
            World(vault_amounts=vaults).pool().quote_exact_out(wanting(999_000))

    @pytest.mark.parametrize(("changes", "why"), [({"status": 4}, "paused"), ({"open_time": NOW + 1}, "opens at")])
    def test_a_pool_that_does_not_trade_refuses(self, changes: dict[str, int], why: str) -> None:
        with pytest.raises(QuoteRefused, match=why):
            with_state(World(), **changes).pool().quote_exact_out(wanting(1_000))

    def test_a_token_is_not_traded_for_itself(self) -> None:
        with pytest.raises(QuoteRefused, match="does not trade"):
            World().pool().quote_exact_out(replace(wanting(1_000), token_in=MINTS[1]))

    def test_the_instruction_carries_the_most_to_pay_and_the_amount_wanted(self) -> None:
        pool = World().pool()
        quote = pool.quote_exact_out(wanting(123_456))
        instruction = pool.exact_out_instruction(quote, 777, TRADER)
        assert instruction.data == SWAP_BASE_OUTPUT + struct.pack("<QQ", 777, 123_456)
        assert instruction.accounts == pool.swap_instruction(quote, 1, TRADER).accounts


class TestAccounts:
    def test_the_venue_is_registered_under_its_program(self) -> None:
        assert VENUES[layout.PROGRAM_ID] is RaydiumCpmmPool

    def test_a_pool_encodes_to_what_it_was_read_from(self) -> None:
        state = replace(FRESH, status=2, protocol_fees=(1, 2), fund_fees=(3, 4), creator_fees=(5, 6), open_time=7)
        state = replace(state, recent_epoch=8, creator_fee_on=2, is_creator_fee_enabled=True)
        assert layout.decode_pool(ADDRESS, owned(layout.PROGRAM_ID, layout.encode_pool(state))) == state

    def test_a_patched_pool_keeps_every_byte_that_a_swap_does_not_change(self) -> None:
        data = bytearray(layout.encode_pool(FRESH))
        data[391:397], data[413:637] = b"unused", bytes(range(224))
        changed = replace(FRESH, protocol_fees=(1, 2), fund_fees=(3, 4), creator_fees=(5, 6), recent_epoch=7)
        patched = layout.patch_pool(bytes(data), changed)
        assert layout.decode_pool(ADDRESS, owned(layout.PROGRAM_ID, patched)) == changed
        touched = {i for i, (old, new) in enumerate(zip(data, patched, strict=True)) if old != new}
        assert touched == {341, 349, 357, 365, 381, 397, 405}

    def test_a_config_encodes_to_what_it_was_read_from(self) -> None:
        account = owned(layout.PROGRAM_ID, layout.encode_config(CONFIG))
        assert layout.decode_config(ADDRESS, account) == CONFIG

    def test_a_new_pool_lives_at_the_programs_own_addresses_whatever_the_order_of_its_tokens(self) -> None:
        assert layout.pool_address(FRESH.config, *MINTS) == ADDRESS
        assert FRESH.vaults == (layout.vault_address(ADDRESS, MINTS[0]), layout.vault_address(ADDRESS, MINTS[1]))
        assert FRESH.observation == layout.observation_address(ADDRESS)

    def test_dependencies_are_all_that_decoding_needs(self) -> None:
        snapshot = World().snapshot()
        needed = {ADDRESS, *RaydiumCpmmPool.dependencies(ADDRESS, snapshot.accounts[ADDRESS])}
        only = replace(snapshot, accounts={key: snapshot.accounts[key] for key in needed})
        assert RaydiumCpmmPool.decode(ADDRESS, only) == World().pool()

    def test_every_dependency_is_needed(self) -> None:
        snapshot = World().snapshot()
        dependencies = RaydiumCpmmPool.dependencies(ADDRESS, snapshot.accounts[ADDRESS])
        assert len(dependencies) == 5
        for missing in (ADDRESS, *dependencies):
            rest = {key: account for key, account in snapshot.accounts.items() if key != missing}
            with pytest.raises(PoolUnreadable):
                RaydiumCpmmPool.decode(ADDRESS, replace(snapshot, accounts=rest))

    @pytest.mark.parametrize(
        "account",
        [
            owned(TOKEN_PROGRAM, layout.encode_pool(FRESH)),
            owned(layout.PROGRAM_ID, layout.encode_pool(FRESH)[:-1]),
            owned(layout.PROGRAM_ID, layout.encode_pool(FRESH) + b"\0"),
            owned(layout.PROGRAM_ID, bytes(637)),
            owned(layout.PROGRAM_ID, layout.encode_config(CONFIG)),
            owned(layout.PROGRAM_ID, layout.encode_pool(replace(FRESH, creator_fee_on=3))),
            owned(layout.PROGRAM_ID, b""),
        ],
        ids=["owner", "short", "long", "discriminator", "config", "creator fee mode", "empty"],
    )
    def test_what_is_no_pool_is_unreadable(self, account: Account) -> None:
        with pytest.raises(PoolUnreadable):
            RaydiumCpmmPool.dependencies(ADDRESS, account)
        snapshot = World(others={ADDRESS: account}).snapshot()
        with pytest.raises(PoolUnreadable):
            RaydiumCpmmPool.decode(ADDRESS, snapshot)

    @pytest.mark.parametrize("address", [FRESH.config, *FRESH.vaults, *FRESH.mints])
    @pytest.mark.parametrize("owner", [layout.PROGRAM_ID, TOKEN_PROGRAM, TOKEN_2022_PROGRAM, Pubkey.default()])
    def test_an_account_of_another_kind_is_unreadable(self, address: Pubkey, owner: Pubkey) -> None:
        snapshot: AccountSnapshot = World(others={address: owned(owner, bytes(64))}).snapshot()
        with pytest.raises(PoolUnreadable):
            RaydiumCpmmPool.decode(ADDRESS, snapshot)

    def test_discovery_finds_the_pool_whichever_mint_is_named_first(self) -> None:
        data = layout.encode_pool(FRESH)
        for pair in (MINTS, MINTS[::-1]):
            (only,) = RaydiumCpmmPool.discovery_filters(*pair)
            assert only.data_size == len(data)
            assert all(data[offset : offset + len(held)] == held for offset, held in only.memcmp)

    def test_discovery_asks_for_both_mints(self) -> None:
        (only,) = RaydiumCpmmPool.discovery_filters(MINTS[0], Pubkey.default())
        data = layout.encode_pool(FRESH)
        assert not all(data[offset : offset + len(held)] == held for offset, held in only.memcmp)
