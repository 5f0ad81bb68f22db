"""The default world: the known tokens at their mints, pools of ten pairs on one to three venues, a faucet, a trader."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Final

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
from order_engine.papernet.genesis import network_keypair
from order_engine.papernet.images import SYSTEM_PROGRAM, image, token_holding
from order_engine.papernet.world_accounts import (
    amm_v4_pool,
    cpmm_config,
    cpmm_pool,
    damm_pool,
    dlmm_pool,
    mint_account,
    token_account,
)

FAUCET_LAMPORTS: Final = 500_000_000 * 10**9
FUND_LAMPORTS: Final = 10_000 * 10**9
FUND_USD: Final = 1_000_000  # worth of each token that a funded wallet gets
_TREASURY_USD: Final = 1_000 * FUND_USD
_MARKET_USD: Final = 400_000_000
_CPMM_USD, _AMM_V4_USD, _DAMM_USD = 2_000_000, 2_500_000, 3_000_000  # on each side of a pool
_DLMM_USD: Final = 500_000

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
PAIRS: Final = (
    ("SOL", "USDC"),
    ("SOL", "USDT"),
    ("USDT", "USDC"),
    ("JUP", "USDC"),
    ("JUP", "SOL"),
    ("BONK", "SOL"),
    ("RAY", "USDC"),
    ("mSOL", "SOL"),
    ("PYUSD", "USDC"),
)
DLMM_PAIRS: Final = (("SOL", "USDC"), ("USDT", "USDC"), ("JUP", "USDC"), ("PYUSD", "USDC"))
AMM_V4_PAIRS: Final = (("SOL", "USDC"), ("SOL", "USDT"), ("SOL", "RAY"))  # of the first token program only


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
    sites: list[PoolSite] = []
    accounts.update([cpmm_config(faucet)])
    for base, quote in PAIRS:
        _add_pools(accounts, sites, (TOKENS_BY_SYMBOL[base], TOKENS_BY_SYMBOL[quote]), creator=faucet)
    for base, quote in AMM_V4_PAIRS:
        tokens = TOKENS_BY_SYMBOL[base], TOKENS_BY_SYMBOL[quote]
        _add(accounts, sites, tokens, amm_v4_pool(tokens, _worth_of(tokens, _AMM_V4_USD), faucet))
    for base, quote in DLMM_PAIRS:
        tokens = TOKENS_BY_SYMBOL[base], TOKENS_BY_SYMBOL[quote]
        _add(accounts, sites, tokens, dlmm_pool(tokens, _worth_of(tokens, _DLMM_USD)))
    for token in tokens_with_price():
        _hold(accounts, token, market, worth(token, _MARKET_USD))
        if token.mint != WRAPPED_SOL:
            _hold(accounts, token, faucet, worth(token, _TREASURY_USD))
    accounts.update(_mints(accounts))
    return World(accounts, sites)


def _add_pools(
    accounts: dict[Pubkey, Account], sites: list[PoolSite], tokens: tuple[Token, Token], creator: Pubkey
) -> None:
    _add(accounts, sites, tokens, cpmm_pool(tokens, _worth_of(tokens, _CPMM_USD), creator))
    _add(accounts, sites, tokens, damm_pool(tokens, _worth_of(tokens, _DAMM_USD)))


def _add(
    accounts: dict[Pubkey, Account],
    sites: list[PoolSite],
    tokens: tuple[Token, Token],
    pool: Iterable[tuple[Pubkey, Account]],
) -> None:
    first, *others = pool
    accounts.update([first, *others])
    sites.append(PoolSite(first[0], tokens[0].mint, tokens[1].mint))


def _worth_of(tokens: tuple[Token, Token], usd: int) -> tuple[int, int]:
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
