"""Reads pools with all they depend on, each at one slot, in as few calls as they fit in."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account, AccountSnapshot, Pool, missing_dependencies
from order_engine.usecases.ports import Chain

ACCOUNTS_PER_READ: Final = 99  # of the 100 that one getMultipleAccounts takes; the chain's clock is read along
REMEMBERED_POOLS: Final = 1024  # decoded, with the bytes they were decoded from


@dataclass(frozen=True, slots=True)
class KnownPool:
    """A pool's account as it once was: enough to tell what reading the pool takes."""

    venue: type[Pool]
    address: Pubkey
    account: Account


Answers = Mapping[Pubkey, Pool | PoolUnreadable]
_Needs = Mapping[Pubkey, tuple[Pubkey, ...]]  # what each pool depends on
_Snapshots = dict[Pubkey, AccountSnapshot]  # by pool


class PoolReader:
    """Decodes a pool again only when an account of it has changed: else only its moment is new."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._decoded: OrderedDict[Pubkey, tuple[Mapping[Pubkey, Account], Pool]] = OrderedDict()

    async def read(self, pools: Iterable[KnownPool]) -> Answers:
        """Return each pool as the chain holds it now, or why it cannot be read.

        Raises:
            ChainUnavailable: the chain cannot be read.
        """
        answers: dict[Pubkey, Pool | PoolUnreadable] = {}
        needs: dict[Pubkey, tuple[Pubkey, ...]] = {}
        venues = {}
        for known in pools:
            try:
                needs[known.address] = known.venue.dependencies(known.address, known.account)
                venues[known.address] = known.venue
            except PoolUnreadable as error:
                answers[known.address] = error
        snapshots = await self._read_together(needs)
        further = dict(_further_needs(venues, needs, snapshots))
        if further:
            snapshots |= await self._read_together(further)
        needs |= further
        for address, venue in venues.items():
            answers[address] = self._decode(venue, address, needs[address], snapshots[address])
        return answers

    async def _read_together(self, needs: _Needs) -> _Snapshots:
        groups = list(_groups(needs))
        keys = [sorted({key for pool in group for key in (pool, *needs[pool])}, key=bytes) for group in groups]
        snapshots = await asyncio.gather(*(self._chain.accounts(addresses) for addresses in keys))
        return {pool: snapshot for group, snapshot in zip(groups, snapshots, strict=True) for pool in group}

    def _decode(
        self, venue: type[Pool], address: Pubkey, needs: tuple[Pubkey, ...], snapshot: AccountSnapshot
    ) -> Pool | PoolUnreadable:
        accounts = {key: snapshot.accounts[key] for key in (address, *needs) if key in snapshot.accounts}
        before = self._decoded.get(address)
        try:
            unchanged = before is not None and before[0] == accounts
            pool = before[1].at(snapshot) if before and unchanged else venue.decode(address, snapshot)
        except PoolUnreadable as error:
            return error
        self._decoded[address] = (accounts, pool)
        self._decoded.move_to_end(address)
        if len(self._decoded) > REMEMBERED_POOLS:
            self._decoded.popitem(last=False)
        return pool


def _further_needs(
    venues: Mapping[Pubkey, type[Pool]], needs: _Needs, snapshots: _Snapshots
) -> Iterator[tuple[Pubkey, tuple[Pubkey, ...]]]:
    for address, venue in venues.items():
        try:
            missing = missing_dependencies(venue, address, snapshots[address])
        except PoolUnreadable:
            continue  # decoding will say what is wrong
        if missing:
            yield address, (*needs[address], *missing)


def _groups(needs: _Needs) -> Iterator[list[Pubkey]]:
    group: list[Pubkey] = []
    size = 0
    for address, others in needs.items():
        needed = 1 + len(others)
        if group and size + needed > ACCOUNTS_PER_READ:
            yield group
            group, size = [], 0
        group.append(address)
        size += needed
    if group:
        yield group
