"""Mints, token accounts and pools of the default world, with the byte layouts of the real programs."""

import struct
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from solders.account import Account
from solders.pubkey import Pubkey

from order_engine.domain.tokens import (
    TOKEN_2022_PROGRAM,
    TOKEN_ACCOUNT_RENT_LAMPORTS,
    TOKEN_PROGRAM,
    WRAPPED_SOL,
    Token,
)
from order_engine.papernet.images import image, rent_exempt_lamports
from order_engine.venues.meteora_damm_v2 import layout as damm
from order_engine.venues.meteora_damm_v2.fresh_pool import fresh_pool
from order_engine.venues.meteora_dlmm import layout as dlmm
from order_engine.venues.meteora_dlmm.arrays import encode_extension
from order_engine.venues.meteora_dlmm.fresh_pool import bin_id_of, empty_oracle, spread
from order_engine.venues.meteora_dlmm.fresh_pool import fresh_pool as fresh_dlmm_pool
from order_engine.venues.raydium_amm_v4 import layout as amm_v4
from order_engine.venues.raydium_clmm import layout as clmm
from order_engine.venues.raydium_clmm.fresh_pool import around, empty_observation, sqrt_price_of
from order_engine.venues.raydium_clmm.fresh_pool import fresh_pool as fresh_clmm_pool
from order_engine.venues.raydium_cpmm import layout as cpmm

CPMM_CONFIG: Final = cpmm.config_address(0)
CPMM_TRADE_FEE_RATE: Final = 2_500  # millionths
DAMM_FEE_NUMERATOR: Final = 2_500_000  # of 10^9
DLMM_BIN_STEP, DLMM_BASE_FACTOR, DLMM_BINS_PER_SIDE = 20, 10_000, 100  # 0.2 % and what volatility adds
DLMM_VARIABLE_FEE_CONTROL: Final = 40_000
CLMM_TIGHT, CLMM_CLOSE, CLMM_WIDE = 4, 3, 1  # configs: for prices that stay together, nearly do, and wander
CLMM_TERMS: Final = MappingProxyType({CLMM_TIGHT: (100, 1), CLMM_CLOSE: (500, 10), CLMM_WIDE: (2_500, 60)})
CLMM_WIDTHS: Final = (900, 13_860)  # ticks to each side: 9 %, fourfold; few, as each is another account of a swap
_MINT: Final = struct.Struct("<I32sQBBI32s")
_INITIALIZED: Final = 1
_TRANSFER_FEE_CONFIG: Final = struct.pack("<HH", 1, 108) + bytes(108)  # no authorities, no fee
_TRANSFER_FEE_AMOUNT: Final = struct.pack("<HHQ", 2, 8, 0)
_MINT_TYPE, _ACCOUNT_TYPE = b"\x01", b"\x02"
_EXTENSIONS_AT: Final = 165


def mint_account(token: Token, supply: int) -> Account:
    data = _MINT.pack(0, bytes(32), supply, token.decimals, _INITIALIZED, 0, bytes(32))
    if token.token_program == TOKEN_2022_PROGRAM:
        data = data.ljust(_EXTENSIONS_AT, b"\0") + _MINT_TYPE + _TRANSFER_FEE_CONFIG
    return image(token.token_program, data)


def token_account(token: Token, owner: Pubkey, amount: int) -> Account:
    data = bytearray(_EXTENSIONS_AT)
    data[0:32], data[32:64], data[64:72], data[108] = (
        bytes(token.mint),
        bytes(owner),
        amount.to_bytes(8, "little"),
        _INITIALIZED,
    )
    if token.mint == WRAPPED_SOL:
        data[109:121] = struct.pack("<IQ", 1, TOKEN_ACCOUNT_RENT_LAMPORTS)
        return image(TOKEN_PROGRAM, bytes(data), TOKEN_ACCOUNT_RENT_LAMPORTS + amount)
    extensions = _ACCOUNT_TYPE + _TRANSFER_FEE_AMOUNT if token.token_program == TOKEN_2022_PROGRAM else b""
    whole = bytes(data) + extensions
    return image(token.token_program, whole, rent_exempt_lamports(len(whole)))


def cpmm_config(authority: Pubkey) -> tuple[Pubkey, Account]:
    config = cpmm.AmmConfig(
        index=0,
        trade_fee_rate=CPMM_TRADE_FEE_RATE,
        protocol_fee_rate=120_000,
        fund_fee_rate=40_000,
        protocol_owner=authority,
        fund_owner=authority,
    )
    return CPMM_CONFIG, image(cpmm.PROGRAM_ID, cpmm.encode_config(config))


def cpmm_pool(
    tokens: tuple[Token, Token], reserves: tuple[int, int], creator: Pubkey
) -> Iterator[tuple[Pubkey, Account]]:
    """Yield the pool's accounts, the pool itself first."""
    lp_supply = min(reserves)
    address, state = cpmm.new_pool(tokens, config=CPMM_CONFIG, creator=creator, lp_supply=lp_supply)
    yield address, image(cpmm.PROGRAM_ID, cpmm.encode_pool(state))
    yield state.observation, image(cpmm.PROGRAM_ID, cpmm.empty_observation(address))
    yield state.lp_mint, mint_account(Token(state.lp_mint, "", state.lp_decimals, TOKEN_PROGRAM), lp_supply)
    for token, amount in zip(tokens, reserves, strict=True):
        yield cpmm.vault_address(address, token.mint), token_account(token, cpmm.AUTHORITY, amount)


