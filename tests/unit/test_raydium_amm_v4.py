"""Raydium AMM v4: quotes, refusals, accounts."""

from dataclasses import replace

import pytest
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import AmountTooSmall, PoolUnreadable, QuoteRefused
from order_engine.domain.pool import Account, ExactOutRequest, SwapRequest
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from order_engine.papernet.token_ledger import token_account_data
from order_engine.venues import VENUES
from order_engine.venues.raydium_amm_v4 import layout
from order_engine.venues.raydium_amm_v4.math import ProgramRefuses
from order_engine.venues.raydium_amm_v4.pool import RaydiumAmmV4Pool
from tests.unit.raydium_amm_v4_samples import (
    ADDRESS,
    FRESH,
    MINTS,
    NOW,
    TOKENS,
    World,
    owned,
    request,
    wanting,
    with_state,
)

SMALL = World(vault_amounts=(1_000_000, 4_000_000))


class TestQuote:
    def test_pays_the_constant_product_after_the_fee(self) -> None:
        quote = SMALL.pool().quote(request(10_000))
        # 25 of 10,000 are fee; 9,975 * 4,000,000 / 1,009,975 rounds down
        assert (quote.amount_in, quote.amount_out, quote.fee_amount) == (10_000, 39_505, 25)
        assert (quote.fee_token, quote.price_impact_bps) == (MINTS[0], 98)
        assert (quote.venue, quote.pool, quote.slot) == ("raydium_amm_v4", ADDRESS, 5)

    def test_an_exact_output_costs_the_curve_and_then_the_fee_both_rounded_up(self) -> None:
        quote = SMALL.pool().quote_exact_out(wanting(39_505))
        # 1,000,000 * 39,505 / 3,960,495 = 9,974.8; * 10,000 / 9,975 = 10,000
        assert (quote.amount_in, quote.amount_out, quote.fee_amount) == (10_000, 39_505, 25)
        assert (quote.token_in, quote.token_out, quote.fee_token) == (MINTS[0], MINTS[1], MINTS[0])

    def test_the_other_direction_sells_pc(self) -> None:
        quote = SMALL.pool().quote(request(40_000, side_in=1))
        # 100 of 40,000 are fee; 39,900 * 1,000,000 / 4,039,900
        assert (quote.amount_out, quote.fee_amount, quote.fee_token) == (9_876, 100, MINTS[1])
        assert SMALL.pool().quote_exact_out(wanting(9_876, side_in=1)).amount_in <= 40_000

    @pytest.mark.parametrize(("amount_in", "fee"), [(2, 1), (199, 1), (200, 1), (400, 1), (401, 2)])
    def test_a_fee_below_one_base_unit_is_one(self, amount_in: int, fee: int) -> None:
        assert World(vault_amounts=(10**6, 10**12)).pool().quote(request(amount_in)).fee_amount == fee

    def test_pnl_not_yet_taken_is_no_reserve(self) -> None:
        owing = replace(with_state(SMALL, need_take_pnl=(60, 12)), vault_amounts=(1_000_060, 4_000_012))
        assert owing.pool().quote(request(10_000)) == SMALL.pool().quote(request(10_000))
        assert owing.pool().quote_exact_out(wanting(5)) == SMALL.pool().quote_exact_out(wanting(5))

    @pytest.mark.parametrize("status", [1, 6, 7])
    def test_a_pool_of_a_trading_status_trades(self, status: int) -> None:
        assert with_state(World(), status=status).pool().quote(request(10**9)).amount_out > 0

    @pytest.mark.parametrize("status", [2, 3, 4, 5])
    def test_a_paused_pool_refuses(self, status: int) -> None:
        pool = with_state(World(), status=status).pool()
        with pytest.raises(QuoteRefused, match=f"paused: its status is {status}"):
            pool.quote(request(10**9))
        with pytest.raises(QuoteRefused, match="paused"):
            pool.quote_exact_out(wanting(1))

    def test_a_waiting_pool_opens_at_its_second_and_not_before(self) -> None:
        waiting = with_state(World(), status=layout.WAITING_TRADE, open_time=NOW)
        assert waiting.pool().quote(request(10**9)).amount_out > 0
        with pytest.raises(QuoteRefused, match=f"opens at {NOW + 1}"):
            with_state(waiting, open_time=NOW + 1).pool().quote(request(10**9))

    @pytest.mark.parametrize("status", [1, 6])
    def test_the_open_time_only_counts_while_a_pool_waits(self, status: int) -> None:
        world = with_state(World(), status=status, open_time=U64_MAX)
        assert world.pool().quote(request(10**9)).amount_out > 0

    @pytest.mark.parametrize("amount_in", [0, 1, 6_666])
    def test_an_amount_that_pays_nothing_is_too_small(self, amount_in: int) -> None:
        with pytest.raises(AmountTooSmall):
            World().pool().quote(request(amount_in))

    def test_nothing_cannot_be_bought(self) -> None:
        with pytest.raises(AmountTooSmall):
            World().pool().quote_exact_out(wanting(0))

    @pytest.mark.parametrize("amount", [U64_MAX, U64_MAX + 1, -1])
    def test_what_no_vault_can_hold_is_refused(self, amount: int) -> None:
        with pytest.raises(QuoteRefused):
            World().pool().quote(request(amount))
        with pytest.raises(QuoteRefused):
            World().pool().quote_exact_out(wanting(amount))

    def test_the_vault_is_filled_to_its_last_unit_and_no_further(self) -> None:
        room = U64_MAX - SMALL.vault_amounts[0]
        assert SMALL.pool().quote(request(room)).amount_out < 4_000_000
        with pytest.raises(QuoteRefused, match="cannot hold"):
            SMALL.pool().quote(request(room + 1))

    @pytest.mark.parametrize("wanted", [4_000_000, 4_000_001, U64_MAX])
    def test_no_more_than_the_reserve_can_be_bought(self, wanted: int) -> None:
        assert SMALL.pool().quote_exact_out(wanting(3_999_999)).amount_in > 10**12
        with pytest.raises(QuoteRefused, match="does not hold that much"):
            SMALL.pool().quote_exact_out(wanting(wanted))

    @pytest.mark.parametrize("vault_amounts", [(0, 10**9), (10**9, 0), (0, 0)])
    def test_an_empty_pool_refuses(self, vault_amounts: tuple[int, int]) -> None:
        pool = World(vault_amounts=vault_amounts).pool()
        for side_in in (0, 1):
            with pytest.raises(QuoteRefused):
                pool.quote(request(10**9, side_in))
            with pytest.raises(QuoteRefused):
                pool.quote_exact_out(wanting(10, side_in))

    @pytest.mark.parametrize("pnl", [(1_000_001, 0), (0, 4_000_001), (U64_MAX, U64_MAX)])
    def test_a_pool_that_owes_more_than_it_has_refuses(self, pnl: tuple[int, int]) -> None:
        with pytest.raises(ProgramRefuses) as refusal:
            with_state(SMALL, need_take_pnl=pnl).pool().quote(request(10_000))
        assert refusal.value.program_error == 32

    @pytest.mark.parametrize(("numerator", "denominator"), [(0, 0), (25, 0), (10_001, 10_000), (U64_MAX, 1)])
    def test_a_fee_that_is_no_fraction_is_refused(self, numerator: int, denominator: int) -> None:
        pool = with_state(SMALL, swap_fee_numerator=numerator, swap_fee_denominator=denominator).pool()
        with pytest.raises(QuoteRefused):
            pool.quote(request(10_000))
        with pytest.raises(QuoteRefused):
            pool.quote_exact_out(wanting(10))

    def test_the_fee_is_the_pools_own(self) -> None:
        assert (
            with_state(SMALL, swap_fee_numerator=3, swap_fee_denominator=1_000).pool().quote(request(10_000)).fee_amount
            == 30
        )
        assert with_state(SMALL, swap_fee_numerator=0).pool().quote(request(10_000)).fee_amount == 0

    @pytest.mark.parametrize("pair", [(0, 0), (1, 1)])
    def test_a_token_is_not_traded_for_itself(self, pair: tuple[int, int]) -> None:
        token_in, token_out = MINTS[pair[0]], MINTS[pair[1]]
        with pytest.raises(QuoteRefused, match="does not trade"):
            World().pool().quote(SwapRequest(token_in=token_in, token_out=token_out, amount_in=10**9))
        with pytest.raises(QuoteRefused, match="does not trade"):
            World().pool().quote_exact_out(ExactOutRequest(token_in=token_in, token_out=token_out, amount_out=1))

    def test_an_unknown_token_is_refused(self) -> None:
        swap = SwapRequest(token_in=MINTS[0], token_out=Pubkey.default(), amount_in=10**9)
        with pytest.raises(QuoteRefused, match="does not trade"):
            World().pool().quote(swap)


