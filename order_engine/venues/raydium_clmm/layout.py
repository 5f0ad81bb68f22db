"""Pool and config accounts of the Raydium CLMM program, as bytes and as values, and the program's addresses.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src/states/{pool,pool_fee,config}.rs, commit 03b44b7.
Pairs are always (token 0, token 1), and the mint of token 0 is the smaller one in byte order.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.venues.raydium_clmm.volatility import DYNAMIC_FEE_SIZE, DynamicFee, decode_dynamic_fee

PROGRAM_ID: Final = Pubkey.from_string("CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK")
POOL_DISCRIMINATOR: Final = bytes.fromhex("f7ede3f5d7c3de46")
CONFIG_DISCRIMINATOR: Final = bytes.fromhex("daf42168cbcb2b6f")
POOL_SIZE, CONFIG_SIZE = 1544, 117
MINT_0_OFFSET, MINT_1_OFFSET = 73, 105
RATE_DENOMINATOR: Final = 10**6
MAX_TICK_SPACING: Final = 1_000

SWAP_DISABLED: Final = 16  # bit of PoolState.status
FEE_ON_INPUT, FEE_ON_TOKEN_0, FEE_ON_TOKEN_1 = 0, 1, 2
REWARDS_SIZE: Final = 507
BITMAP_SIZE: Final = 128

# 0 discriminator; 8 bump, 9 config, 41 owner, 73 mints, 137 vaults, 201 observation; 233 decimals, 235 tick spacing;
# 237 liquidity, 253 square-root price, 269 tick; 277 fee growth; 309 protocol fees; 389 status, 390 fee on;
# 397 rewards; 904 bitmap; 1064 fund fees; 1080 open time, 1088 recent epoch; 1096 dynamic fee; 1176 unused
_POOL: Final = struct.Struct(
    f"<8sB{7 * '32s'}BBH16s16si4x16s16sQQ64xBB6x{REWARDS_SIZE}s{BITMAP_SIZE}s32xQQQQ{DYNAMIC_FEE_SIZE}s368x"
)
_PRICE: Final = (237, struct.Struct("<16s16si"))
_FEES: Final = (277, struct.Struct("<16s16sQQ"))
_REWARDS: Final = (397, struct.Struct(f"<{REWARDS_SIZE}s"))
_BITMAP: Final = (904, struct.Struct(f"<{BITMAP_SIZE}s"))
_REST: Final = (1064, struct.Struct("<QQQQ"))
_DYNAMIC_FEE: Final = 1096
# 0 discriminator; 8 bump, 9 index, 11 owner; 43 protocol rate, 47 trade rate, 51 tick spacing, 53 fund rate;
# 61 fund owner; 93 unused
_CONFIG: Final = struct.Struct("<8sBH32sIIHI4x32s24x")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """A pool account. Fee counters are owed to others, fee growth is per unit of liquidity (Q64)."""

    bump: int = 255
    config: Pubkey
    owner: Pubkey
    mints: tuple[Pubkey, Pubkey]
    vaults: tuple[Pubkey, Pubkey]
    observation: Pubkey
    decimals: tuple[int, int]
    tick_spacing: int
    liquidity: int
    sqrt_price_x64: int
    tick_current: int
    fee_growth_x64: tuple[int, int] = (0, 0)
    protocol_fees: tuple[int, int] = (0, 0)
    status: int = 0
    fee_on: int = FEE_ON_INPUT
    rewards: bytes = bytes(REWARDS_SIZE)
    bitmap: bytes = bytes(BITMAP_SIZE)  # of the initialized tick arrays nearest to price 1
    fund_fees: tuple[int, int] = (0, 0)
    open_time: int = 0  # unix seconds
    recent_epoch: int = 0
    dynamic_fee: DynamicFee | None = None

    def is_fee_on_input(self, side_in: int) -> bool:
        return self.fee_on not in (FEE_ON_TOKEN_0, FEE_ON_TOKEN_1) or self.fee_on == FEE_ON_TOKEN_0 + side_in


@dataclass(frozen=True, slots=True, kw_only=True)
class AmmConfig:
    """Fees shared by many pools. The trade rate is millionths of an amount, the others millionths of the trade fee."""

    bump: int = 255
    index: int
    owner: Pubkey
    protocol_fee_rate: int
    trade_fee_rate: int
    tick_spacing: int
    fund_fee_rate: int
    fund_owner: Pubkey


def config_address(index: int) -> Pubkey:
    return _address(b"amm_config", index.to_bytes(2, "big"))


def pool_address(config: Pubkey, mint_0: Pubkey, mint_1: Pubkey) -> Pubkey:
    return _address(b"pool", bytes(config), bytes(mint_0), bytes(mint_1))


def vault_address(pool: Pubkey, mint: Pubkey) -> Pubkey:
    return _address(b"pool_vault", bytes(pool), bytes(mint))


def observation_address(pool: Pubkey) -> Pubkey:
    return _address(b"observation", bytes(pool))


@lru_cache(maxsize=2**12)
def tick_array_address(pool: Pubkey, start: int) -> Pubkey:
    return _address(b"tick_array", bytes(pool), start.to_bytes(4, "big", signed=True))


@lru_cache(maxsize=2**10)
def bitmap_extension_address(pool: Pubkey) -> Pubkey:
    return _address(b"pool_tick_array_bitmap_extension", bytes(pool))


def _address(*seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), PROGRAM_ID)[0]


def decode_pool(address: Pubkey, account: Account) -> PoolState:
    """Read a pool account.

    Raises:
        PoolUnreadable: it is not one, or its tick spacing is not one the program allows.
    """
    check_account(address, account, POOL_DISCRIMINATOR, POOL_SIZE)
    values = _POOL.unpack(account.data)
    config, owner, mint_0, mint_1, vault_0, vault_1, observation = map(Pubkey, values[2:9])
    decimals_0, decimals_1, spacing, liquidity, price, tick, growth_0, growth_1, protocol_0, protocol_1 = values[9:19]
    status, fee_on, rewards, bitmap, fund_0, fund_1, open_time, recent_epoch, dynamic_fee = values[19:]
    if not 1 <= spacing <= MAX_TICK_SPACING:
        raise PoolUnreadable(f"pool {address} has the tick spacing {spacing}")
    return PoolState(
        bump=values[1],
        config=config,
        owner=owner,
        mints=(mint_0, mint_1),
        vaults=(vault_0, vault_1),
        observation=observation,
        decimals=(decimals_0, decimals_1),
        tick_spacing=spacing,
        liquidity=int.from_bytes(liquidity, "little"),
        sqrt_price_x64=int.from_bytes(price, "little"),
        tick_current=tick,
        fee_growth_x64=(int.from_bytes(growth_0, "little"), int.from_bytes(growth_1, "little")),
        protocol_fees=(protocol_0, protocol_1),
        status=status,
        fee_on=fee_on,
        rewards=rewards,
        bitmap=bitmap,
        fund_fees=(fund_0, fund_1),
        open_time=open_time,
        recent_epoch=recent_epoch,
        dynamic_fee=decode_dynamic_fee(dynamic_fee),
    )


def encode_pool(state: PoolState) -> bytes:
    """Return the pool account's data, unused bytes zero."""
    keys = (state.config, state.owner, *state.mints, *state.vaults, state.observation)
    unpriced = (_u128(0), _u128(0), 0, _u128(0), _u128(0), 0, 0)
    head = (POOL_DISCRIMINATOR, state.bump, *map(bytes, keys), *state.decimals, state.tick_spacing, *unpriced)
    tail = (state.status, state.fee_on, b"", b"", 0, 0, 0, 0, b"")
    return patch_pool(_POOL.pack(*head, *tail), state)


