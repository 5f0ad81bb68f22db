"""Market over JSON-RPC: pools are read when somebody asks, together, and shared by all who ask at that moment."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Final

from solders.pubkey import Pubkey

from order_engine.adapters.batching import Batcher
from order_engine.adapters.solana.pool_index import Found, PoolIndex
from order_engine.adapters.solana.pool_reader import REMEMBERED_POOLS, KnownPool, PoolReader
from order_engine.domain.errors import ChainUnavailable, PoolUnreadable
from order_engine.domain.market import LeftOut, MarketView, Pair
from order_engine.domain.pool import Pool
from order_engine.usecases.ports import Chain

DISCOVERY_SECONDS: Final = 2.0  # only the first order of a pair waits for it: the index remembers

_Reading = tuple[float, Pool | PoolUnreadable]  # and the moment before it was read


class SolanaMarket:
    """Nothing is read while nobody asks; however many orders ask at once, each pool is read once.

    A view never holds a pool that was read longer than `refresh` before it was asked for.
    """

    def __init__(
        self,
        chain: Chain,
        index: PoolIndex,
        venues: Mapping[Pubkey, type[Pool]],
        *,
        refresh: timedelta,
        venue_timeout: timedelta,
    ) -> None:
        self._chain = chain
        self._index = index
        self._venues = venues
        self._refresh = refresh.total_seconds()
        self._timeout = venue_timeout.total_seconds()
        self._reader = PoolReader(chain)
        self._readings: dict[Pubkey, _Reading] = {}
        self._reads: dict[Pubkey, Batcher[KnownPool, _Reading]] = {
            program_id: Batcher(self._read, max_batch=1024) for program_id in venues
        }
        self._slot = 0

    async def view(self, pairs: Collection[Pair]) -> MarketView:
        asked = await asyncio.gather(*(self._ask(venue, pairs) for venue in self._venues.values()))
        unread = [left_out for pools, left_out in asked if pools is None]
        if self._venues and len(unread) == len(self._venues):
            raise ChainUnavailable("no venue could be read: " + "; ".join(one[0].reason for one in unread))
        pools = [pool for found, _ in asked for pool in found or ()]
        return MarketView(slot=self._slot, pools=pools, left_out=[one for _, left_out in asked for one in left_out])

    async def read(self, pools: Mapping[Pubkey, str]) -> Mapping[Pubkey, Pool]:
        heads = await self._chain.accounts(list(pools))
        venues = {venue.VENUE: venue for venue in self._venues.values()}
        if unknown := set(pools.values()) - venues.keys():
            raise PoolUnreadable(f"no venue is called {', '.join(sorted(unknown))}")
        known = [
            KnownPool(venues[name], address, heads.require(address, venues[name].PROGRAM_ID))
            for address, name in pools.items()
        ]
        read = {}
        for address, answer in (await self._reader.read(known)).items():
            if isinstance(answer, PoolUnreadable):
                raise answer
            read[address] = answer
        return read

    async def _ask(self, venue: type[Pool], pairs: Collection[Pair]) -> tuple[list[Pool] | None, list[LeftOut]]:
        """Return the venue's pools, None when nothing could be read of it, and what was left out."""
        out = partial(LeftOut, venue=venue.VENUE)
        found = await asyncio.gather(*(self._discover(venue, pair) for pair in pairs))
        failed = list(dict.fromkeys(one for one in found if isinstance(one, str)))
        left_out = [out(pool=None, reason=f"VENUE_UNAVAILABLE: {why}") for why in failed]
        if found and all(isinstance(one, str) for one in found):
            return None, left_out
        indexed = [one for one in found if not isinstance(one, str)]
        known = [KnownPool(venue, *pool) for one in indexed for pool in one.pools]
        if too_many := sum(one.left_out for one in indexed):
            left_out.append(out(pool=None, reason=f"TOO_MANY_POOLS: {too_many} pools that hold less were left out"))
        try:
            async with asyncio.timeout(self._timeout):
                answers = await self._fresh(venue, known)
        except TimeoutError:
            why = f"its accounts took longer than {int(self._timeout * 1000)} ms to read"
            return None, [*left_out, out(pool=None, reason=f"VENUE_UNAVAILABLE: {why}")]
        except ChainUnavailable as error:
            return None, [*left_out, out(pool=None, reason=f"VENUE_UNAVAILABLE: {error.message}")]
        pools = [answer for answer in answers.values() if not isinstance(answer, PoolUnreadable)]
        left_out += [
            out(pool=address, reason=f"{answer.code}: {answer.message}")
            for address, answer in answers.items()
            if isinstance(answer, PoolUnreadable)
        ]
        return pools, left_out

    async def _discover(self, venue: type[Pool], pair: Pair) -> Found | str:
        """Return the pools of a pair, or why they could not be looked for."""
        mint_a, mint_b = sorted(pair, key=bytes)
        try:
            async with asyncio.timeout(DISCOVERY_SECONDS):
                return await self._index.pools(venue.PROGRAM_ID, mint_a, mint_b)
        except TimeoutError:
            return f"looking for its pools took longer than {DISCOVERY_SECONDS:.0f} s"
        except ChainUnavailable as error:
            return error.message

    async def _fresh(self, venue: type[Pool], known: Sequence[KnownPool]) -> Mapping[Pubkey, Pool | PoolUnreadable]:
        readings = self._fresh_readings(known)
        due = [pool for pool in known if pool.address not in readings]
        read = await asyncio.gather(*(self._reads[venue.PROGRAM_ID].submit(pool) for pool in due))
        readings |= {pool.address: reading for pool, reading in zip(due, read, strict=True)}
        return {address: answer for address, (_, answer) in readings.items()}

    async def _read(self, wanted: Sequence[KnownPool]) -> list[_Reading]:
        """Read what nobody has read since it was asked for."""
        readings = self._fresh_readings(wanted)
        due = {pool.address: pool for pool in wanted if pool.address not in readings}
        now = monotonic()
        if len(self._readings) > REMEMBERED_POOLS:
            self._readings = {key: one for key, one in self._readings.items() if now - one[0] <= self._refresh}
        for address, answer in (await self._reader.read(due.values())).items():
            readings[address] = self._readings[address] = (now, answer)
            if not isinstance(answer, PoolUnreadable):
                self._slot = max(self._slot, answer.slot)
        return [readings[pool.address] for pool in wanted]

    def _fresh_readings(self, pools: Sequence[KnownPool]) -> dict[Pubkey, _Reading]:
        now = monotonic()
        found = ((pool.address, self._readings.get(pool.address)) for pool in pools)
        return {address: one for address, one in found if one is not None and now - one[0] <= self._refresh}
