"""A CLMM pool with everything around it, made from scratch."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from solders.clock import Clock
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account, AccountSnapshot, ExactOutRequest, SwapRequest, Trader
from order_engine.domain.tokens import TOKEN_PROGRAM
from order_engine.papernet.programs.raydium_clmm import RaydiumClmm
from order_engine.papernet.token_ledger import TokenLedger, token_account_data
from order_engine.venues.raydium_clmm import layout, tick_arrays
from order_engine.venues.raydium_clmm.pool import RaydiumClmmPool
from order_engine.venues.raydium_clmm.tick_arrays import Tick, array_number, bit_position
from order_engine.venues.raydium_clmm.ticks import sqrt_price_at_tick

NOW: Final = 1_753_000_000
EPOCH: Final = 810
MINTS: Final = (Pubkey(bytes([1] * 32)), Pubkey(bytes([2] * 32)))
TRADER: Final = Trader(
    owner=Pubkey(bytes([7] * 32)),
    token_account_in=Pubkey(bytes([8] * 32)),
    token_account_out=Pubkey(bytes([9] * 32)),
)
SPACING: Final = 10
LIQUIDITY: Final = 10**12
CONFIG: Final = layout.AmmConfig(
    index=4,
    owner=TRADER.owner,
    protocol_fee_rate=120_000,
    trade_fee_rate=2_500,
    tick_spacing=SPACING,
    fund_fee_rate=40_000,
    fund_owner=TRADER.owner,
)
CONFIG_ADDRESS: Final = layout.config_address(CONFIG.index)
ADDRESS: Final = layout.pool_address(CONFIG_ADDRESS, *MINTS)
STATE: Final = layout.PoolState(
    config=CONFIG_ADDRESS,
    owner=TRADER.owner,
    mints=MINTS,
    vaults=(layout.vault_address(ADDRESS, MINTS[0]), layout.vault_address(ADDRESS, MINTS[1])),
    observation=layout.observation_address(ADDRESS),
    decimals=(9, 6),
    tick_spacing=SPACING,
    liquidity=LIQUIDITY,
    sqrt_price_x64=sqrt_price_at_tick(0),
    tick_current=0,
)
# two positions, one inside the other, in five arrays
TICKS: Final = (
    Tick(-1_200, LIQUIDITY // 2, LIQUIDITY // 2),
    Tick(-100, LIQUIDITY - LIQUIDITY // 2, LIQUIDITY - LIQUIDITY // 2),
    Tick(100, LIQUIDITY // 2 - LIQUIDITY, LIQUIDITY - LIQUIDITY // 2),
    Tick(1_200, -(LIQUIDITY // 2), LIQUIDITY // 2),
)


def owned(owner: Pubkey, data: bytes) -> Account:
    return Account(owner=owner, lamports=1, data=data)


def mint_data(decimals: int) -> bytes:
    data = bytearray(82)
    data[44], data[45] = decimals, 1
    return bytes(data)


def tick_array_data(start: int, ticks: Iterable[Tick], spacing: int = SPACING, pool: Pubkey = ADDRESS) -> bytes:
    data = bytearray(tick_arrays.TICK_ARRAY_SIZE)
    struct.pack_into("<8s32si", data, 0, tick_arrays.TICK_ARRAY_DISCRIMINATOR, bytes(pool), start)
    held = list(ticks)
    for tick in held:
        at = tick_arrays.TICKS_OFFSET + (tick.tick_index - start) // spacing * tick_arrays.TICK_SIZE
        net, gross = tick.liquidity_net % 2**128, tick.liquidity_gross
        struct.pack_into("<i", data, at, tick.tick_index)
        data[at + 4 : at + 36] = net.to_bytes(16, "little") + gross.to_bytes(16, "little")
        struct.pack_into("<QQQ", data, at + 116, tick.order_phase, tick.orders_amount, tick.part_filled_amount)
        data[at + 140 : at + 156] = tick.unfilled_ratio_x64.to_bytes(16, "little")
    data[10_124] = len(held)
    return bytes(data)


def bitmaps(numbers: Iterable[int]) -> tuple[bytes, bytes]:
    """Return the pool's bitmap and the data of the extension."""
    own, extension = bytes(layout.BITMAP_SIZE), bytes(tick_arrays.BITMAP_EXTENSION_SIZE)
    for number in numbers:
        row, bit = bit_position(number)
        if row is None:
            own = tick_arrays.flipped(own, 0, bit)
        else:
            extension = tick_arrays.flipped(extension, 40 + row * 64, bit)
    return own, tick_arrays.BITMAP_EXTENSION_DISCRIMINATOR + bytes(ADDRESS) + extension[40:]


