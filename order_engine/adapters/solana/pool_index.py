"""Which pools a pair has: asked of the chain and remembered for a while, or told by the configuration."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Final, Protocol

import structlog
from solders.pubkey import Pubkey

from order_engine.adapters.solana.pool_reader import ACCOUNTS_PER_READ, KnownPool, PoolReader
from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account, Pool
from order_engine.usecases.ports import Chain

Pair = tuple[Pubkey, frozenset[Pubkey]]
Found = Sequence[tuple[Pubkey, Account]]

REMEMBERED_PAIRS: Final = 10_000

log = structlog.get_logger(__name__)


class PoolIndex(Protocol):
    async def pools(self, program_id: Pubkey, mint_a: Pubkey, mint_b: Pubkey) -> Found:
        """Return address and account of every known pool of the pair on one program. The account may be minutes old.

        Raises:
            ChainUnavailable: they cannot be looked for.
        """
        ...


class DiscoveredPools:
    """Discovery runs once for a pair however many orders wait for it, and goes on when one of them gives up.

    Only the first order of a pair waits: later ones get what is known, while it is looked for anew in the background.
    """

    def __init__(
        self, chain: Chain, venues: Mapping[Pubkey, type[Pool]], remember: timedelta = timedelta(seconds=30)
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
        self._known.pop(pair, None)
        self._known[pair] = (monotonic(), tuple(pools.items()))
        if len(self._known) > REMEMBERED_PAIRS:
            del self._known[next(iter(self._known))]  # the one that was looked for the longest ago
        return tuple(pools.items())

    def _finished(self, pair: Pair, task: asyncio.Task[Found]) -> None:
        self._running.pop(pair, None)
        if not task.cancelled():
            task.exception()  # whoever waited has seen it; nobody may have waited


class ListedPools:
    """Only the pools that somebody listed: their pairs are read once, what could not be read is tried again."""

    def __init__(
        self,
        chain: Chain,
        venues: Mapping[Pubkey, type[Pool]],
        addresses: Sequence[Pubkey],
        try_again: timedelta = timedelta(seconds=30),
    ) -> None:
        self._chain = chain
        self._venues = venues
        self._unread = list(addresses)
        self._known: dict[Pair, list[tuple[Pubkey, Account]]] = {}
        self._try_again = try_again.total_seconds()
        self._tried_at = -math.inf
        self._reading = asyncio.Lock()

    async def pools(self, program_id: Pubkey, mint_a: Pubkey, mint_b: Pubkey) -> Found:
        async with self._reading:
            if self._unread and monotonic() - self._tried_at >= self._try_again:
                await self._read_list()
                self._tried_at = monotonic()
        return self._known.get((program_id, frozenset({mint_a, mint_b})), ())

    async def _read_list(self) -> None:
        groups = [self._unread[at : at + ACCOUNTS_PER_READ] for at in range(0, len(self._unread), ACCOUNTS_PER_READ)]
        snapshots = await asyncio.gather(*(self._chain.accounts(group) for group in groups))
        accounts = {address: account for snapshot in snapshots for address, account in snapshot.accounts.items()}
        known = [
            KnownPool(self._venues[account.owner], address, account)
            for address, account in accounts.items()
            if account.owner in self._venues
        ]
        answers = await PoolReader(self._chain).read(known)
        for pool in known:
            answer = answers[pool.address]
            if not isinstance(answer, PoolUnreadable):
                pair = (pool.venue.PROGRAM_ID, frozenset(answer.mints))
                self._known.setdefault(pair, []).append((pool.address, pool.account))
                self._unread.remove(pool.address)
        if self._unread:
            log.warning("listed_pools_unreadable", pools=[str(address) for address in self._unread])
