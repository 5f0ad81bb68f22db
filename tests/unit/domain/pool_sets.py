"""Pools of all venues over a few tokens, decoded from accounts made from scratch: what routes are searched in."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.market import MarketView
from order_engine.domain.pool import Account, AccountSnapshot, Pool
from order_engine.domain.tokens import TOKEN_PROGRAM, TOKENS_BY_SYMBOL, Token
from order_engine.papernet.token_ledger import token_account_data
from order_engine.venues.meteora_damm_v2 import fresh_pool as damm_fresh
from order_engine.venues.meteora_damm_v2 import layout as damm
from order_engine.venues.meteora_damm_v2.pool import MeteoraDammV2Pool
from order_engine.venues.meteora_dlmm import fresh_pool as dlmm_fresh
from order_engine.venues.meteora_dlmm import layout as dlmm
from order_engine.venues.meteora_dlmm.arrays import encode_extension
from order_engine.venues.meteora_dlmm.pool import MeteoraDlmmPool
from order_engine.venues.raydium_amm_v4 import layout as amm_v4
from order_engine.venues.raydium_amm_v4.pool import RaydiumAmmV4Pool
from order_engine.venues.raydium_clmm import fresh_pool as clmm_fresh
from order_engine.venues.raydium_clmm import layout as clmm
from order_engine.venues.raydium_clmm.pool import RaydiumClmmPool
from order_engine.venues.raydium_cpmm import layout as cpmm
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool

SLOT: Final = 5_000
NOW: Final = 1_753_000_000
EPOCH: Final = 810
OWNER: Final = Pubkey([7] * 32)
VENUE_NAMES: Final = ("raydium_amm_v4", "raydium_cpmm", "raydium_clmm", "meteora_dlmm", "meteora_damm_v2")
MICRO_USD: Final = {"SOL": 150_000_000, "USDC": 1_000_000, "USDT": 1_000_000, "JUP": 500_000, "RAY": 2_500_000}
FIVE_TOKENS: Final = tuple(TOKENS_BY_SYMBOL[symbol] for symbol in MICRO_USD)

_CLMM_WIDTHS: Final = (600, 2_400, 13_860)
_DLMM_BINS_PER_SIDE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a pool is made of. `number` tells pools of the same pair and venue apart."""

    venue: str
    tokens: tuple[Token, Token]
    reserves: tuple[int, int]
    fee_bps: int
    number: int = 0
    slot: int = SLOT


@cache
def pool_of(terms: Terms) -> Pool:
    """Return an open pool. DLMM spreads the reserves over its bins, CLMM over three positions."""
    return {
        "raydium_amm_v4": _amm_v4,
        "raydium_cpmm": _cpmm,
        "raydium_clmm": _clmm,
        "meteora_dlmm": _dlmm,
        "meteora_damm_v2": _damm,
    }[terms.venue](terms)


def sixty_pools(seed: int = 1) -> MarketView:
    """Return a market of five tokens in which every pair has six pools."""
    return seeded_market(FIVE_TOKENS, 6, seed)


