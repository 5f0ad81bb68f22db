"""PoolIndex that asks the chain which pools a pair has, and remembers the answer for a while."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from time import monotonic

from solders.pubkey import Pubkey

from order_engine.adapters.solana.chain import SolanaChain
from order_engine.domain.pool import Account, Pool

Pair = tuple[Pubkey, frozenset[Pubkey]]
Found = Sequence[tuple[Pubkey, Account]]


class DiscoveredPools:
    """Discovery runs once for a pair however many orders wait for it, and goes on when one of them gives up.

    Only the first order of a pair waits: later ones get what is known, while it is looked for anew in the background.
    """

    def __init__(
        self, chain: SolanaChain, venues: Mapping[Pubkey, type[Pool]], remember: timedelta = timedelta(seconds=30)
    ) -> None:
        self._chain = chain
        self._venues = venues
        self._remember = remember.total_seconds()
        self._known: dict[Pair, tuple[float, Found]] = {}
        self._running: dict[Pair, asyncio.Task[Found]] = {}

    async def pools(self, program_id: Pubkey, mint_a: Pubkey, mint_b: Pubkey) -> Found:
        pair = (program_id, frozenset({mint_a, mint_b}))
        found_at, found = self._known.get(pair, (0.0, None))
        if found is not None and monotonic() - found_at < self._remember:
            return found
        task = self._running.get(pair)
        if task is None:
            task = asyncio.create_task(self._discover(pair, mint_a, mint_b))
            self._running[pair] = task
            task.add_done_callback(lambda done: self._finished(pair, done))
        return found if found is not None else await asyncio.shield(task)

    async def _discover(self, pair: Pair, mint_a: Pubkey, mint_b: Pubkey) -> Found:
        program_id = pair[0]
        filters = self._venues[program_id].discovery_filters(mint_a, mint_b)
        found = await asyncio.gather(*(self._chain.program_accounts(program_id, one) for one in filters))
        pools = {address: account for accounts in found for address, account in accounts}
        self._known[pair] = (monotonic(), tuple(pools.items()))
        return self._known[pair][1]

    def _finished(self, pair: Pair, task: asyncio.Task[Found]) -> None:
        self._running.pop(pair, None)
        if not task.cancelled():
            task.exception()  # whoever waited has seen it; nobody may have waited