class TestAccounts:
    def test_the_venue_is_registered_under_its_program(self) -> None:
        assert VENUES[layout.PROGRAM_ID] is RaydiumAmmV4Pool

    def test_a_pool_encodes_to_what_it_was_read_from(self) -> None:
        state = replace(FRESH, status=7, need_take_pnl=(1, 2), open_time=3, swap_fee_numerator=4, recent_epoch=5)
        assert layout.decode_pool(ADDRESS, owned(layout.PROGRAM_ID, layout.encode_pool(state))) == state

    def test_a_patched_pool_keeps_every_byte_that_a_swap_does_not_change(self) -> None:
        data = bytearray(range(256)) * 3
        patched = layout.patch_pool(bytes(data[: layout.POOL_SIZE]), replace(FRESH, status=6, recent_epoch=7))
        touched = {i for i, (old, new) in enumerate(zip(data, patched, strict=False)) if old != new}
        assert len(patched) == layout.POOL_SIZE
        assert touched <= {*range(8), *range(736, 744)}
        assert (patched[0], patched[736]) == (6, 7)

    def test_a_new_pool_lives_at_the_programs_own_addresses(self) -> None:
        def derived(seed: str) -> Pubkey:
            seeds = [bytes(layout.PROGRAM_ID), bytes(FRESH.market), seed.encode()]
            return Pubkey.find_program_address(seeds, layout.PROGRAM_ID)[0]

        assert layout.pool_address(FRESH.market) == derived("amm_associated_seed") == ADDRESS
        assert FRESH.vaults == (derived("coin_vault_associated_seed"), derived("pc_vault_associated_seed"))
        assert FRESH.open_orders == derived("open_order_associated_seed")

    def test_open_orders_of_the_oldest_big_pool_stand_where_the_program_derives_them(self) -> None:
        market = Pubkey.from_string("8BnEgHoWFysVcuFFX7QztDmzuH8r5ZFvyP3sYwn1XTh6")
        _, state = layout.new_pool(TOKENS, market=market, owner=Pubkey.default(), lp_amount=0)
        assert str(state.open_orders) == "HmiHHzq4Fym9e1D4qzLS6LDDM3tNsCTBPDWHTLZ763jY"

    def test_the_authority_follows_the_nonce(self) -> None:
        address, nonce = Pubkey.find_program_address([b"amm authority"], layout.PROGRAM_ID)
        assert (address, nonce) == (layout.AUTHORITY, layout.AUTHORITY_NONCE)
        assert layout.authority_address(nonce + 256) == layout.AUTHORITY
        other = Pubkey.create_program_address([b"amm authority", bytes([6])], layout.PROGRAM_ID)
        assert layout.authority_address(6) == other

    def test_a_nonce_without_an_authority_is_unreadable(self) -> None:
        with pytest.raises(PoolUnreadable, match="nonce 0"):
            with_state(World(), nonce=0).pool()

    def test_dependencies_are_all_that_decoding_needs(self) -> None:
        snapshot = World().snapshot()
        needed = {ADDRESS, *RaydiumAmmV4Pool.dependencies(ADDRESS, snapshot.accounts[ADDRESS])}
        only = replace(snapshot, accounts={key: snapshot.accounts[key] for key in needed})
        assert RaydiumAmmV4Pool.decode(ADDRESS, only) == World().pool()

    def test_every_dependency_is_needed(self) -> None:
        snapshot = World().snapshot()
        dependencies = RaydiumAmmV4Pool.dependencies(ADDRESS, snapshot.accounts[ADDRESS])
        assert dependencies == FRESH.vaults
        for missing in (ADDRESS, *dependencies):
            rest = {key: account for key, account in snapshot.accounts.items() if key != missing}
            with pytest.raises(PoolUnreadable):
                RaydiumAmmV4Pool.decode(ADDRESS, replace(snapshot, accounts=rest))

    @pytest.mark.parametrize(
        "account",
        [
            owned(TOKEN_PROGRAM, layout.encode_pool(FRESH)),
            owned(layout.PROGRAM_ID, layout.encode_pool(FRESH)[:-1]),
            owned(layout.PROGRAM_ID, layout.encode_pool(FRESH) + b"\0"),
            owned(layout.PROGRAM_ID, bytes(layout.POOL_SIZE)),
            owned(layout.PROGRAM_ID, layout.encode_pool(replace(FRESH, status=8))),
            owned(layout.PROGRAM_ID, layout.encode_pool(replace(FRESH, status=U64_MAX))),
            owned(layout.PROGRAM_ID, layout.encode_pool(replace(FRESH, mints=(MINTS[0], MINTS[0])))),
            owned(layout.PROGRAM_ID, b""),
        ],
        ids=["owner", "short", "long", "uninitialized", "status", "high status", "one mint", "empty"],
    )
    def test_what_is_no_pool_is_unreadable(self, account: Account) -> None:
        with pytest.raises(PoolUnreadable):
            RaydiumAmmV4Pool.dependencies(ADDRESS, account)
        with pytest.raises(PoolUnreadable):
            World(others={ADDRESS: account}).pool()

    @pytest.mark.parametrize("vault", FRESH.vaults)
    @pytest.mark.parametrize("owner", [layout.PROGRAM_ID, TOKEN_2022_PROGRAM, Pubkey.default()])
    def test_a_vault_of_another_program_is_unreadable(self, vault: Pubkey, owner: Pubkey) -> None:
        with pytest.raises(PoolUnreadable):
            World(others={vault: owned(owner, token_account_data(MINTS[0], layout.AUTHORITY, 10**9))}).pool()

    @pytest.mark.parametrize("vault", FRESH.vaults)
    @pytest.mark.parametrize("data", [b"", bytes(64), bytes(165)], ids=["empty", "short", "of no mint"])
    def test_a_vault_of_another_kind_is_unreadable(self, vault: Pubkey, data: bytes) -> None:
        with pytest.raises(PoolUnreadable):
            World(others={vault: owned(TOKEN_PROGRAM, data)}).pool()

    def test_discovery_finds_the_pool_whichever_mint_is_named_first(self) -> None:
        data = layout.encode_pool(FRESH)
        for pair in (MINTS, MINTS[::-1]):
            filters = RaydiumAmmV4Pool.discovery_filters(*pair)
            matching = [one for one in filters if all(data[o : o + len(held)] == held for o, held in one.memcmp)]
            assert [one.data_size for one in filters] == [len(data)] * 2
            assert len(matching) == 1

    def test_discovery_asks_for_both_mints(self) -> None:
        data = layout.encode_pool(FRESH)
        for one in RaydiumAmmV4Pool.discovery_filters(MINTS[0], Pubkey.default()):
            assert not all(data[offset : offset + len(held)] == held for offset, held in one.memcmp)
