"""Pools of a pair are looked for once, remembered, and looked for anew without anyone waiting."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from solders.pubkey import Pubkey

from order_engine.adapters.solana.pool_index import DiscoveredPools
from order_engine.domain.errors import ChainUnavailable
from order_engine.domain.pool import Account, AccountFilter
from order_engine.venues import VENUES
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
    assert await pools.pools(PROGRAM, A, B)
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
    assert await pools.pools(PROGRAM, A, B)
