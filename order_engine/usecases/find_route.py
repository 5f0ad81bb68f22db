"""Find the best way from one token to another: ask every venue at once, keep every answer, choose.

One venue that fails or is slow never fails the order: it is left out, and the candidates say so.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from solders.pubkey import Pubkey

from order_engine.domain.errors import (
    AmountTooSmall,
    AttemptError,
    ChainUnavailable,
    NoRoute,
    PoolUnreadable,
    QuoteRefused,
)
from order_engine.domain.order import Candidate, Route
from order_engine.domain.pool import Account, AccountSnapshot, Pool, SwapRequest, missing_dependencies
from order_engine.domain.routing import candidate, rank
from order_engine.usecases.ports import Chain, PoolIndex
from order_engine.usecases.swap_plan import network_fee

ACCOUNTS_PER_READ = 99  # of the 100 that one getMultipleAccounts takes; the chain's clock is read along

DISCOVERY_SECONDS = 2.0  # only the first order of a pair waits for it: the index remembers

FoundPool = tuple[Pubkey, tuple[Pubkey, ...]]  # a pool and what its quote depends on


@dataclass(frozen=True, slots=True)
class Decision:
    """Every candidate, best first. `error` says why none is usable; `pool` is the chosen one, as it was quoted."""

    candidates: tuple[Candidate, ...]
    pool: Pool | None
    error: AttemptError | None

    @property
    def route(self) -> Route | None:
        return next((one.route for one in self.candidates if one.chosen), None)


@dataclass(frozen=True, slots=True)
class FindRoute:
    chain: Chain
    pool_index: PoolIndex
    venues: Mapping[Pubkey, type[Pool]]
    venue_timeout: timedelta
    compute_unit_price_micro_lamports: int

    async def __call__(self, swap: SwapRequest, slippage_bps: int) -> Decision:
        """Return every candidate, best first.

        Raises:
            ChainUnavailable: not one venue could be read.
        """
        answers = await asyncio.gather(*(self._ask(venue, swap, slippage_bps) for venue in self.venues.values()))
        candidates = rank(one for venue_candidates, _ in answers for one in venue_candidates)
        if candidates and all(one.pool is None for one in candidates):
            raise ChainUnavailable("no venue could be read: " + "; ".join(one.reject_reason for one in candidates))
        pools = {address: pool for _, venue_pools in answers for address, pool in venue_pools.items()}
        if candidates and candidates[0].chosen and candidates[0].pool:
            return Decision(candidates, pools[candidates[0].pool], None)
        return Decision(candidates, None, _why_no_route(candidates))

    async def _ask(
        self, venue: type[Pool], swap: SwapRequest, slippage_bps: int
    ) -> tuple[list[Candidate], dict[Pubkey, Pool]]:
        try:
            async with asyncio.timeout(DISCOVERY_SECONDS):
                known = await self.pool_index.pools(venue.PROGRAM_ID, swap.token_in, swap.token_out)
            async with asyncio.timeout(self.venue_timeout.total_seconds()):
                snapshots = await self._read(venue, known)
        except TimeoutError:
            waited = int(self.venue_timeout.total_seconds() * 1000)
            return [_unread(venue, f"its accounts took longer than {waited} ms to read")], {}
        except ChainUnavailable as error:
            return [_unread(venue, error.message)], {}
        quoted = [self._quote(venue, address, snapshot, swap, slippage_bps) for address, snapshot in snapshots]
        return [one for one, _ in quoted], {one.pool: pool for one, pool in quoted if one.pool and pool}

    async def _read(
        self, venue: type[Pool], known: Sequence[tuple[Pubkey, Account]]
    ) -> list[tuple[Pubkey, AccountSnapshot]]:
        """Read each pool with all it depends on at one slot: pools that do not fit one read together get the next."""
        found = list(_with_dependencies(venue, known))
        snapshots = await self._read_together(found)
        incomplete = list(_with_missing(venue, found, snapshots))
        if incomplete:
            snapshots |= await self._read_together(incomplete)
        return list(snapshots.items())

    async def _read_together(self, pools: Sequence[FoundPool]) -> dict[Pubkey, AccountSnapshot]:
        groups = list(_groups(pools))
        wanted = [sorted({key for address, needs in group for key in (address, *needs)}, key=bytes) for group in groups]
        snapshots = await asyncio.gather(*(self.chain.accounts(addresses) for addresses in wanted))
        return {address: snapshot for group, snapshot in zip(groups, snapshots, strict=True) for address, _ in group}

    def _quote(
        self, venue: type[Pool], address: Pubkey, snapshot: AccountSnapshot, swap: SwapRequest, slippage_bps: int
    ) -> tuple[Candidate, Pool | None]:
        try:
            pool = venue.decode(address, snapshot)
            quote = pool.quote(swap)
        except (PoolUnreadable, QuoteRefused) as error:
            return Candidate(venue=venue.VENUE, pool=address, reject_reason=f"{error.code}: {error.message}"), None
        compute_units = quote.compute_units or venue.COMPUTE_UNITS
        fee = network_fee(compute_units, self.compute_unit_price_micro_lamports)
        return candidate(quote, compute_units, slippage_bps, fee), pool


def _with_dependencies(venue: type[Pool], known: Sequence[tuple[Pubkey, Account]]) -> Iterator[FoundPool]:
    for address, account in known:
        try:
            yield address, venue.dependencies(address, account)
        except PoolUnreadable:
            continue  # not a pool of this program, whatever the index was told


def _with_missing(
    venue: type[Pool], found: Sequence[FoundPool], snapshots: Mapping[Pubkey, AccountSnapshot]
) -> Iterator[FoundPool]:
    for address, needs in found:
        try:
            missing = missing_dependencies(venue, address, snapshots[address])
        except PoolUnreadable:
            continue  # decoding will say what is wrong
        if missing:
            yield address, (*needs, *missing)


def _groups(pools: Sequence[FoundPool]) -> Iterator[list[FoundPool]]:
    group: list[FoundPool] = []
    size = 0
    for pool in pools:
        needed = 1 + len(pool[1])
        if group and size + needed > ACCOUNTS_PER_READ:
            yield group
            group, size = [], 0
        group.append(pool)
        size += needed
    if group:
        yield group


def _unread(venue: type[Pool], why: str) -> Candidate:
    return Candidate(venue=venue.VENUE, pool=None, reject_reason=f"VENUE_UNAVAILABLE: {why}")


def _why_no_route(candidates: Sequence[Candidate]) -> AttemptError:
    """Dust is the order's own fault, and final. Everything else may look different at the next attempt."""
    reasons = [one.reject_reason for one in candidates]
    if reasons and all(reason.startswith(AmountTooSmall.code) for reason in reasons):
        return AmountTooSmall("amount_in is so small that no pool pays anything for it")
    if not reasons:
        return NoRoute("no venue has a pool for this pair")
    return NoRoute("no pool can fill the order: " + "; ".join(sorted(set(reasons))))
