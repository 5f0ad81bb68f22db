"""Which pools a pair has: asked of the chain and remembered for a while, or told by the configuration."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Final, Protocol

import structlog
from solders.pubkey import Pubkey

from order_engine.adapters.solana.pool_reader import ACCOUNTS_PER_READ, KnownPool, PoolReader
from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account, Pool
from order_engine.domain.tokens import token_amount, token_mint
from order_engine.usecases.ports import Chain

Pair = tuple[Pubkey, frozenset[Pubkey]]

MAX_POOLS_PER_PAIR: Final = 8  # of one venue: anybody may make thousands, and each is read for every quote
POOLS_WEIGHED_AT_ONCE: Final = 50  # then others get their turn
SEARCHES_AT_ONCE: Final = 6  # they are slow: readings of pools must not queue behind them
REMEMBERED_PAIRS: Final = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """Pools of a pair on one program. Their accounts may be minutes old."""

    pools: Sequence[tuple[Pubkey, Account]]
    left_out: int = 0  # pools that hold less than these, where there are too many


NOTHING_FOUND: Final = Found(())


class PoolIndex(Protocol):
    async def pools(self, program_id: Pubkey, mint_a: Pubkey, mint_b: Pubkey) -> Found:
        """Return the pools of the pair on one program.

        Raises:
            ChainUnavailable: they cannot be looked for.
        """
        ...


class DiscoveredPools:
    """Discovery runs once for a pair however many orders wait for it, and goes on when one of them gives up.

    Only the first order of a pair waits: later ones get what is known, while it is looked for anew in the background.
    Of more than MAX_POOLS_PER_PAIR those count that hold the most of both tokens: what costs nothing to make, an
    address or a price, displaces no pool that somebody trades on.
    """

    def __init__(
        self, chain: Chain, venues: Mapping[Pubkey, type[Pool]], remember: timedelta = timedelta(seconds=60)
    ) -> None:
        self._chain = chain
        self._venues = venues
        self._remember = remember.total_seconds()
        self._known: dict[Pair, tuple[float, Found]] = {}
        self._running: dict[Pair, asyncio.Task[Found]] = {}
        self._gate = asyncio.Semaphore(SEARCHES_AT_ONCE)

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
        async with self._gate:
            found = await asyncio.gather(*(self._chain.program_accounts(program_id, one) for one in filters))
        pools = {address: account for accounts in found for address, account in accounts}
        kept = Found(tuple(pools.items()))
        if len(pools) > MAX_POOLS_PER_PAIR:
            deepest = await self._deepest(pair, [KnownPool(self._venues[program_id], *pool) for pool in pools.items()])
            kept = Found(tuple((one.address, one.account) for one in deepest), len(pools) - len(deepest))
        self._known.pop(pair, None)
        self._known[pair] = (monotonic(), kept)
        if len(self._known) > REMEMBERED_PAIRS:
            del self._known[next(iter(self._known))]  # the one that was looked for the longest ago
        return kept

    async def _deepest(self, pair: Pair, pools: Sequence[KnownPool]) -> Sequence[KnownPool]:
        """Return the pools whose token accounts hold the most: ranked by the product, which needs no price."""
        depths: list[tuple[int, KnownPool]] = []
        for at in range(0, len(pools), POOLS_WEIGHED_AT_ONCE):
            some = pools[at : at + POOLS_WEIGHED_AT_ONCE]
            needs = [_dependencies(pool) for pool in some]
            accounts = await _read_all(self._chain, sorted({key for keys in needs for key in keys}, key=bytes))
            depths += [(_depth(keys, accounts, pair[1]), pool) for keys, pool in zip(needs, some, strict=True)]
        depths.sort(key=lambda one: (-one[0], bytes(one[1].address)))
        return [pool for _, pool in depths[:MAX_POOLS_PER_PAIR]]

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
        self._unread = list(dict.fromkeys(addresses))
        self._known: dict[Pair, Found] = {}
        self._try_again = try_again.total_seconds()
        self._tried_at = -math.inf
        self._reading = asyncio.Lock()

    async def pools(self, program_id: Pubkey, mint_a: Pubkey, mint_b: Pubkey) -> Found:
        async with self._reading:
            if self._unread and monotonic() - self._tried_at >= self._try_again:
                await self._read_list()
                self._tried_at = monotonic()
        return self._known.get((program_id, frozenset({mint_a, mint_b})), NOTHING_FOUND)

    async def _read_list(self) -> None:
        accounts = await _read_all(self._chain, self._unread)
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
                others = self._known.get(pair, NOTHING_FOUND).pools
                self._known[pair] = Found((*others, (pool.address, pool.account)))
                self._unread.remove(pool.address)
        if self._unread:
            log.warning("listed_pools_unreadable", pools=[str(address) for address in self._unread])


async def _read_all(chain: Chain, addresses: Sequence[Pubkey]) -> Mapping[Pubkey, Account]:
    groups = [addresses[at : at + ACCOUNTS_PER_READ] for at in range(0, len(addresses), ACCOUNTS_PER_READ)]
    snapshots = await asyncio.gather(*(chain.accounts(group) for group in groups))
    return {address: account for snapshot in snapshots for address, account in snapshot.accounts.items()}


def _dependencies(pool: KnownPool) -> tuple[Pubkey, ...]:
    try:
        return pool.venue.dependencies(pool.address, pool.account)
    except PoolUnreadable:
        return ()


def _depth(keys: Sequence[Pubkey], accounts: Mapping[Pubkey, Account], mints: frozenset[Pubkey]) -> int:
    held = dict.fromkeys(mints, 0)
    for key in keys:
        account = accounts.get(key)
        mint = token_mint(account) if account is not None else None
        if account is not None and mint in held:
            held[mint] += token_amount(key, account)
    return math.prod(held.values())
