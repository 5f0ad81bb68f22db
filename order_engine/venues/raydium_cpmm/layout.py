"""Accounts and addresses of the Raydium CPMM program, as bytes and as values.

Source: raydium-io/raydium-cp-swap (Apache-2.0), programs/cp-swap/src/states/{pool,config,oracle}.rs, commit 609780f.
Pairs are always (token 0, token 1), and the mint of token 0 is the smaller one in byte order.
"""

import struct
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.domain.tokens import Token

PROGRAM_ID: Final = Pubkey.from_string("CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C")
AUTHORITY: Final = Pubkey.from_string("GpMZbSM2GgvTKHJirzeGfMFoaZ8UR2X7F4v8vHTvxFbL")  # owns all vaults and LP mints
AUTHORITY_BUMP: Final = 253

POOL_DISCRIMINATOR: Final = bytes.fromhex("f7ede3f5d7c3de46")
CONFIG_DISCRIMINATOR: Final = bytes.fromhex("daf42168cbcb2b6f")
OBSERVATION_DISCRIMINATOR: Final = bytes.fromhex("7aaec5358109a584")
POOL_SIZE, CONFIG_SIZE, OBSERVATION_SIZE = 637, 236, 4075
MINT_0_OFFSET, MINT_1_OFFSET = 168, 200

SWAP_DISABLED: Final = 4  # bit of PoolState.status
FEE_ON_BOTH, FEE_ON_TOKEN_0, FEE_ON_TOKEN_1 = 0, 1, 2

# 0 discriminator; 8 config, 40 creator, 72 vaults, 136 LP mint, 168 mints, 232 token programs, 296 observation;
# 328 authority bump, status, LP decimals, decimals; 333 LP supply, 341 protocol fees, 357 fund fees, 373 open time,
# 381 recent epoch; 389 creator fee on, enabled; 397 creator fees; 413 unused
_POOL: Final = struct.Struct("<8s" + 10 * "32s" + "5B7QBB6x2Q224x")
_EARNED_FEES, _RECENT_EPOCH, _CREATOR_FEES = 341, 381, 397
# 0 discriminator; 8 bump, 9 pool creation disabled, 10 index; 12 trade, 20 protocol, 28 fund rate; 36 fee for a new
# pool; 44 protocol owner, 76 fund owner; 108 creator rate; 116 unused
_CONFIG: Final = struct.Struct("<8sBBH4Q32s32sQ120x")
# 0 discriminator; 8 initialized, 9 index, 11 pool; 43 observations; 4043 time of the last update, then unused
_OBSERVATION_HEAD: Final = struct.Struct("<8s?H32s")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """A pool account. Fee counters are owed to others and are no part of the pool's reserves."""

    config: Pubkey
    creator: Pubkey
    vaults: tuple[Pubkey, Pubkey]
    lp_mint: Pubkey
    mints: tuple[Pubkey, Pubkey]
    token_programs: tuple[Pubkey, Pubkey]
    observation: Pubkey
    authority_bump: int = AUTHORITY_BUMP
    status: int = 0  # bits 0 deposit, 1 withdraw, 2 swap: set is disabled
    lp_decimals: int = 9
    decimals: tuple[int, int]
    lp_supply: int
    protocol_fees: tuple[int, int] = (0, 0)
    fund_fees: tuple[int, int] = (0, 0)
    open_time: int = 0  # unix seconds
    recent_epoch: int = 0
    creator_fee_on: int = FEE_ON_BOTH
    is_creator_fee_enabled: bool = False
    creator_fees: tuple[int, int] = (0, 0)

    def owed(self, side: int) -> int:
        """Return how much of the vault of token 0 or 1 belongs to protocol, fund and creator."""
        return self.protocol_fees[side] + self.fund_fees[side] + self.creator_fees[side]

    def is_creator_fee_on_input(self, side_in: int) -> bool:
        return self.creator_fee_on in (FEE_ON_BOTH, FEE_ON_TOKEN_0 + side_in)


@dataclass(frozen=True, slots=True, kw_only=True)
class AmmConfig:
    """Fees shared by many pools. Trade and creator rates are millionths of the amount, the others of the trade fee."""

    bump: int = 255
    is_pool_creation_disabled: bool = False
    index: int
    trade_fee_rate: int
    protocol_fee_rate: int
    fund_fee_rate: int
    create_pool_fee_lamports: int = 0
    protocol_owner: Pubkey
    fund_owner: Pubkey
    creator_fee_rate: int = 0


def config_address(index: int) -> Pubkey:
    return _address(b"amm_config", index.to_bytes(2, "big"))


def pool_address(config: Pubkey, mint_0: Pubkey, mint_1: Pubkey) -> Pubkey:
    """Return where the program creates the pool by default; pools may also live at other addresses."""
    return _address(b"pool", bytes(config), bytes(mint_0), bytes(mint_1))


def vault_address(pool: Pubkey, mint: Pubkey) -> Pubkey:
    return _address(b"pool_vault", bytes(pool), bytes(mint))


def observation_address(pool: Pubkey) -> Pubkey:
    return _address(b"observation", bytes(pool))


def lp_mint_address(pool: Pubkey) -> Pubkey:
    return _address(b"pool_lp_mint", bytes(pool))


def authority_address() -> Pubkey:
    """Derive AUTHORITY."""
    return _address(b"vault_and_lp_mint_auth_seed")


def _address(*seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), PROGRAM_ID)[0]


