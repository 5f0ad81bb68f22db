"""Pools decoded from the accounts at hand, with the engine's own venues."""

from collections.abc import Callable, Iterable

from solders.account import Account
from solders.clock import Clock
from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import AccountSnapshot, Pool, missing_dependencies
from order_engine.papernet.images import to_domain
from order_engine.papernet.venues import POOL_OF_PROGRAM

Read = Callable[[Pubkey], Account | None]


def read_pool(address: Pubkey, read: Read, clock: Clock) -> Pool:
    """Return the pool at this moment.

    Raises:
        PoolUnreadable: it is not a pool of a known venue, or an account it needs is not what it should be.
    """
    account = to_domain(read(address))
    venue = POOL_OF_PROGRAM.get(account.owner) if account is not None else None
    if account is None or venue is None:
        raise PoolUnreadable(f"account {address} is not a pool of a known venue")
    snapshot = _snapshot([address, *venue.dependencies(address, account)], read, clock)
    missing = missing_dependencies(venue, address, snapshot)
    return venue.decode(address, _snapshot([*snapshot.accounts, *missing], read, clock) if missing else snapshot)


def _snapshot(keys: Iterable[Pubkey], read: Read, clock: Clock) -> AccountSnapshot:
    found = ((key, to_domain(read(key))) for key in keys)
    accounts = {key: account for key, account in found if account is not None}
    return AccountSnapshot(slot=clock.slot, unix_timestamp=clock.unix_timestamp, epoch=clock.epoch, accounts=accounts)
