"""Lookup tables are read once in a while; what a transaction could not refer to is left out."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from solders.pubkey import Pubkey

from order_engine.adapters.solana.lookup_tables import TABLE_PROGRAM, ChainLookupTables, usable_addresses
from order_engine.domain.errors import ChainUnavailable, PoolUnreadable
from order_engine.domain.pool import Account, AccountSnapshot
from order_engine.usecases.ports import Chain

TABLE, OTHER = Pubkey([9] * 32), Pubkey([8] * 32)
KEYS = [Pubkey([number] * 32) for number in range(1, 6)]
NEVER = 2**64 - 1


def account(
    *, kind: int = 1, deactivated_at: int = NEVER, extended_at: int = 10, extension_start: int = 0, keys: int = 5
) -> Account:
    header = struct.pack("<IQQB", kind, deactivated_at, extended_at, extension_start).ljust(56, b"\0")
    return Account(owner=TABLE_PROGRAM, lamports=1, data=header + b"".join(map(bytes, KEYS[:keys])))


@dataclass
class FakeChain:
    tables: dict[Pubkey, Account] = field(default_factory=dict)
    slot: int = 20
    reads: int = 0
    failing: bool = False

    async def accounts(self, addresses: Sequence[Pubkey]) -> AccountSnapshot:
        self.reads += 1
        if self.failing:
            raise ChainUnavailable("away")
        found = {address: self.tables[address] for address in addresses if address in self.tables}
        return AccountSnapshot(slot=self.slot, unix_timestamp=0, epoch=0, accounts=found)


def tables(chain: FakeChain, *addresses: Pubkey, remember: timedelta = timedelta(hours=1)) -> ChainLookupTables:
    fake: Chain = chain  # type: ignore[assignment]
    return ChainLookupTables(fake, addresses, remember)


async def test_without_tables_nothing_is_read() -> None:
    chain = FakeChain()
    assert await tables(chain).current() == ()
    assert chain.reads == 0


async def test_tables_are_read_together_and_remembered() -> None:
    chain = FakeChain({TABLE: account(), OTHER: account(keys=2)})
    known = tables(chain, TABLE, OTHER)
    for _ in range(3):
        assert [(one.key, list(one.addresses)) for one in await known.current()] == [(TABLE, KEYS), (OTHER, KEYS[:2])]
    assert chain.reads == 1


async def test_what_was_remembered_for_too_long_is_read_again() -> None:
    chain = FakeChain({TABLE: account(keys=2)})
    known = tables(chain, TABLE, remember=timedelta(0))
    await known.current()
    chain.tables[TABLE] = account(keys=3)
    assert [len(one.addresses) for one in await known.current()] == [3]


async def test_a_missing_or_foreign_table_is_left_out_and_the_others_serve() -> None:
    foreign = Account(owner=Pubkey([7] * 32), lamports=1, data=account().data)
    chain = FakeChain({TABLE: account(), OTHER: foreign})
    assert [one.key for one in await tables(chain, OTHER, Pubkey([6] * 32), TABLE).current()] == [TABLE]


async def test_a_chain_that_is_away_is_told_and_asked_again() -> None:
    chain = FakeChain({TABLE: account()}, failing=True)
    known = tables(chain, TABLE)
    with pytest.raises(ChainUnavailable):
        await known.current()
    chain.failing = False
    assert [one.key for one in await known.current()] == [TABLE]


def test_addresses_added_in_this_very_slot_come_later() -> None:
    extended = account(extended_at=20, extension_start=3)
    assert usable_addresses(extended, 20) == KEYS[:3]
    assert usable_addresses(extended, 21) == KEYS


@pytest.mark.parametrize(
    "bad",
    [
        account(kind=0),
        account(deactivated_at=15),
        Account(owner=TABLE_PROGRAM, lamports=1, data=account().data[:55]),
    ],
    ids=["uninitialized", "deactivated", "cut off"],
)
def test_a_table_that_is_not_in_use_is_an_error(bad: Account) -> None:
    with pytest.raises(PoolUnreadable):
        usable_addresses(bad, 20)


def test_half_an_address_at_the_end_is_ignored() -> None:
    whole = account()
    assert usable_addresses(Account(owner=whole.owner, lamports=1, data=whole.data[:-1]), 20) == KEYS[:4]