@cache
def seeded_market(tokens: tuple[Token, ...], pools_per_pair: int, seed: int) -> MarketView:
    """Return pools of every pair, of all venues, deep and shallow, at prices up to 0.6 % apart."""
    chance = random.Random(seed)  # noqa: S311 a seed must give the same pools again
    pools = []
    for pair in combinations(tokens, 2):
        for number in range(pools_per_pair):
            usd = chance.choice((30_000, 100_000, 400_000, 2_000_000))
            skew = chance.randint(9_970, 10_030)
            reserves = (worth(pair[0], usd), worth(pair[1], usd) * skew // 10_000)
            venue = VENUE_NAMES[number % len(VENUE_NAMES)]
            fee_bps = chance.choice((5, 10, 25, 30))
            pools.append(pool_of(Terms(venue=venue, tokens=pair, reserves=reserves, fee_bps=fee_bps, number=number)))
    return MarketView(slot=SLOT, pools=pools)


def worth(token: Token, usd: int) -> int:
    one: int = 10**token.decimals
    return usd * 10**6 * one // MICRO_USD[token.symbol]


def _amm_v4(terms: Terms) -> Pool:
    market_key = _key(terms, b"market")
    address, state = amm_v4.new_pool(terms.tokens, market=market_key, owner=OWNER, lp_amount=10**6)
    state = replace(state, swap_fee_numerator=terms.fee_bps)
    accounts = {
        address: _owned(amm_v4.PROGRAM_ID, amm_v4.encode_pool(state)),
        **_vaults(state.mints, state.vaults, terms.reserves, amm_v4.AUTHORITY),
    }
    return RaydiumAmmV4Pool.decode(address, _snapshot(terms, accounts))


def _cpmm(terms: Terms) -> Pool:
    config = cpmm.AmmConfig(
        index=terms.number,
        trade_fee_rate=terms.fee_bps * 100,
        protocol_fee_rate=120_000,
        fund_fee_rate=40_000,
        protocol_owner=OWNER,
        fund_owner=OWNER,
    )
    at = cpmm.config_address(terms.number)
    address, state = cpmm.new_pool(terms.tokens, config=at, creator=OWNER, lp_supply=10**6)
    accounts = {
        address: _owned(cpmm.PROGRAM_ID, cpmm.encode_pool(state)),
        at: _owned(cpmm.PROGRAM_ID, cpmm.encode_config(config)),
        **_vaults(state.mints, state.vaults, _sorted_reserves(terms), cpmm.AUTHORITY),
    }
    return RaydiumCpmmPool.decode(address, _snapshot(terms, accounts))


def _damm(terms: Terms) -> Pool:
    address = _key(terms, b"damm")
    mint_a, mint_b = (token.mint for token in terms.tokens)
    state = damm_fresh.fresh_pool(
        address, mints=(mint_a, mint_b), reserves=terms.reserves, fee_numerator=terms.fee_bps * 100_000
    )
    held = (state.token_a_amount, state.token_b_amount)
    accounts = {
        address: _owned(damm.PROGRAM_ID, damm.encode_pool(state)),
        **_vaults((mint_a, mint_b), (state.vault_a, state.vault_b), held, damm.POOL_AUTHORITY),
    }
    return MeteoraDammV2Pool.decode(address, _snapshot(terms, accounts))


def _dlmm(terms: Terms) -> Pool:
    address = _key(terms, b"dlmm")
    mint_x, mint_y = (token.mint for token in terms.tokens)
    step = 20
    active_id = dlmm_fresh.bin_id_of(*terms.reserves, step)
    pool = dlmm_fresh.fresh_pool(
        address,
        mints=(mint_x, mint_y),
        bins=dlmm_fresh.spread(terms.reserves, active_id, _DLMM_BINS_PER_SIDE),
        active_id=active_id,
        bin_step=step,
        base_factor=terms.fee_bps * 10_000 // step,
        variable_fee_control=40_000,
    )
    accounts = {
        address: _owned(dlmm.PROGRAM_ID, dlmm.encode_pair(pool.state)),
        **{dlmm.array_address(address, at): _owned(dlmm.PROGRAM_ID, data) for at, data in pool.arrays.items()},
        **_vaults((mint_x, mint_y), (pool.state.reserve_x, pool.state.reserve_y), terms.reserves, address),
    }
    if pool.extension is not None:
        extension = encode_extension(address, pool.extension)
        accounts[dlmm.extension_address(address)] = _owned(dlmm.PROGRAM_ID, extension)
    return MeteoraDlmmPool.decode(address, _snapshot(terms, accounts))


def _clmm(terms: Terms) -> Pool:
    tokens = sorted(terms.tokens, key=lambda token: bytes(token.mint))
    reserves = _sorted_reserves(terms)
    config = clmm.AmmConfig(
        index=terms.number,
        owner=OWNER,
        protocol_fee_rate=120_000,
        trade_fee_rate=terms.fee_bps * 100,
        tick_spacing=10,
        fund_fee_rate=40_000,
        fund_owner=OWNER,
    )
    price = clmm_fresh.sqrt_price_of(*reserves)
    mints = (tokens[0].mint, tokens[1].mint)
    address = clmm.pool_address(clmm.config_address(config.index), *mints)
    pool = clmm_fresh.fresh_pool(
        config,
        mints=mints,
        decimals=(tokens[0].decimals, tokens[1].decimals),
        sqrt_price_x64=price,
        positions=clmm_fresh.around(reserves, price, config.tick_spacing, _CLMM_WIDTHS),
    )
    accounts = {
        address: _owned(clmm.PROGRAM_ID, clmm.encode_pool(pool.state)),
        pool.state.config: _owned(clmm.PROGRAM_ID, clmm.encode_config(config)),
        pool.state.observation: _owned(clmm.PROGRAM_ID, clmm_fresh.empty_observation(address)),
        **{clmm.tick_array_address(address, at): _owned(clmm.PROGRAM_ID, data) for at, data in pool.arrays.items()},
        **_vaults(mints, pool.state.vaults, reserves, address),
    }
    if pool.extension is not None:
        accounts[clmm.bitmap_extension_address(address)] = _owned(clmm.PROGRAM_ID, pool.extension)
    return RaydiumClmmPool.decode(address, _snapshot(terms, accounts))


def _sorted_reserves(terms: Terms) -> tuple[int, int]:
    """Return the reserves in the order of the mints' bytes."""
    first, second = terms.tokens
    return terms.reserves if bytes(first.mint) < bytes(second.mint) else terms.reserves[::-1]


def _key(terms: Terms, kind: bytes) -> Pubkey:
    seeds = [kind, terms.number.to_bytes(4, "little"), *(bytes(token.mint) for token in terms.tokens)]
    return Pubkey.find_program_address(seeds, OWNER)[0]


def _vaults(
    mints: Iterable[Pubkey], vaults: Iterable[Pubkey], amounts: Iterable[int], owner: Pubkey
) -> dict[Pubkey, Account]:
    return {
        vault: _owned(TOKEN_PROGRAM, token_account_data(mint, owner, amount))
        for mint, vault, amount in zip(mints, vaults, amounts, strict=True)
    }


def _mint(token: Token) -> Account:
    data = bytearray(82)
    data[44], data[45] = token.decimals, 1
    return _owned(TOKEN_PROGRAM, bytes(data))


def _snapshot(terms: Terms, accounts: dict[Pubkey, Account]) -> AccountSnapshot:
    mints = {token.mint: _mint(token) for token in terms.tokens}
    return AccountSnapshot(slot=terms.slot, unix_timestamp=NOW, epoch=EPOCH, accounts=accounts | mints)


def _owned(owner: Pubkey, data: bytes) -> Account:
    return Account(owner=owner, lamports=1, data=data)
