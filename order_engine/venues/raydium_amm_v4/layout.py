"""Accounts and addresses of the Raydium AMM v4 program, as bytes and as values.

Source: raydium-io/raydium-amm (Apache-2.0), program/src/{state,processor}.rs, commit 27f461d.
Pairs are always (coin, pc); which mint is which was up to the pool's creator. Accounts have no discriminator.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.domain.tokens import Token

PROGRAM_ID: Final = Pubkey.from_string("675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8")
AUTHORITY: Final = Pubkey.from_string("5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1")  # owns vaults and LP mints
AUTHORITY_NONCE: Final = 254
OPENBOOK_PROGRAM: Final = Pubkey.from_string("srmqPvymJeFKQ4zGQed1GFppgkRHL9kaELCbyksJtPX")

POOL_SIZE: Final = 752
COIN_MINT_OFFSET, PC_MINT_OFFSET = 400, 432

UNINITIALIZED, INITIALIZED, SWAP_ONLY, WAITING_TRADE = 0, 1, 6, 7  # 2 to 5 do not trade
TRADING: Final = frozenset({INITIALIZED, SWAP_ONLY, WAITING_TRADE})
_LAST_STATUS: Final = WAITING_TRADE

# 0 status, nonce; 32 decimals; 176 swap fee numerator, denominator; 192 pnl not yet taken; 224 open time;
# 336 vaults, 400 mints, 464 LP mint, open orders, market, market program, target orders; 688 owner; 720 LP amount;
# 736 recent epoch
_POOL: Final = struct.Struct("<2Q16x2Q128x2Q2Q16xQ104x" + 9 * "32s" + "64x32sQ8xQ8x")
_STATUS, _RECENT_EPOCH = 0, 736
# what the program writes into a new pool and never looks at in a swap
_ORDER_NUM_AND_DEPTH: Final = (16, struct.pack("<2Q", 7, 3))
# 48 state idle, reset no, min size, volume cut; 80 amount wave, lot sizes; 104 price multipliers, 120 decimal value
_PLANNING: Final = (48, struct.Struct("<10Q"))
# 128 minimal separation, trade fee, share of pnl
_OTHER_FEES: Final = (128, struct.pack("<6Q", 5, 10_000, 25, 10_000, 12, 100))


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """A pool account. The pnl not yet taken belongs to the protocol and is no part of the pool's reserves."""

    status: int = SWAP_ONLY
    nonce: int = AUTHORITY_NONCE
    decimals: tuple[int, int]
    swap_fee_numerator: int = 25
    swap_fee_denominator: int = 10_000
    need_take_pnl: tuple[int, int] = (0, 0)
    open_time: int = 0  # unix seconds; counts while the status is WAITING_TRADE
    vaults: tuple[Pubkey, Pubkey]
    mints: tuple[Pubkey, Pubkey]
    lp_mint: Pubkey
    open_orders: Pubkey
    market: Pubkey
    market_program: Pubkey
    target_orders: Pubkey
    owner: Pubkey
    lp_amount: int
    recent_epoch: int = 0


def authority_address(nonce: int) -> Pubkey:
    """Return who owns the vaults of a pool with this nonce, of which the program looks at the lowest byte.

    Raises:
        PoolUnreadable: no address belongs to it.
    """
    if nonce == AUTHORITY_NONCE:
        return AUTHORITY
    seeds = b"amm authority" + bytes([nonce & 0xFF]) + bytes(PROGRAM_ID) + b"ProgramDerivedAddress"
    address = Pubkey(sha256(seeds).digest())
    if address.is_on_curve():
        raise PoolUnreadable(f"no authority has the nonce {nonce}")
    return address


def pool_address(market: Pubkey) -> Pubkey:
    """Return where the program creates the pool of a market; old pools live at other addresses."""
    return _address(market, b"amm_associated_seed")


def _address(market: Pubkey, seed: bytes) -> Pubkey:
    return Pubkey.find_program_address([bytes(PROGRAM_ID), bytes(market), seed], PROGRAM_ID)[0]