def new_pool(
    tokens: tuple[Token, Token], *, config: Pubkey, creator: Pubkey, lp_supply: int
) -> tuple[Pubkey, PoolState]:
    """Return address and state of an open pool of two tokens, given in any order, that nobody has traded on.

    The vaults (token accounts of AUTHORITY) and the observation account still have to be created at the addresses
    in the state.
    """
    token_0, token_1 = sorted(tokens, key=lambda token: bytes(token.mint))
    address = pool_address(config, token_0.mint, token_1.mint)
    state = PoolState(
        config=config,
        creator=creator,
        vaults=(vault_address(address, token_0.mint), vault_address(address, token_1.mint)),
        lp_mint=lp_mint_address(address),
        mints=(token_0.mint, token_1.mint),
        token_programs=(token_0.token_program, token_1.token_program),
        observation=observation_address(address),
        decimals=(token_0.decimals, token_1.decimals),
        lp_supply=lp_supply,
    )
    return address, state


def decode_pool(address: Pubkey, account: Account) -> PoolState:
    """Read a pool account.

    Raises:
        PoolUnreadable: it is not one, or its creator fee mode is unknown.
    """
    _check(address, account, POOL_DISCRIMINATOR, POOL_SIZE)
    values = _POOL.unpack(account.data)
    config, creator, vault_0, vault_1, lp_mint, mint_0, mint_1, program_0, program_1, observation = map(
        Pubkey, values[1:11]
    )
    bump, status, lp_decimals, decimals_0, decimals_1 = values[11:16]
    lp_supply, protocol_0, protocol_1, fund_0, fund_1, open_time, recent_epoch = values[16:23]
    creator_fee_on, enabled, creator_0, creator_1 = values[23:]
    if creator_fee_on > FEE_ON_TOKEN_1:
        raise PoolUnreadable(f"pool {address} has the unknown creator fee mode {creator_fee_on}")
    return PoolState(
        config=config,
        creator=creator,
        vaults=(vault_0, vault_1),
        lp_mint=lp_mint,
        mints=(mint_0, mint_1),
        token_programs=(program_0, program_1),
        observation=observation,
        authority_bump=bump,
        status=status,
        lp_decimals=lp_decimals,
        decimals=(decimals_0, decimals_1),
        lp_supply=lp_supply,
        protocol_fees=(protocol_0, protocol_1),
        fund_fees=(fund_0, fund_1),
        open_time=open_time,
        recent_epoch=recent_epoch,
        creator_fee_on=creator_fee_on,
        is_creator_fee_enabled=enabled != 0,
        creator_fees=(creator_0, creator_1),
    )


def encode_pool(state: PoolState) -> bytes:
    """Return the pool account's data, unused bytes zero."""
    keys = (state.config, state.creator, *state.vaults, state.lp_mint, *state.mints, *state.token_programs)
    return _POOL.pack(
        POOL_DISCRIMINATOR,
        *map(bytes, (*keys, state.observation)),
        state.authority_bump,
        state.status,
        state.lp_decimals,
        *state.decimals,
        state.lp_supply,
        *state.protocol_fees,
        *state.fund_fees,
        state.open_time,
        state.recent_epoch,
        state.creator_fee_on,
        state.is_creator_fee_enabled,
        *state.creator_fees,
    )


def patch_pool(data: bytes, state: PoolState) -> bytes:
    """Return `data` with the fields a swap changes (the fee counters, recent_epoch) taken from `state`."""
    patched = bytearray(data)
    struct.pack_into("<4Q", patched, _EARNED_FEES, *state.protocol_fees, *state.fund_fees)
    struct.pack_into("<Q", patched, _RECENT_EPOCH, state.recent_epoch)
    struct.pack_into("<2Q", patched, _CREATOR_FEES, *state.creator_fees)
    return bytes(patched)


def decode_config(address: Pubkey, account: Account) -> AmmConfig:
    """Read a config account.

    Raises:
        PoolUnreadable: it is not one.
    """
    _check(address, account, CONFIG_DISCRIMINATOR, CONFIG_SIZE)
    _, bump, disabled, index, trade, protocol, fund, create, protocol_owner, fund_owner, creator = _CONFIG.unpack(
        account.data
    )
    return AmmConfig(
        bump=bump,
        is_pool_creation_disabled=disabled != 0,
        index=index,
        trade_fee_rate=trade,
        protocol_fee_rate=protocol,
        fund_fee_rate=fund,
        create_pool_fee_lamports=create,
        protocol_owner=Pubkey(protocol_owner),
        fund_owner=Pubkey(fund_owner),
        creator_fee_rate=creator,
    )


def encode_config(config: AmmConfig) -> bytes:
    """Return the config account's data."""
    return _CONFIG.pack(
        CONFIG_DISCRIMINATOR,
        config.bump,
        config.is_pool_creation_disabled,
        config.index,
        config.trade_fee_rate,
        config.protocol_fee_rate,
        config.fund_fee_rate,
        config.create_pool_fee_lamports,
        bytes(config.protocol_owner),
        bytes(config.fund_owner),
        config.creator_fee_rate,
    )


def empty_observation(pool: Pubkey) -> bytes:
    """Return the data of a new pool's price observations: none yet."""
    head = _OBSERVATION_HEAD.pack(OBSERVATION_DISCRIMINATOR, False, 0, bytes(pool))
    return head.ljust(OBSERVATION_SIZE, b"\0")


def _check(address: Pubkey, account: Account, discriminator: bytes, size: int) -> None:
    if account.owner != PROGRAM_ID:
        raise PoolUnreadable(f"account {address} is owned by {account.owner}, not {PROGRAM_ID}")
    if len(account.data) != size or account.data[:8] != discriminator:
        raise PoolUnreadable(f"account {address} is of another kind ({len(account.data)} bytes)")
