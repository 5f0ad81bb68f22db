"""The default world: the known tokens at their mints, pools of all venues, a faucet, a trader."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Final, TypeAlias

from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey

from order_engine.domain.amounts import mul_div_floor
from order_engine.domain.tokens import (
    KNOWN_TOKENS,
    TOKENS_BY_MINT,
    TOKENS_BY_SYMBOL,
    WRAPPED_SOL,
    Token,
    associated_token_address,
)
from order_engine.papernet.genesis import lookup_table_address, network_keypair
from order_engine.papernet.images import SYSTEM_PROGRAM, image, token_holding
from order_engine.papernet.world_accounts import (
    CLMM_CLOSE,
    CLMM_TIGHT,
    CLMM_WIDE,
    amm_v4_pool,
    clmm_configs,
    clmm_pool,
    cpmm_config,
    cpmm_pool,
    damm_pool,
    dlmm_pool,
    mint_account,
    token_account,
)
from order_engine.papernet.world_table import lookup_table

Pair: TypeAlias = tuple[Token, Token]

FAUCET_LAMPORTS: Final = 500_000_000 * 10**9
FUND_LAMPORTS: Final = 10_000 * 10**9
FUND_USD: Final = 1_000_000  # worth of each token that a funded wallet gets
_TREASURY_USD: Final = 1_000 * FUND_USD
_MARKET_USD: Final = 400_000_000
MICRO_USD: Final[Mapping[str, int]] = MappingProxyType(
    {
        "SOL": 150_000_000,
        "USDC": 1_000_000,
        "USDT": 1_000_000,
        "JUP": 500_000,
        "BONK": 20,
        "RAY": 2_500_000,
        "mSOL": 190_000_000,
        "PYUSD": 1_000_000,
    }
)
STABLE_SYMBOLS: Final = frozenset({"USDC", "USDT", "PYUSD"})

# Pools by venue: base, quote, and what each side is worth in USD. Together they make a market in which routing
# matters. BONK trades against SOL only, PYUSD against USDC only: between these two it takes three hops. Other pairs
# without a pool are two hops apart. The small pools are where a few thousand dollars go better in parts or by a hub.
CPMM_POOLS: Final = (
    ("SOL", "USDC", 2_000_000),
    ("SOL", "USDT", 2_000_000),
    ("USDT", "USDC", 2_000_000),
    ("JUP", "USDC", 2_000_000),
    ("JUP", "SOL", 400_000),
    ("BONK", "SOL", 150_000),
    ("RAY", "USDC", 120_000),
    ("mSOL", "SOL", 2_000_000),
    ("PYUSD", "USDC", 2_000_000),
)
DAMM_POOLS: Final = (
    ("SOL", "USDC", 3_000_000),
    ("SOL", "USDT", 3_000_000),
    ("USDT", "USDC", 3_000_000),
    ("JUP", "USDC", 3_000_000),
    ("JUP", "SOL", 300_000),
    ("BONK", "SOL", 200_000),
    ("RAY", "USDC", 150_000),
    ("mSOL", "SOL", 3_000_000),
    ("PYUSD", "USDC", 3_000_000),
)
AMM_V4_POOLS: Final = (  # of the first token program only
    ("SOL", "USDC", 2_500_000),
    ("SOL", "USDT", 2_500_000),
    ("SOL", "RAY", 2_500_000),
    ("mSOL", "USDC", 60_000),
    ("BONK", "SOL", 100_000),
)
DLMM_POOLS: Final = (
    ("SOL", "USDC", 500_000),
    ("USDT", "USDC", 500_000),
    ("JUP", "USDC", 500_000),
    ("BONK", "SOL", 8_000),
    ("PYUSD", "USDC", 500_000),
)
CLMM_POOLS: Final = (
    ("SOL", "USDC", 250_000, CLMM_WIDE),
    ("JUP", "USDC", 150_000, CLMM_WIDE),
    ("JUP", "USDT", 15_000, CLMM_WIDE),
    ("RAY", "USDC", 8_000, CLMM_WIDE),
    ("USDT", "USDC", 200_000, CLMM_TIGHT),
    ("mSOL", "SOL", 200_000, CLMM_CLOSE),
    ("PYUSD", "USDC", 200_000, CLMM_TIGHT),
)


@dataclass(frozen=True, slots=True)
class PoolSite:
    """Where a pool stands, and the two tokens it trades."""

    pool: Pubkey
    token_in: Pubkey
    token_out: Pubkey


@dataclass(frozen=True, slots=True)
class World:
    accounts: Mapping[Pubkey, Account]
    pools: Sequence[PoolSite]


def worth(token: Token, usd: int) -> int:
    """Return base units of the token worth `usd` at the world's first prices. Rounds down."""
    one: int = 10**token.decimals
    return mul_div_floor(usd * 10**6, one, MICRO_USD[token.symbol])