def patch_pool(data: bytes, state: PoolState) -> bytes:
    """Return `data` with every field that may change during a pool's life taken from `state`."""
    patched = bytearray(data)
    growth_0, growth_1 = map(_u128, state.fee_growth_x64)
    for (at, fields), values in (
        (_PRICE, (_u128(state.liquidity), _u128(state.sqrt_price_x64), state.tick_current)),
        (_FEES, (growth_0, growth_1, *state.protocol_fees)),
        (_REWARDS, (state.rewards,)),
        (_BITMAP, (state.bitmap,)),
        (_REST, (*state.fund_fees, state.open_time, state.recent_epoch)),
    ):
        fields.pack_into(patched, at, *values)
    if state.dynamic_fee:
        encoded = state.dynamic_fee.encode()
        patched[_DYNAMIC_FEE : _DYNAMIC_FEE + len(encoded)] = encoded
    return bytes(patched)


def decode_config(address: Pubkey, account: Account) -> AmmConfig:
    """Read a config account.

    Raises:
        PoolUnreadable: it is not one, or its rates take more than there is.
    """
    check_account(address, account, CONFIG_DISCRIMINATOR, CONFIG_SIZE)
    _, bump, index, owner, protocol, trade, spacing, fund, fund_owner = _CONFIG.unpack(account.data)
    if trade >= RATE_DENOMINATOR or protocol + fund > RATE_DENOMINATOR:
        raise PoolUnreadable(f"config {address} takes {trade} millionths, {protocol} + {fund} of them for itself")
    return AmmConfig(
        bump=bump,
        index=index,
        owner=Pubkey(owner),
        protocol_fee_rate=protocol,
        trade_fee_rate=trade,
        tick_spacing=spacing,
        fund_fee_rate=fund,
        fund_owner=Pubkey(fund_owner),
    )


def encode_config(config: AmmConfig) -> bytes:
    """Return the config account's data."""
    return _CONFIG.pack(
        CONFIG_DISCRIMINATOR,
        config.bump,
        config.index,
        bytes(config.owner),
        config.protocol_fee_rate,
        config.trade_fee_rate,
        config.tick_spacing,
        config.fund_fee_rate,
        bytes(config.fund_owner),
    )


def check_account(address: Pubkey, account: Account, discriminator: bytes, size: int) -> None:
    """Check that the program owns the account and that it is of one kind.

    Raises:
        PoolUnreadable: it does not, or it is not.
    """
    if account.owner != PROGRAM_ID:
        raise PoolUnreadable(f"account {address} is owned by {account.owner}, not {PROGRAM_ID}")
    if len(account.data) != size or account.data[:8] != discriminator:
        raise PoolUnreadable(f"account {address} is of another kind ({len(account.data)} bytes)")


def _u128(value: int) -> bytes:
    return value.to_bytes(16, "little")
