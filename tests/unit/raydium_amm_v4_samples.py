"""An AMM v4 pool with everything around it, made from scratch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from solders.clock import Clock
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account, AccountSnapshot, ExactOutRequest, SwapRequest, Trader
from order_engine.domain.tokens import TOKEN_PROGRAM, Token
from order_engine.papernet.programs.raydium_amm_v4 import RaydiumAmmV4
from order_engine.papernet.token_ledger import TokenLedger, token_account_data
from order_engine.venues.raydium_amm_v4 import layout
from order_engine.venues.raydium_amm_v4.pool import RaydiumAmmV4Pool

NOW: Final = 1_753_000_000
EPOCH: Final = 810
MINTS: Final = (Pubkey(bytes([1] * 32)), Pubkey(bytes([2] * 32)))
MARKET: Final = Pubkey(bytes([3] * 32))
TRADER: Final = Trader(
    owner=Pubkey(bytes([7] * 32)),
    token_account_in=Pubkey(bytes([8] * 32)),
    token_account_out=Pubkey(bytes([9] * 32)),
)
TOKENS: Final = (Token(MINTS[0], "ONE", 9, TOKEN_PROGRAM), Token(MINTS[1], "TWO", 6, TOKEN_PROGRAM))
ADDRESS, FRESH = layout.new_pool(TOKENS, market=MARKET, owner=TRADER.owner, lp_amount=1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The accounts of one pool. Changing a world means making another one."""

    vault_amounts: tuple[int, int] = (10**15, 150 * 10**9)
    state: layout.PoolState = FRESH
    trader_balance: int = 10**18
    others: Mapping[Pubkey, Account] = field(default_factory=dict)

    def accounts(self) -> dict[Pubkey, Account]:
        accounts = {ADDRESS: owned(layout.PROGRAM_ID, layout.encode_pool(self.state))}
        for mint, vault, amount in zip(self.state.mints, self.state.vaults, self.vault_amounts, strict=True):
            accounts[vault] = token_account(mint, layout.AUTHORITY, amount)
        return accounts | dict(self.others)

    def snapshot(self) -> AccountSnapshot:
        return AccountSnapshot(slot=5, unix_timestamp=NOW, epoch=EPOCH, accounts=self.accounts())

    def pool(self) -> RaydiumAmmV4Pool:
        return RaydiumAmmV4Pool.decode(ADDRESS, self.snapshot())

    def ledger(self, side_in: int) -> TokenLedger:
        """Return the accounts with the trader's two beside them."""
        traders = {
            TRADER.token_account_in: token_account(MINTS[side_in], TRADER.owner, self.trader_balance),
            TRADER.token_account_out: token_account(MINTS[1 - side_in], TRADER.owner, 0),
        }
        return TokenLedger(traders | self.accounts(), EPOCH)


def owned(owner: Pubkey, data: bytes) -> Account:
    return Account(owner=owner, lamports=1, data=data)


def token_account(mint: Pubkey, owner: Pubkey, amount: int) -> Account:
    return owned(TOKEN_PROGRAM, token_account_data(mint, owner, amount))


def request(amount_in: int, side_in: int = 0) -> SwapRequest:
    return SwapRequest(token_in=MINTS[side_in], token_out=MINTS[1 - side_in], amount_in=amount_in)


def wanting(amount_out: int, side_in: int = 0) -> ExactOutRequest:
    return ExactOutRequest(token_in=MINTS[side_in], token_out=MINTS[1 - side_in], amount_out=amount_out)


def with_state(world: World, **changes: object) -> World:
    return replace(world, state=replace(world.state, **changes))


def execute(ledger: TokenLedger, instruction: Instruction, unix_timestamp: int = NOW) -> None:
    """Carry out a swap on the ledger, as the paper network does."""
    clock = Clock(5, 0, EPOCH, EPOCH, unix_timestamp)
    effects = RaydiumAmmV4().execute(bytes(instruction.data), instruction.accounts, ledger.accounts.get, clock)
    for transfer in effects.transfers:
        ledger.transfer(transfer)
    for address, data in effects.accounts.items():
        ledger.write(address, data)