def tokens_with_price() -> tuple[Token, ...]:
    return tuple(token for token in KNOWN_TOKENS if token.symbol in MICRO_USD)


def default_world(genesis: Hash) -> World:
    faucet, market = (network_keypair(genesis, role).pubkey() for role in ("faucet", "market"))
    accounts: dict[Pubkey, Account] = {
        faucet: image(SYSTEM_PROGRAM, b"", FAUCET_LAMPORTS),
        market: image(SYSTEM_PROGRAM, b"", FAUCET_LAMPORTS),
    }
    accounts.update([cpmm_config(faucet), *clmm_configs(faucet)])
    sites = [_stand(accounts, tokens, pool) for tokens, pool in _pools(faucet)]
    for token in tokens_with_price():
        _hold(accounts, token, market, worth(token, _MARKET_USD))
        if token.mint != WRAPPED_SOL:
            _hold(accounts, token, faucet, worth(token, _TREASURY_USD))
    accounts.update(_mints(accounts))
    accounts[lookup_table_address(genesis)] = lookup_table(genesis, accounts, [site.pool for site in sites])
    return World(accounts, sites)


def _pools(creator: Pubkey) -> Iterator[tuple[Pair, Iterator[tuple[Pubkey, Account]]]]:
    """Yield the two tokens and the accounts of every pool, the pool itself first."""
    for base, quote, usd in CPMM_POOLS:
        tokens = _pair(base, quote)
        yield tokens, cpmm_pool(tokens, _worth_of(tokens, usd), creator)
    for base, quote, usd in DAMM_POOLS:
        tokens = _pair(base, quote)
        yield tokens, damm_pool(tokens, _worth_of(tokens, usd))
    for base, quote, usd in AMM_V4_POOLS:
        tokens = _pair(base, quote)
        yield tokens, amm_v4_pool(tokens, _worth_of(tokens, usd), creator)
    for base, quote, usd in DLMM_POOLS:
        tokens = _pair(base, quote)
        yield tokens, dlmm_pool(tokens, _worth_of(tokens, usd))
    for base, quote, usd, config in CLMM_POOLS:
        tokens = _pair(base, quote)
        yield tokens, clmm_pool(tokens, _worth_of(tokens, usd), config, creator)


def _pair(base: str, quote: str) -> Pair:
    return TOKENS_BY_SYMBOL[base], TOKENS_BY_SYMBOL[quote]


def _stand(accounts: dict[Pubkey, Account], tokens: Pair, pool: Iterable[tuple[Pubkey, Account]]) -> PoolSite:
    first, *others = pool
    accounts.update([first, *others])
    return PoolSite(first[0], tokens[0].mint, tokens[1].mint)


def _worth_of(tokens: Pair, usd: int) -> tuple[int, int]:
    return worth(tokens[0], usd), worth(tokens[1], usd)


def _hold(accounts: dict[Pubkey, Account], token: Token, owner: Pubkey, amount: int) -> None:
    address = associated_token_address(owner, token.mint, token.token_program)
    accounts[address] = token_account(token, owner, amount)


def _mints(accounts: Mapping[Pubkey, Account]) -> dict[Pubkey, Account]:
    """Return the mints; the supply is what the accounts hold together, wrapped SOL has none."""
    supply: Counter[Pubkey] = Counter()
    for holding in filter(None, map(token_holding, accounts.values())):
        supply[holding.mint] += holding.amount
    supply[WRAPPED_SOL] = 0
    return {mint: mint_account(TOKENS_BY_MINT[mint], supply[mint]) for mint in chain(supply)}
