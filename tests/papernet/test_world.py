"""The default world: all venues, and a market in which routing matters."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import permutations

import pytest
from solders.clock import Clock
from solders.pubkey import Pubkey

from order_engine.adapters.solana.lookup_tables import usable_addresses
from order_engine.domain.pool import Pool, SwapRequest
from order_engine.domain.tokens import KNOWN_TOKENS, TOKENS_BY_SYMBOL, Token
from order_engine.papernet.genesis import SLOT_OFFSET, genesis_hash, lookup_table_address, network_keypair
from order_engine.papernet.images import to_domain
from order_engine.papernet.pool_reading import read_pool
from order_engine.papernet.venues import POOL_OF_PROGRAM
from order_engine.papernet.world import default_world, worth

HUBS = frozenset(TOKENS_BY_SYMBOL[symbol].mint for symbol in ("SOL", "USDC", "USDT"))


def _decoded() -> Iterator[Pool]:
    world = default_world(genesis_hash(1))
    for site in world.pools:
        yield read_pool(site.pool, world.accounts.get, Clock(1, 0, 800, 800, 1_800_000_000))


@pytest.fixture(scope="module")
def pools() -> Sequence[Pool]:
    return tuple(_decoded())


def hops(pools: Sequence[Pool], start: Pubkey, end: Pubkey) -> int:
    """Return how many pools it takes from one token to another, by hubs only."""
    reached, count = {start}, 0
    while end not in reached:
        usable = (pool for pool in pools if any(m in reached and (m == start or m in HUBS) for m in pool.mints))
        reached = reached.union(*(pool.mints for pool in usable))
        count += 1
    return count


def best(pools: Sequence[Pool], token_in: Token, token_out: Token, amount_in: int) -> int:
    """Return the most that one pool pays."""
    request = SwapRequest(token_in=token_in.mint, token_out=token_out.mint, amount_in=amount_in)
    sold = {token_in.mint, token_out.mint}
    return max(pool.quote(request).amount_out for pool in pools if set(pool.mints) == sold)


def test_every_venue_trades_at_least_six_tokens_and_every_token_trades(pools: Sequence[Pool]) -> None:
    tokens: defaultdict[str, set[Pubkey]] = defaultdict(set)
    for pool in pools:
        tokens[pool.VENUE].update(pool.mints)
    assert len(tokens) == len(POOL_OF_PROGRAM) == 5
    assert min(map(len, tokens.values())) >= 6
    assert set().union(*tokens.values()) == {token.mint for token in KNOWN_TOKENS}


def test_no_two_pools_of_one_venue_trade_the_same_pair(pools: Sequence[Pool]) -> None:
    assert len({(pool.VENUE, frozenset(pool.mints)) for pool in pools}) == len(pools)


def test_all_pools_agree_about_prices(pools: Sequence[Pool]) -> None:
    for pool in pools:
        token_in, token_out = (next(t for t in KNOWN_TOKENS if t.mint == mint) for mint in pool.mints)
        for sold, bought in ((token_in, token_out), (token_out, token_in)):
            request = SwapRequest(token_in=sold.mint, token_out=bought.mint, amount_in=worth(sold, 1))
            paid = pool.quote(request).amount_out
            assert worth(bought, 1) * 99 // 100 < paid <= worth(bought, 1), pool.VENUE


def test_some_pairs_are_two_hops_apart_and_one_three(pools: Sequence[Pool]) -> None:
    distances = {
        (one.symbol, other.symbol): hops(pools, one.mint, other.mint) for one, other in permutations(KNOWN_TOKENS, 2)
    }
    assert distances["SOL", "USDC"] == distances["mSOL", "USDC"] == distances["PYUSD", "USDC"] == 1
    assert distances["BONK", "USDC"] == distances["PYUSD", "SOL"] == distances["JUP", "RAY"] == 2
    assert {pair for pair, count in distances.items() if count == 3} == {("BONK", "PYUSD"), ("PYUSD", "BONK")}


@pytest.mark.parametrize(("token_in", "hub", "token_out"), [("mSOL", "SOL", "USDC"), ("JUP", "USDC", "USDT")])
def test_a_few_thousand_dollars_go_better_over_a_hub_than_through_a_shallow_pool(
    pools: Sequence[Pool], token_in: str, hub: str, token_out: str
) -> None:
    sold, between, bought = (TOKENS_BY_SYMBOL[symbol] for symbol in (token_in, hub, token_out))
    amount = worth(sold, 3_000)
    by_hub = best(pools, between, bought, best(pools, sold, between, amount))
    assert by_hub > best(pools, sold, bought, amount) * 101 // 100


@pytest.mark.parametrize(("token_in", "token_out"), [("BONK", "SOL"), ("RAY", "USDC")])
def test_a_few_thousand_dollars_go_better_in_parts(pools: Sequence[Pool], token_in: str, token_out: str) -> None:
    sold, bought = TOKENS_BY_SYMBOL[token_in], TOKENS_BY_SYMBOL[token_out]
    whole = worth(sold, 4_000)
    half = SwapRequest(token_in=sold.mint, token_out=bought.mint, amount_in=whole // 2)
    of_the_pair = [pool for pool in pools if set(pool.mints) == {sold.mint, bought.mint}]
    in_parts = sum(sorted(pool.quote(half).amount_out for pool in of_the_pair)[-2:])
    assert in_parts > best(pools, sold, bought, whole) * 1_003 // 1_000


def test_the_lookup_table_holds_every_pool_and_what_its_swaps_refer_to() -> None:
    genesis = genesis_hash(1)
    world = default_world(genesis)
    table = to_domain(world.accounts[lookup_table_address(genesis)])
    assert table is not None
    addresses = usable_addresses(table, SLOT_OFFSET + 1)
    assert len(set(addresses)) == len(addresses) <= 256
    assert {site.pool for site in world.pools} <= set(addresses)
    assert {token.mint for token in KNOWN_TOKENS} <= set(addresses)
    assert network_keypair(genesis, "faucet").pubkey() not in addresses
