"""One market or more of every venue, from the venues' own samples, and a trader who swaps on their programs."""

import struct
from dataclasses import dataclass, replace
from typing import Final, Self

from solders.clock import Clock
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import (
    Account,
    AccountSnapshot,
    Pool,
    Quote,
    Trader,
)
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, TOKEN_PROGRAMS
from order_engine.papernet.replay import REPLAY_VENUES
from order_engine.papernet.token_ledger import TokenLedger, token_account_data
from order_engine.venues.meteora_damm_v2.layout import CollectFeeMode
from order_engine.venues.meteora_dlmm.fresh_pool import BinContent, FreshPool, empty_oracle
from order_engine.venues.meteora_dlmm.layout import FEE_ON_Y, LIMIT_ORDER
from order_engine.venues.raydium_clmm import layout as clmm_layout
from order_engine.venues.raydium_clmm.tick_arrays import Tick
from order_engine.venues.raydium_clmm.volatility import DynamicFee
from tests.unit import meteora_damm_v2_samples as damm
from tests.unit import meteora_dlmm_samples as dlmm
from tests.unit import raydium_amm_v4_samples as amm_v4
from tests.unit import raydium_clmm_samples as clmm
from tests.unit import raydium_cpmm_samples as cpmm

TRADER: Final = Trader(
    owner=Pubkey(bytes([77] * 32)),
    token_account_in=Pubkey(bytes([78] * 32)),
    token_account_out=Pubkey(bytes([79] * 32)),
)
PLENTY: Final = 2**62
TAX_BPS, MAXIMUM_TAX = 100, 5_000


@dataclass(frozen=True, slots=True)
class Market:
    """A pool, the accounts it lives on, and the emulated program that moves them."""

    venue: str
    address: Pubkey
    snapshot: AccountSnapshot

    def pool(self) -> Pool:
        return REPLAY_VENUES[self.venue].pool.decode(self.address, self.snapshot)

    def reserve(self, mint: Pubkey) -> int:
        """Return all that the pool's token accounts hold of a mint."""
        accounts = self.snapshot.accounts.values()
        held = [one for one in accounts if one.owner in TOKEN_PROGRAMS and one.data[:32] == bytes(mint)]
        return sum(int.from_bytes(account.data[64:72], "little") for account in held)

    def swap(self, instruction: Instruction, quote: Quote) -> tuple[Self, int, int]:
        """Carry the instruction out; return the market after it, what it took from the trader and what it paid.

        Raises:
            ProgramError: the program refuses.
        """
        snapshot = self.snapshot
        ledger = TokenLedger({**snapshot.accounts, **self._token_accounts(quote)}, snapshot.epoch)
        clock = Clock(snapshot.slot, 0, snapshot.epoch, snapshot.epoch, snapshot.unix_timestamp)
        program = REPLAY_VENUES[self.venue].program
        effects = program.execute(bytes(instruction.data), instruction.accounts, ledger.accounts.get, clock)
        for transfer in effects.transfers:
            ledger.transfer(transfer)
        for address, data in effects.accounts.items():
            ledger.write(address, data)
        took = PLENTY - ledger.balance(TRADER.token_account_in)
        after = replace(self, snapshot=replace(snapshot, accounts=ledger.accounts))
        return after, took, ledger.balance(TRADER.token_account_out)

    def _token_accounts(self, quote: Quote) -> dict[Pubkey, Account]:
        """Return a trader's two accounts, with plenty to sell."""
        found = {}
        for address, mint, held in (
            (TRADER.token_account_in, quote.token_in, PLENTY),
            (TRADER.token_account_out, quote.token_out, 0),
        ):
            known = self.snapshot.accounts.get(mint)  # AMM v4 reads no mints: it knows one token program only
            owner = TOKEN_PROGRAM if known is None else known.owner
            found[address] = Account(owner=owner, lamports=1, data=token_account_data(mint, TRADER.owner, held))
        return found


def taxed_mint(decimals: int = 6) -> Account:
    """Return a Token-2022 mint that withholds one percent of a transfer, up to a maximum."""
    fee = struct.pack("<QQH", 0, MAXIMUM_TAX, TAX_BPS)
    data = cpmm.mint_data(decimals).ljust(165, b"\0") + struct.pack("<BHH72x", 1, 1, 108) + fee + fee
    return Account(owner=TOKEN_2022_PROGRAM, lamports=1, data=data)


def taxed(market: Market, *mints: Pubkey) -> Market:
    """Return the market with its token accounts of these mints under a transfer fee."""
    accounts = dict(market.snapshot.accounts)
    for address, account in market.snapshot.accounts.items():
        if address in mints:
            accounts[address] = taxed_mint(account.data[44])
        elif account.owner == TOKEN_PROGRAM and Pubkey(account.data[:32].ljust(32, b"\0")) in mints:
            accounts[address] = replace(account, owner=TOKEN_2022_PROGRAM)
    return replace(market, snapshot=replace(market.snapshot, accounts=accounts))