def new_pool(tokens: tuple[Token, Token], *, market: Pubkey, owner: Pubkey, lp_amount: int) -> tuple[Pubkey, PoolState]:
    """Return address and state of an open pool of (coin, pc) that nobody has traded on.

    The vaults (token accounts of AUTHORITY) still have to be created at the addresses in the state.
    """
    coin, pc = tokens
    state = PoolState(
        decimals=(coin.decimals, pc.decimals),
        vaults=(_address(market, b"coin_vault_associated_seed"), _address(market, b"pc_vault_associated_seed")),
        mints=(coin.mint, pc.mint),
        lp_mint=_address(market, b"lp_mint_associated_seed"),
        open_orders=_address(market, b"open_order_associated_seed"),
        market=market,
        market_program=OPENBOOK_PROGRAM,
        target_orders=_address(market, b"target_associated_seed"),
        owner=owner,
        lp_amount=lp_amount,
    )
    return pool_address(market), state


def decode_pool(address: Pubkey, account: Account) -> PoolState:
    """Read a pool account.

    Raises:
        PoolUnreadable: it is not one, or none in use, or its status is unknown, or both its tokens are the same.
    """
    if account.owner != PROGRAM_ID:
        raise PoolUnreadable(f"account {address} is owned by {account.owner}, not {PROGRAM_ID}")
    if len(account.data) != POOL_SIZE:
        raise PoolUnreadable(f"account {address} is of another kind ({len(account.data)} bytes)")
    values = _POOL.unpack(account.data)
    coin_vault, pc_vault, coin_mint, pc_mint, *others, owner = map(Pubkey, values[9:19])
    lp_mint, open_orders, market, market_program, target_orders = others
    if not UNINITIALIZED < values[0] <= _LAST_STATUS:
        raise PoolUnreadable(f"pool {address} has the status {values[0]}, which no pool in use has")
    if coin_mint == pc_mint:
        raise PoolUnreadable(f"pool {address} has {coin_mint} on both sides")
    return PoolState(
        status=values[0],
        nonce=values[1],
        decimals=values[2:4],
        swap_fee_numerator=values[4],
        swap_fee_denominator=values[5],
        need_take_pnl=values[6:8],
        open_time=values[8],
        vaults=(coin_vault, pc_vault),
        mints=(coin_mint, pc_mint),
        lp_mint=lp_mint,
        open_orders=open_orders,
        market=market,
        market_program=market_program,
        target_orders=target_orders,
        owner=owner,
        lp_amount=values[19],
        recent_epoch=values[20],
    )


def encode_pool(state: PoolState) -> bytes:
    """Return the pool account's data; what PoolState does not name is as in a new pool."""
    keys = (*state.vaults, *state.mints, state.lp_mint, state.open_orders, state.market, state.market_program)
    data = bytearray(
        _POOL.pack(
            state.status,
            state.nonce,
            *state.decimals,
            state.swap_fee_numerator,
            state.swap_fee_denominator,
            *state.need_take_pnl,
            state.open_time,
            *map(bytes, (*keys, state.target_orders, state.owner)),
            state.lp_amount,
            state.recent_epoch,
        )
    )
    decimal_value = 10 ** max(state.decimals)
    planning = (1, 1, 0, 500, decimal_value * 5 // 1_000, 0, 0, 1, 10**9, decimal_value)
    offset, form = _PLANNING
    form.pack_into(data, offset, *planning)
    for offset, constants in (_ORDER_NUM_AND_DEPTH, _OTHER_FEES):
        data[offset : offset + len(constants)] = constants
    return bytes(data)


def patch_pool(data: bytes, state: PoolState) -> bytes:
    """Return `data` with the fields a swap changes (status, recent_epoch) taken from `state`."""
    patched = bytearray(data)
    struct.pack_into("<Q", patched, _STATUS, state.status)
    struct.pack_into("<Q", patched, _RECENT_EPOCH, state.recent_epoch)
    return bytes(patched)
