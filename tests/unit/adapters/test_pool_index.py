"""Pools of a pair are looked for once, remembered, and looked for anew without anyone waiting."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from solders.pubkey import Pubkey

from order_engine.adapters.solana.pool_index import MAX_POOLS_PER_PAIR, DiscoveredPools
from order_engine.adapters.solana.pool_reader import ACCOUNTS_PER_READ
from order_engine.domain.errors import ChainUnavailable
from order_engine.domain.pool import Account, AccountFilter, AccountSnapshot
from order_engine.domain.tokens import TOKEN_PROGRAM, TOKENS_BY_SYMBOL, WRAPPED_SOL
from order_engine.papernet.token_ledger import token_account_data
from order_engine.venues import VENUES
from order_engine.venues.raydium_cpmm import layout
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool

A, B = Pubkey([1] * 32), Pubkey([2] * 32)
PROGRAM = RaydiumCpmmPool.PROGRAM_ID


class Chain:
    def __init__(self) -> None:
        self.calls = 0
        self.failing = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def program_accounts(
        self, program_id: Pubkey, account_filter: AccountFilter
    ) -> Sequence[tuple[Pubkey, Account]]:
        self.calls += 1
        await self.gate.wait()
        if self.failing:
            raise ChainUnavailable("away")
        return [(Pubkey([self.calls] * 32), Account(owner=program_id, lamports=1, data=b""))]


def index(chain: Chain, remember: timedelta = timedelta(hours=1)) -> DiscoveredPools:
    return DiscoveredPools(chain, VENUES, remember)  # type: ignore[arg-type]


async def test_many_orders_of_a_pair_cost_one_discovery_whichever_token_comes_first() -> None:
    chain = Chain()
    pools = index(chain)
    found = await asyncio.gather(*(pools.pools(PROGRAM, *pair) for pair in [(A, B), (B, A)] * 10))
    filters = len(RaydiumCpmmPool.discovery_filters(A, B))
    assert chain.calls == filters
    assert all(one == found[0] for one in found)
    await pools.pools(PROGRAM, A, B)
    assert chain.calls == filters


async def test_an_order_that_gives_up_does_not_stop_the_discovery() -> None:
    chain = Chain()
    chain.gate.clear()
    pools = index(chain)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await pools.pools(PROGRAM, A, B)
    chain.gate.set()
    asked = chain.calls
    assert (await pools.pools(PROGRAM, A, B)).pools
    assert chain.calls == asked


async def test_what_is_known_is_given_at_once_while_it_is_looked_for_anew() -> None:
    chain = Chain()
    pools = index(chain, remember=timedelta(0))
    first = await pools.pools(PROGRAM, A, B)
    chain.gate.clear()
    async with asyncio.timeout(1):
        assert await pools.pools(PROGRAM, A, B) == first
    chain.gate.set()


async def test_a_failed_discovery_is_told_and_tried_again_by_the_next_order() -> None:
    chain = Chain()
    chain.failing = True
    pools = index(chain)
    with pytest.raises(ChainUnavailable):
        await pools.pools(PROGRAM, A, B)
    chain.failing = False
    assert (await pools.pools(PROGRAM, A, B)).pools


class Crowd(Chain):
    """Thousands of CPMM pools of one pair, of which some hold more of both tokens."""

    def __init__(self, deep: Sequence[int]) -> None:
        super().__init__()
        self.deep = frozenset(deep)
        self.most_at_once = 0
        self._pools, self._vaults = {}, {}
        tokens = (TOKENS_BY_SYMBOL["SOL"], TOKENS_BY_SYMBOL["USDC"])
        for number in range(2_000):
            creator, config = Pubkey(number.to_bytes(32, "little")), layout.config_address(number)
            address, state = layout.new_pool(tokens, config=config, creator=creator, lp_supply=1)
            self._pools[address] = Account(owner=PROGRAM, lamports=1, data=layout.encode_pool(state))
            # what is shallow holds a fortune of one token: that costs its maker nothing where the token is his own
            amounts = (10**9, 10**9) if number in self.deep else (10**17, 1)
            for mint, vault, amount in zip(state.mints, state.vaults, amounts, strict=True):
                data = token_account_data(mint, layout.AUTHORITY, amount)
                self._vaults[vault] = Account(owner=TOKEN_PROGRAM, lamports=1, data=data)
        self.deepest = {address for number, address in enumerate(self._pools) if number in self.deep}

    async def program_accounts(
        self, program_id: Pubkey, account_filter: AccountFilter
    ) -> Sequence[tuple[Pubkey, Account]]:
        return list(self._pools.items())

    async def accounts(self, addresses: Sequence[Pubkey]) -> AccountSnapshot:
        self.most_at_once = max(self.most_at_once, len(addresses))
        found = {key: self._vaults[key] for key in addresses if key in self._vaults}
        return AccountSnapshot(slot=1, unix_timestamp=0, epoch=0, accounts=found)


async def test_of_thousands_of_pools_those_that_hold_the_most_of_both_tokens_count() -> None:
    chain = Crowd(range(100, 2_000, 1_900 // MAX_POOLS_PER_PAIR + 1))
    found = await index(chain).pools(PROGRAM, WRAPPED_SOL, TOKENS_BY_SYMBOL["USDC"].mint)
    assert len(chain.deepest) == MAX_POOLS_PER_PAIR
    assert {address for address, _ in found.pools} == chain.deepest
    assert found.left_out == 2_000 - MAX_POOLS_PER_PAIR
    assert chain.most_at_once <= ACCOUNTS_PER_READ
