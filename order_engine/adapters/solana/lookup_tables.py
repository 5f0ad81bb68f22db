"""LookupTables from the chain: read when a transaction is planned, and remembered for a while."""

import asyncio
import struct
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from typing import Final

import structlog
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account, AccountSnapshot
from order_engine.usecases.ports import Chain

TABLE_PROGRAM: Final = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
_HEADER: Final = struct.Struct("<IQQB")  # kind, deactivation slot, last extended slot, where that extension began
_HEADER_BYTES, _KEY_BYTES = 56, 32
_INITIALIZED: Final = 1
_NEVER: Final = 2**64 - 1

log = structlog.get_logger(__name__)


class ChainLookupTables:
    """Tables that are missing or deactivated are left out, and said once for each reading."""

    def __init__(self, chain: Chain, addresses: Sequence[Pubkey], remember: timedelta = timedelta(seconds=60)) -> None:
        self._chain = chain
        self._addresses = addresses
        self._remember = remember.total_seconds()
        self._known: tuple[AddressLookupTableAccount, ...] = ()
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def current(self) -> Sequence[AddressLookupTableAccount]:
        if not self._addresses:
            return ()
        async with self._reading:
            if self._read_at is None or monotonic() - self._read_at > self._remember:
                snapshot = await self._chain.accounts(self._addresses)
                self._known = tuple(filter(None, (_table(address, snapshot) for address in self._addresses)))
                self._read_at = monotonic()
        return self._known


def _table(address: Pubkey, snapshot: AccountSnapshot) -> AddressLookupTableAccount | None:
    try:
        return AddressLookupTableAccount(
            address, usable_addresses(snapshot.require(address, TABLE_PROGRAM), snapshot.slot)
        )
    except PoolUnreadable as error:
        log.warning("lookup_table_unusable", table=str(address), error=error.message)
        return None


def usable_addresses(account: Account, slot: int) -> list[Pubkey]:
    """Return what a transaction may refer to at a slot: what was added in that very slot comes later.

    Raises:
        PoolUnreadable: the account is no active table.
    """
    if len(account.data) < _HEADER_BYTES:
        raise PoolUnreadable("it is shorter than a table")
    kind, deactivation_slot, extended_slot, extension_start = _HEADER.unpack_from(account.data)
    if kind != _INITIALIZED:
        raise PoolUnreadable("it is no table")
    if deactivation_slot != _NEVER:
        raise PoolUnreadable(f"it was deactivated at slot {deactivation_slot}")
    keys = range(_HEADER_BYTES, len(account.data) - _KEY_BYTES + 1, _KEY_BYTES)
    addresses = [Pubkey(account.data[at : at + _KEY_BYTES]) for at in keys]
    return addresses if extended_slot < slot else addresses[:extension_start]