def observation_data(pool: Pubkey = ADDRESS) -> bytes:
    return (bytes.fromhex("7aaec5358109a584") + bytes(11) + bytes(pool)).ljust(4_483, b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The accounts of one pool. Changing a world means making another one."""

    state: layout.PoolState = STATE
    config: layout.AmmConfig = CONFIG
    ticks: tuple[Tick, ...] = TICKS
    vault_amounts: tuple[int, int] = (10**15, 10**15)
    trader_balance: int = 10**18
    observation: bytes = observation_data()
    others: Mapping[Pubkey, Account | None] = field(default_factory=dict)

    def accounts(self) -> dict[Pubkey, Account]:
        spacing = self.state.tick_spacing
        numbers = {array_number(tick.tick_index, spacing) for tick in self.ticks}
        own, extension = bitmaps(numbers)
        state = replace(self.state, bitmap=own)
        accounts = {
            ADDRESS: owned(layout.PROGRAM_ID, layout.encode_pool(state)),
            state.config: owned(layout.PROGRAM_ID, layout.encode_config(self.config)),
            state.observation: owned(layout.PROGRAM_ID, self.observation),
            layout.bitmap_extension_address(ADDRESS): owned(layout.PROGRAM_ID, extension),
        }
        for number in numbers:
            start = number * tick_arrays.TICKS_PER_ARRAY * spacing
            inside = [tick for tick in self.ticks if array_number(tick.tick_index, spacing) == number]
            data = tick_array_data(start, inside, spacing)
            accounts[layout.tick_array_address(ADDRESS, start)] = owned(layout.PROGRAM_ID, data)
        for mint, vault, decimals, amount in zip(
            state.mints, state.vaults, state.decimals, self.vault_amounts, strict=True
        ):
            accounts[mint] = owned(TOKEN_PROGRAM, mint_data(decimals))
            accounts[vault] = owned(TOKEN_PROGRAM, token_account_data(mint, ADDRESS, amount))
        changed = {key: self.others.get(key, account) for key, account in (accounts | dict(self.others)).items()}
        return {key: account for key, account in changed.items() if account is not None}

    def snapshot(self) -> AccountSnapshot:
        return AccountSnapshot(slot=5, unix_timestamp=NOW, epoch=EPOCH, accounts=self.accounts())

    def pool(self) -> RaydiumClmmPool:
        return RaydiumClmmPool.decode(ADDRESS, self.snapshot())

    def ledger(self, side_in: int) -> TokenLedger:
        """Return the accounts with the trader's two beside them."""
        accounts = self.accounts()
        for address, mint, amount in (
            (TRADER.token_account_in, MINTS[side_in], self.trader_balance),
            (TRADER.token_account_out, MINTS[1 - side_in], 0),
        ):
            accounts[address] = owned(TOKEN_PROGRAM, token_account_data(mint, TRADER.owner, amount))
        return TokenLedger(accounts, EPOCH)


def with_state(world: World, **changes: object) -> World:
    return replace(world, state=replace(world.state, **changes))  # type: ignore[arg-type]


def request(amount_in: int, side_in: int = 0) -> SwapRequest:
    return SwapRequest(token_in=MINTS[side_in], token_out=MINTS[1 - side_in], amount_in=amount_in)


def exact_out_request(amount_out: int, side_in: int = 0) -> ExactOutRequest:
    return ExactOutRequest(token_in=MINTS[side_in], token_out=MINTS[1 - side_in], amount_out=amount_out)


def execute(ledger: TokenLedger, instruction: Instruction, unix_timestamp: int = NOW, epoch: int = EPOCH) -> None:
    """Carry the instruction out on the ledger."""
    clock = Clock(5, unix_timestamp, epoch, epoch, unix_timestamp)
    metas = instruction.accounts
    effects = RaydiumClmm().execute(bytes(instruction.data), metas, ledger.accounts.get, clock)
    for transfer in effects.transfers:
        ledger.transfer(transfer)
    for address, changed in effects.accounts.items():
        ledger.write(address, changed)
