"""A pool moved on in time is the pool that its accounts would decode to then, also after it was asked for quotes."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from order_engine.domain.errors import AmountTooSmall, QuoteRefused
from order_engine.domain.pool import AccountSnapshot, Pool, Quote, SwapRequest
from order_engine.papernet.vector_file import PoolDump, VectorFile, load_json
from order_engine.venues import VENUES
from order_engine.venues.meteora_dlmm.pool import MeteoraDlmmPool
from order_engine.venues.raydium_clmm.pool import RaydiumClmmPool

DATA: Final = Path(__file__).parent / "data"
FILES: Final = {
    venue.VENUE: (venue, VectorFile.model_validate(load_json(DATA / f"{venue.VENUE}.json.gz")))
    for venue in VENUES.values()
}
LATER_SECONDS: Final = (0, 1, 30, 300, 3_000, 1_000_000)


def snapshot_of(dump: PoolDump) -> AccountSnapshot:
    clock = dump.clock
    accounts = {account.pubkey: account.to_account() for account in dump.accounts}
    return AccountSnapshot(slot=clock.slot, unix_timestamp=clock.unix_timestamp, epoch=clock.epoch, accounts=accounts)


def later(snapshot: AccountSnapshot, seconds: int) -> AccountSnapshot:
    return replace(
        snapshot,
        slot=snapshot.slot + seconds * 5 // 2,
        unix_timestamp=snapshot.unix_timestamp + seconds,
        epoch=snapshot.epoch + seconds // 3_000,
    )


def requests(file: VectorFile, name: str) -> list[SwapRequest]:
    return [
        SwapRequest(token_in=vector.user.mint_in, token_out=vector.user.mint_out, amount_in=vector.amount)
        for vector in file.vectors
        if vector.pool == name and vector.kind == "exact_in"
    ]


def answers(pool: Pool, asked: list[SwapRequest]) -> Iterator[Quote | type[Exception]]:
    for request in asked:
        try:
            yield pool.quote(request)
        except (AmountTooSmall, QuoteRefused) as refusal:
            yield type(refusal)


@pytest.mark.parametrize("venue", FILES)
def test_a_pool_moved_on_is_the_pool_decoded_then(venue: str) -> None:
    kind, file = FILES[venue]
    for name, dump in file.pools.items():
        asked, snapshots = requests(file, name), [later(snapshot_of(dump), seconds) for seconds in LATER_SECONDS]
        pool = kind.decode(dump.address("pool"), snapshots[0])
        assert len(list(answers(pool, asked))) == len(asked) > 0
        for snapshot in snapshots:
            pool, decoded = pool.at(snapshot), kind.decode(dump.address("pool"), snapshot)
            assert (name, pool) == (name, decoded)
            assert (name, list(answers(pool, asked))) == (name, list(answers(decoded, asked)))


def test_the_later_moments_matter_to_some_pools() -> None:
    """Otherwise the test above would pass with a pool that stays where it is."""
    changed = set()
    for venue, (kind, file) in FILES.items():
        for name, dump in file.pools.items():
            decoded = [
                kind.decode(dump.address("pool"), later(snapshot_of(dump), seconds)) for seconds in LATER_SECONDS
            ]
            amounts = [
                [answer.amount_out for answer in answers(pool, requests(file, name)) if isinstance(answer, Quote)]
                for pool in decoded
            ]
            changed |= {venue for one, next_one in pairwise(amounts) if one != next_one}
    assert changed == {"raydium_cpmm", "raydium_clmm", "meteora_dlmm", "meteora_damm_v2"}


@pytest.mark.parametrize("venue", ["raydium_clmm", "meteora_dlmm"])
def test_running_sums_are_kept_while_the_volatility_counts_from_where_it_did(venue: str) -> None:
    kind, file = FILES[venue]
    kept = {name: set[int]() for name in file.pools}
    for name, dump in file.pools.items():
        snapshot = snapshot_of(dump)
        pool = kind.decode(dump.address("pool"), snapshot)
        kept[name] = {
            seconds for seconds in LATER_SECONDS if sums_of(pool.at(later(snapshot, seconds))) is sums_of(pool)
        }
    assert all({0, 1} & seconds for seconds in kept.values())
    assert set(LATER_SECONDS) in kept.values()


def sums_of(pool: Pool) -> object:
    assert isinstance(pool, RaydiumClmmPool | MeteoraDlmmPool)
    return pool._paths if isinstance(pool, RaydiumClmmPool) else pool._walks
