"""A small DLMM pool and its accounts, as the tests of the venue use them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from solders.clock import Clock
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account, AccountSnapshot, ExactOutRequest, SwapRequest, Trader
from order_engine.domain.tokens import TOKEN_PROGRAM
from order_engine.papernet.programs.meteora_dlmm import MeteoraDlmm
from order_engine.papernet.token_ledger import TokenLedger, token_account_data
from order_engine.venues.meteora_dlmm import layout
from order_engine.venues.meteora_dlmm.arrays import encode_extension
from order_engine.venues.meteora_dlmm.fresh_pool import BinContent, FreshPool, empty_oracle, fresh_pool
from order_engine.venues.meteora_dlmm.layout import array_address, extension_address
from order_engine.venues.meteora_dlmm.pool import MeteoraDlmmPool

POOL = Pubkey.from_bytes(bytes([7]) * 32)
MINT_X, MINT_Y = Pubkey.from_bytes(bytes([8]) * 32), Pubkey.from_bytes(bytes([9]) * 32)
TRADER = Trader(
    owner=Pubkey.from_bytes(bytes([10]) * 32),
    token_account_in=Pubkey.from_bytes(bytes([11]) * 32),
    token_account_out=Pubkey.from_bytes(bytes([12]) * 32),
)
SLOT, NOW, EPOCH = 5_000, 1_000_000, 800
CLOCK = Clock(SLOT, 0, EPOCH, EPOCH, NOW)
FULL = 10**15
EVEN_BINS: Mapping[int, BinContent] = {
    **{bin_id: BinContent(y=1_000_000) for bin_id in range(-100, 0)},
    0: BinContent(x=500_000, y=500_000),
    **{bin_id: BinContent(x=1_000_000) for bin_id in range(1, 101)},
}


def a_pool(
    bins: Mapping[int, BinContent] = EVEN_BINS, active_id: int = 0, step: int = 25, **changes: object
) -> FreshPool:
    """Return a pool of bins `step` bps apart at a fee of 0.1 %, `changes` made to its state."""
    pool = fresh_pool(
        POOL, mints=(MINT_X, MINT_Y), bins=bins, active_id=active_id, bin_step=step, base_factor=100_000 // step
    )
    return replace(pool, state=replace(pool.state, **changes))  # type: ignore[arg-type]


FAR = 40_000  # in array 571, beyond the pool's own bitmap


def far_pool() -> FreshPool:
    bins = {FAR + step: BinContent(x=1_000_000, y=1_000_000) for step in range(-2, 3)}
    return a_pool(bins, FAR, step=2)


def owned(data: bytes) -> Account:
    return Account(owner=layout.PROGRAM_ID, lamports=1, data=data)


def mint_account(decimals: int = 6) -> Account:
    data = bytearray(82)
    data[44], data[45] = decimals, 1
    return Account(owner=TOKEN_PROGRAM, lamports=1_461_600, data=bytes(data))


def token_account(mint: Pubkey, owner: Pubkey, amount: int) -> Account:
    return Account(owner=TOKEN_PROGRAM, lamports=2_039_280, data=token_account_data(mint, owner, amount))


def accounts_of(pool: FreshPool, vaults: tuple[int, int] = (FULL, FULL)) -> dict[Pubkey, Account]:
    """Return every account that a quote depends on."""
    accounts = {
        POOL: owned(layout.encode_pair(pool.state)),
        MINT_X: mint_account(),
        MINT_Y: mint_account(),
        pool.state.reserve_x: token_account(MINT_X, POOL, vaults[0]),
        pool.state.reserve_y: token_account(MINT_Y, POOL, vaults[1]),
        **{array_address(POOL, index): owned(data) for index, data in pool.arrays.items()},
    }
    if pool.extension is not None:
        accounts[extension_address(POOL)] = owned(encode_extension(POOL, pool.extension))
    return accounts


def snapshot_of(accounts: Mapping[Pubkey, Account]) -> AccountSnapshot:
    return AccountSnapshot(slot=SLOT, unix_timestamp=NOW, epoch=EPOCH, accounts=accounts)


def decoded(pool: FreshPool, vaults: tuple[int, int] = (FULL, FULL)) -> MeteoraDlmmPool:
    return MeteoraDlmmPool.decode(POOL, snapshot_of(accounts_of(pool, vaults)))


def sell_x(amount_in: int) -> SwapRequest:
    return SwapRequest(token_in=MINT_X, token_out=MINT_Y, amount_in=amount_in)


def sell_y(amount_in: int) -> SwapRequest:
    return SwapRequest(token_in=MINT_Y, token_out=MINT_X, amount_in=amount_in)


def sell(x_to_y: bool, amount_in: int) -> SwapRequest:
    return sell_x(amount_in) if x_to_y else sell_y(amount_in)


def buy(x_to_y: bool, amount_out: int) -> ExactOutRequest:
    request = sell(x_to_y, 0)
    return ExactOutRequest(token_in=request.token_in, token_out=request.token_out, amount_out=amount_out)


@dataclass(frozen=True, slots=True)
class Market:
    """A pool whose swaps are carried out by the emulated program, and a trader who holds plenty."""

    ledger: TokenLedger

    @classmethod
    def of(cls, pool: FreshPool, vaults: tuple[int, int] = (FULL, FULL), *, x_to_y: bool = True) -> Self:
        accounts = accounts_of(pool, vaults)
        accounts[pool.state.oracle] = owned(empty_oracle())
        market = cls(TokenLedger(accounts, EPOCH))
        market.turn(x_to_y=x_to_y)
        return market

    def turn(self, *, x_to_y: bool, held: int = FULL) -> None:
        """Give the trader fresh token accounts to swap in this direction."""
        mint_in, mint_out = (MINT_X, MINT_Y) if x_to_y else (MINT_Y, MINT_X)
        self.ledger.accounts[TRADER.token_account_in] = token_account(mint_in, TRADER.owner, held)
        self.ledger.accounts[TRADER.token_account_out] = token_account(mint_out, TRADER.owner, 0)

    def pool(self) -> MeteoraDlmmPool:
        return MeteoraDlmmPool.decode(POOL, snapshot_of(self.ledger.accounts))

    def execute(self, instruction: Instruction) -> None:
        effects = MeteoraDlmm().execute(bytes(instruction.data), instruction.accounts, self.ledger.accounts.get, CLOCK)
        for transfer in effects.transfers:
            self.ledger.transfer(transfer)
        for address, data in effects.accounts.items():
            self.ledger.write(address, data)

    def swap(self, amount_in: int, *, x_to_y: bool) -> int:
        """Quote and carry out a swap; return what it paid, which is what was quoted."""
        self.turn(x_to_y=x_to_y)
        pool = self.pool()
        quote = pool.quote(sell(x_to_y, amount_in))
        self.execute(pool.swap_instruction(quote, quote.amount_out, TRADER))
        assert self.ledger.balance(TRADER.token_account_out) == quote.amount_out
        return quote.amount_out
