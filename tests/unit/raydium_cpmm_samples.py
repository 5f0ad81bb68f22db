"""A CPMM pool with everything around it, made from scratch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from solders.clock import Clock
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account, AccountSnapshot, ExactOutRequest, SwapRequest, Trader
from order_engine.domain.tokens import TOKEN_PROGRAM, Token
from order_engine.papernet.programs.raydium_cpmm import RaydiumCpmm
from order_engine.papernet.token_ledger import TokenLedger, token_account_data
from order_engine.venues.raydium_cpmm import layout
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool

NOW: Final = 1_753_000_000
EPOCH: Final = 810
MINTS: Final = (Pubkey(bytes([1] * 32)), Pubkey(bytes([2] * 32)))
CONFIG_ADDRESS: Final = layout.config_address(0)
TRADER: Final = Trader(
    owner=Pubkey(bytes([7] * 32)),
    token_account_in=Pubkey(bytes([8] * 32)),
    token_account_out=Pubkey(bytes([9] * 32)),
)
TOKENS: Final = (Token(MINTS[0], "ONE", 9, TOKEN_PROGRAM), Token(MINTS[1], "TWO", 6, TOKEN_PROGRAM))
ADDRESS, FRESH = layout.new_pool(TOKENS, config=CONFIG_ADDRESS, creator=TRADER.owner, lp_supply=1_000)
CONFIG: Final = layout.AmmConfig(
    index=0,
    trade_fee_rate=2_500,
    protocol_fee_rate=120_000,
    fund_fee_rate=40_000,
    protocol_owner=TRADER.owner,
    fund_owner=TRADER.owner,
    creator_fee_rate=500,
)


def mint_data(decimals: int) -> bytes:
    data = bytearray(82)
    data[44], data[45] = decimals, 1
    return bytes(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The accounts of one pool. Changing a world means making another one."""

    vault_amounts: tuple[int, int] = (10**15, 150 * 10**9)
    state: layout.PoolState = FRESH
    config: layout.AmmConfig = CONFIG
    observation: bytes = layout.empty_observation(ADDRESS)
    trader_balance: int = 10**18
    others: Mapping[Pubkey, Account] = field(default_factory=dict)

    def accounts(self) -> dict[Pubkey, Account]:
        state = self.state
        accounts = {
            ADDRESS: owned(layout.PROGRAM_ID, layout.encode_pool(state)),
            state.config: owned(layout.PROGRAM_ID, layout.encode_config(self.config)),
            state.observation: owned(layout.PROGRAM_ID, self.observation),
        }
        for mint, vault, decimals, amount in zip(
            state.mints, state.vaults, state.decimals, self.vault_amounts, strict=True
        ):
            accounts[mint] = owned(TOKEN_PROGRAM, mint_data(decimals))
            accounts[vault] = owned(TOKEN_PROGRAM, token_account_data(mint, layout.AUTHORITY, amount))
        return accounts | dict(self.others)

    def snapshot(self) -> AccountSnapshot:
        return AccountSnapshot(slot=5, unix_timestamp=NOW, epoch=EPOCH, accounts=self.accounts())

    def pool(self) -> RaydiumCpmmPool:
        return RaydiumCpmmPool.decode(ADDRESS, self.snapshot())

    def ledger(self, side_in: int) -> TokenLedger:
        """Return the accounts with the trader's two beside them."""
        accounts = self.accounts()
        for address, mint, amount in (
            (TRADER.token_account_in, MINTS[side_in], self.trader_balance),
            (TRADER.token_account_out, MINTS[1 - side_in], 0),
        ):
            accounts[address] = owned(TOKEN_PROGRAM, token_account_data(mint, TRADER.owner, amount))
        return TokenLedger(accounts, EPOCH)


def owned(owner: Pubkey, data: bytes) -> Account:
    return Account(owner=owner, lamports=1, data=data)


def request(amount_in: int, side_in: int = 0) -> SwapRequest:
    return SwapRequest(token_in=MINTS[side_in], token_out=MINTS[1 - side_in], amount_in=amount_in)


def wanting(amount_out: int, side_in: int = 0) -> ExactOutRequest:
    return ExactOutRequest(token_in=MINTS[side_in], token_out=MINTS[1 - side_in], amount_out=amount_out)


def swap_instruction(world: World, amount_in: int, min_amount_out: int = 1, side_in: int = 0) -> Instruction:
    pool = world.pool()
    return pool.swap_instruction(pool.quote(request(amount_in, side_in)), min_amount_out, TRADER)


def execute(ledger: TokenLedger, instruction: Instruction, unix_timestamp: int = NOW) -> None:
    """Carry out a swap on the ledger, as the paper network does."""
    clock = Clock(5, 0, EPOCH, EPOCH, unix_timestamp)
    effects = RaydiumCpmm().execute(bytes(instruction.data), instruction.accounts, ledger.accounts.get, clock)
    for transfer in effects.transfers:
        ledger.transfer(transfer)
    for address, data in effects.accounts.items():
        ledger.write(address, data)


def with_state(world: World, **changes: object) -> World:
    return replace(world, state=replace(world.state, **changes))  # type: ignore[arg-type]