def an_amm_v4_market(**changes: object) -> Market:
    world = amm_v4.with_state(amm_v4.World(vault_amounts=(10**12, 3 * 10**11)), **changes)
    return Market("raydium_amm_v4", amm_v4.ADDRESS, world.snapshot())


def a_cpmm_market(**changes: object) -> Market:
    world = cpmm.with_state(cpmm.World(vault_amounts=(10**12, 3 * 10**11)), **changes)
    return Market("raydium_cpmm", cpmm.ADDRESS, world.snapshot())


def a_clmm_market(ticks: tuple[Tick, ...] = clmm.TICKS, **changes: object) -> Market:
    world = clmm.with_state(clmm.World(ticks=ticks), **changes)
    return Market("raydium_clmm", clmm.ADDRESS, world.snapshot())


def a_damm_market(**changes: object) -> Market:
    return Market("meteora_damm_v2", damm.POOL, damm.snapshot_of(damm.a_pool(**changes)))


def a_dlmm_market(pool: FreshPool) -> Market:
    oracle = {pool.state.oracle: dlmm.owned(empty_oracle())}
    return Market("meteora_dlmm", dlmm.POOL, dlmm.snapshot_of(dlmm.accounts_of(pool) | oracle))


ORDERS: Final = (
    Tick(-50, 0, 0, orders_amount=10**9),
    Tick(50, 0, 0, part_filled_amount=10**9, unfilled_ratio_x64=2**63),
)
BINS_WITH_ORDERS: Final = {
    **{bin_id: BinContent(y=10**6, opened=700, processed=900, orders_sell_x=False) for bin_id in range(-9, 0)},
    0: BinContent(x=10**6, y=10**6),
    **{bin_id: BinContent(x=10**6, opened=700, processed=900, orders_sell_x=True) for bin_id in range(1, 10)},
}
DYNAMIC_FEE: Final = DynamicFee(
    filter_period=30,
    decay_period=120,
    reduction_factor=5_000,
    control=20_000,
    max_accumulator=350_000,
    group_reference=0,
    volatility_reference=1_000,
    accumulator=30_000,
    last_update=clmm.NOW - 1,
)
CREATOR_FEE: Final = {"is_creator_fee_enabled": True}
MARKETS: Final = {
    "amm v4": an_amm_v4_market(),
    "amm v4, profit to take": an_amm_v4_market(need_take_pnl=(10**9, 10**9)),
    "cpmm": a_cpmm_market(),
    "cpmm, creator fee on the input": a_cpmm_market(**CREATOR_FEE),
    "cpmm, creator fee on token 0": a_cpmm_market(creator_fee_on=1, **CREATOR_FEE),
    "cpmm, transfer fees": taxed(
        a_cpmm_market(creator_fee_on=2, token_programs=(TOKEN_2022_PROGRAM,) * 2, **CREATOR_FEE), *cpmm.MINTS
    ),
    "damm v2, fee on the output": a_damm_market(),
    "damm v2, fee in token b": a_damm_market(collect_fee_mode=CollectFeeMode.ONLY_B, dynamic_fee=damm.VOLATILE),
    "damm v2, compounding": a_damm_market(collect_fee_mode=CollectFeeMode.COMPOUNDING, compounding_fee_bps=5_000),
    "damm v2, transfer fees": taxed(a_damm_market(), damm.MINT_A, damm.MINT_B),
    "clmm": a_clmm_market(),
    "clmm, fee on token 1": a_clmm_market(fee_on=clmm_layout.FEE_ON_TOKEN_1),
    "clmm, dynamic fee": a_clmm_market(dynamic_fee=DYNAMIC_FEE),
    "clmm, limit orders": a_clmm_market(tuple(sorted((*clmm.TICKS, *ORDERS)))),
    "clmm, transfer fees": taxed(a_clmm_market(), *clmm.MINTS),
    "dlmm": a_dlmm_market(dlmm.a_pool()),
    "dlmm, fee in y": a_dlmm_market(dlmm.a_pool(collect_fee_mode=FEE_ON_Y, function_type=LIMIT_ORDER)),
    "dlmm, volatile": a_dlmm_market(dlmm.a_pool(variable_fee_control=10**6, volatility_accumulator=100_000)),
    "dlmm, limit orders": a_dlmm_market(dlmm.a_pool(BINS_WITH_ORDERS, function_type=LIMIT_ORDER)),
    "dlmm, transfer fees": taxed(a_dlmm_market(dlmm.a_pool()), dlmm.MINT_X, dlmm.MINT_Y),
}