def amm_v4_pool(
    tokens: tuple[Token, Token], reserves: tuple[int, int], owner: Pubkey
) -> Iterator[tuple[Pubkey, Account]]:
    """Yield the pool's accounts, the pool itself first. Its market names it and does not exist."""
    lp_supply = min(reserves)
    pair = [bytes(token.mint) for token in tokens]
    market, _ = Pubkey.find_program_address(pair, amm_v4.OPENBOOK_PROGRAM)
    address, state = amm_v4.new_pool(tokens, market=market, owner=owner, lp_amount=lp_supply)
    yield address, image(amm_v4.PROGRAM_ID, amm_v4.encode_pool(state))
    yield state.lp_mint, mint_account(Token(state.lp_mint, "", state.decimals[0], TOKEN_PROGRAM), lp_supply)
    for token, vault, amount in zip(tokens, state.vaults, reserves, strict=True):
        yield vault, token_account(token, amm_v4.AUTHORITY, amount)


def damm_pool(tokens: tuple[Token, Token], reserves: tuple[int, int]) -> Iterator[tuple[Pubkey, Account]]:
    """Yield the pool's accounts, the pool itself first."""
    token_a, token_b = tokens
    address = damm.custom_pool_address(token_a.mint, token_b.mint)
    state = fresh_pool(
        address,
        mints=(token_a.mint, token_b.mint),
        reserves=reserves,
        fee_numerator=DAMM_FEE_NUMERATOR,
        token_flags=(_flag(token_a), _flag(token_b)),
    )
    yield address, image(damm.PROGRAM_ID, damm.encode_pool(state))
    yield state.vault_a, token_account(token_a, damm.POOL_AUTHORITY, state.token_a_amount)
    yield state.vault_b, token_account(token_b, damm.POOL_AUTHORITY, state.token_b_amount)


def dlmm_pool(tokens: tuple[Token, Token], reserves: tuple[int, int]) -> Iterator[tuple[Pubkey, Account]]:
    """Yield the pool's accounts, the pool itself first."""
    token_x, token_y = tokens
    address = dlmm.pair_address(token_x.mint, token_y.mint, DLMM_BIN_STEP, DLMM_BASE_FACTOR)
    active_id = bin_id_of(*reserves, DLMM_BIN_STEP)
    pool = fresh_dlmm_pool(
        address,
        mints=(token_x.mint, token_y.mint),
        bins=spread(reserves, active_id, DLMM_BINS_PER_SIDE),
        active_id=active_id,
        bin_step=DLMM_BIN_STEP,
        base_factor=DLMM_BASE_FACTOR,
        variable_fee_control=DLMM_VARIABLE_FEE_CONTROL,
        token_flags=(_flag(token_x), _flag(token_y)),
    )
    yield address, image(dlmm.PROGRAM_ID, dlmm.encode_pair(pool.state))
    yield pool.state.oracle, image(dlmm.PROGRAM_ID, empty_oracle())
    for index, data in pool.arrays.items():
        yield dlmm.array_address(address, index), image(dlmm.PROGRAM_ID, data)
    if pool.extension is not None:
        yield dlmm.extension_address(address), image(dlmm.PROGRAM_ID, encode_extension(address, pool.extension))
    for token, amount in zip(tokens, reserves, strict=True):
        yield dlmm.reserve_address(address, token.mint), token_account(token, address, amount)


def clmm_configs(owner: Pubkey) -> Iterator[tuple[Pubkey, Account]]:
    for index in CLMM_TERMS:
        data = clmm.encode_config(_clmm_config(index, owner))
        yield clmm.config_address(index), image(clmm.PROGRAM_ID, data)


def clmm_pool(
    tokens: tuple[Token, Token], reserves: tuple[int, int], config_index: int, owner: Pubkey
) -> Iterator[tuple[Pubkey, Account]]:
    """Yield the pool's accounts, the pool itself first."""
    (token_0, amount_0), (token_1, amount_1) = sorted(
        zip(tokens, reserves, strict=True), key=lambda held: bytes(held[0].mint)
    )
    config, price = _clmm_config(config_index, owner), sqrt_price_of(amount_0, amount_1)
    address = clmm.pool_address(clmm.config_address(config_index), token_0.mint, token_1.mint)
    pool = fresh_clmm_pool(
        config,
        mints=(token_0.mint, token_1.mint),
        decimals=(token_0.decimals, token_1.decimals),
        sqrt_price_x64=price,
        positions=around((amount_0, amount_1), price, config.tick_spacing, CLMM_WIDTHS),
    )
    yield address, image(clmm.PROGRAM_ID, clmm.encode_pool(pool.state))
    yield pool.state.observation, image(clmm.PROGRAM_ID, empty_observation(address))
    for start, data in pool.arrays.items():
        yield clmm.tick_array_address(address, start), image(clmm.PROGRAM_ID, data)
    if pool.extension is not None:
        yield clmm.bitmap_extension_address(address), image(clmm.PROGRAM_ID, pool.extension)
    for token, amount in ((token_0, amount_0), (token_1, amount_1)):
        yield clmm.vault_address(address, token.mint), token_account(token, address, amount)


def _clmm_config(index: int, owner: Pubkey) -> clmm.AmmConfig:
    trade_fee_rate, tick_spacing = CLMM_TERMS[index]
    return clmm.AmmConfig(
        index=index,
        owner=owner,
        protocol_fee_rate=120_000,
        trade_fee_rate=trade_fee_rate,
        tick_spacing=tick_spacing,
        fund_fee_rate=40_000,
        fund_owner=owner,
    )


def _flag(token: Token) -> int:
    return int(token.token_program == TOKEN_2022_PROGRAM)
