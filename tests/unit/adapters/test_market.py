"""Pools of a pair are read together, shared by all who ask at that moment, and left out by name when they cannot be."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from solders.pubkey import Pubkey

from order_engine.adapters.solana import market as market_module
from order_engine.adapters.solana.market import SolanaMarket
from order_engine.adapters.solana.pool_index import Found, ListedPools
from order_engine.domain.errors import ChainUnavailable, PoolUnreadable
from order_engine.domain.pool import Account, AccountSnapshot
from order_engine.usecases.ports import Chain
from order_engine.venues.raydium_clmm import layout
from order_engine.venues.raydium_clmm.pool import RaydiumClmmPool
from order_engine.venues.raydium_clmm.tick_arrays import Tick
from order_engine.venues.raydium_clmm.ticks import sqrt_price_at_tick
from tests.unit.raydium_clmm_samples import ADDRESS, LIQUIDITY, STATE, World, owned, with_state

PAIR = frozenset(STATE.mints)
OTHER_PAIR = frozenset({STATE.mints[0], Pubkey([77] * 32)})
FAR = -320_000
FAR_WORLD = World(
    state=replace(STATE, tick_current=FAR, sqrt_price_x64=sqrt_price_at_tick(FAR)),
    ticks=(Tick(FAR - 10_000, LIQUIDITY, LIQUIDITY), Tick(FAR + 10_000, -LIQUIDITY, LIQUIDITY)),
)


@dataclass
class Outside:
    """A chain with one CLMM pool on it, and an index that has its account as `indexed`."""

    world: World = field(default_factory=World)
    indexed: Account | None = None
    slot: int = 500
    reads: list[Sequence[Pubkey]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    failing: bool = False
    lost_pairs: frozenset[frozenset[Pubkey]] = frozenset()
    left_out: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    async def accounts(self, addresses: Sequence[Pubkey]) -> AccountSnapshot:
        self.reads.append(addresses)
        await self.gate.wait()
        if self.failing:
            raise ChainUnavailable("away")
        snapshot = self.world.snapshot()
        found = {key: snapshot.accounts[key] for key in addresses if key in snapshot.accounts}
        return replace(snapshot, slot=self.slot, accounts=found)

    async def pools(self, program_id: Pubkey, mint_a: Pubkey, mint_b: Pubkey) -> Found:
        pair = frozenset({mint_a, mint_b})
        if pair in self.lost_pairs:
            raise ChainUnavailable("no index")
        if pair != PAIR:
            return Found(())
        return Found([(ADDRESS, self.indexed or self.world.accounts()[ADDRESS])], self.left_out)

    @property
    def chain(self) -> Chain:
        chain: Chain = self  # type: ignore[assignment]
        return chain

    def market(self, *, refresh_s: float = 3600, timeout_s: float = 5) -> SolanaMarket:
        return SolanaMarket(
            self.chain,
            self,
            {layout.PROGRAM_ID: RaydiumClmmPool},
            refresh=timedelta(seconds=refresh_s),
            venue_timeout=timedelta(seconds=timeout_s),
        )


async def test_however_many_orders_ask_at_once_a_pool_is_read_once() -> None:
    outside = Outside()
    market = outside.market()
    views = await asyncio.gather(*(market.view([PAIR]) for _ in range(20)))
    assert len(outside.reads) == 1
    assert [pool.address for pool in views[0].pools] == [ADDRESS]
    assert all(view.pools[0] is views[0].pools[0] for view in views)


async def test_a_view_says_the_newest_slot_and_each_pool_its_own() -> None:
    outside = Outside()
    market = outside.market(refresh_s=0)
    old = await market.view([PAIR])
    outside.slot = 507
    new = await market.view([PAIR])
    assert (old.slot, old.pools[0].slot) == (500, 500)
    assert (new.slot, new.pools[0].slot) == (507, 507)


async def test_what_was_read_is_used_again_until_it_is_too_old() -> None:
    outside = Outside()
    market = outside.market(refresh_s=3600)
    await market.view([PAIR])
    await market.view([PAIR])
    assert len(outside.reads) == 1
    impatient = outside.market(refresh_s=0)
    await impatient.view([PAIR])
    await impatient.view([PAIR])
    assert len(outside.reads) == 3


async def test_a_view_keeps_what_it_found_fresh_when_it_is_forgotten_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    class TwoPairs(Outside):
        async def pools(self, program_id: Pubkey, mint_a: Pubkey, mint_b: Pubkey) -> Found:
            other = Found([(Pubkey([78] * 32), self.world.accounts()[ADDRESS])])
            return (
                other if frozenset({mint_a, mint_b}) == OTHER_PAIR else await super().pools(program_id, mint_a, mint_b)
            )

    monkeypatch.setattr(market_module, "REMEMBERED_POOLS", 0)
    outside = TwoPairs()
    market = outside.market(refresh_s=0.05)
    await market.view([PAIR])
    outside.gate.clear()
    both = asyncio.create_task(market.view([PAIR, OTHER_PAIR]))
    await asyncio.sleep(0.01)
    assert len(outside.reads) == 2
    next_ones = asyncio.create_task(market.view([OTHER_PAIR]))
    await asyncio.sleep(0.06)
    outside.gate.set()
    assert [pool.address for pool in (await both).pools] == [ADDRESS]
    assert not (await next_ones).pools


async def test_accounts_that_did_not_change_are_not_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside()
    market = outside.market(refresh_s=0)
    decoded: list[Pubkey] = []
    decode = RaydiumClmmPool.decode

    def counted(address: Pubkey, snapshot: AccountSnapshot) -> RaydiumClmmPool:
        decoded.append(address)
        return decode(address, snapshot)

    monkeypatch.setattr(RaydiumClmmPool, "decode", counted)
    await market.view([PAIR])
    outside.slot = 501
    assert (await market.view([PAIR])).pools[0].slot == 501
    assert len(decoded) == 1
    outside.world = with_state(outside.world, liquidity=STATE.liquidity + 1)
    changed = (await market.view([PAIR])).pools[0]
    assert len(decoded) == 2
    assert isinstance(changed, RaydiumClmmPool)
    assert changed.state.liquidity == STATE.liquidity + 1


async def test_what_the_pool_itself_knows_of_is_read_once() -> None:
    outside = Outside()
    assert (await outside.market().view([PAIR])).pools
    assert len(outside.reads) == 1


async def test_arrays_that_another_account_names_take_a_second_reading_of_everything() -> None:
    outside = Outside(FAR_WORLD)
    assert (await outside.market().view([PAIR])).pools
    first, second = map(set, outside.reads)
    assert first < second
    assert len(second - first) == 2


async def test_an_index_that_lags_behind_the_price_costs_one_more_reading() -> None:
    ticks = tuple(Tick(600 * number, 0, LIQUIDITY) for number in range(-20, 20))
    old = World(ticks=ticks)
    moved = with_state(old, tick_current=6_000, sqrt_price_x64=sqrt_price_at_tick(6_000))
    outside = Outside(moved, old.accounts()[ADDRESS])
    assert (await outside.market().view([PAIR])).pools
    assert len(outside.reads) == 2


async def test_a_pool_that_turned_unreadable_is_left_out_by_name() -> None:
    broken = World(others={ADDRESS: owned(layout.PROGRAM_ID, bytes(layout.POOL_SIZE))})
    view = await Outside(broken, World().accounts()[ADDRESS]).market().view([PAIR])
    assert not view.pools
    assert [(one.venue, one.pool, one.reason.split(":")[0]) for one in view.left_out] == [
        ("raydium_clmm", ADDRESS, "POOL_UNREADABLE")
    ]


async def test_a_venue_slower_than_its_time_fails_the_view_when_it_is_the_only_one() -> None:
    outside = Outside()
    outside.gate.clear()
    with pytest.raises(ChainUnavailable, match="longer than 20 ms"):
        await outside.market(timeout_s=0.02).view([PAIR])
    outside.gate.set()


async def test_a_slow_venue_is_left_out_and_the_others_answer() -> None:
    slow, quick = Outside(), Outside()
    slow.gate.clear()

    class Second(RaydiumClmmPool):
        VENUE = "second"
        PROGRAM_ID = Pubkey([9] * 32)

    class Both(Outside):
        async def accounts(self, addresses: Sequence[Pubkey]) -> AccountSnapshot:
            return await (slow if ADDRESS in addresses else quick).accounts(addresses)

        async def pools(self, program_id: Pubkey, mint_a: Pubkey, mint_b: Pubkey) -> Found:
            return await slow.pools(program_id, mint_a, mint_b) if program_id == layout.PROGRAM_ID else Found(())

    both = Both()
    market = SolanaMarket(
        both.chain,
        both,
        {layout.PROGRAM_ID: RaydiumClmmPool, Second.PROGRAM_ID: Second},
        refresh=timedelta(hours=1),
        venue_timeout=timedelta(milliseconds=20),
    )
    view = await market.view([PAIR])
    assert [(one.venue, one.pool) for one in view.left_out] == [("raydium_clmm", None)]
    assert view.left_out[0].reason.startswith("VENUE_UNAVAILABLE: its accounts took longer than 20 ms")
    slow.gate.set()


async def test_a_pair_that_cannot_be_looked_for_leaves_the_other_pairs_to_trade_on() -> None:
    outside = Outside(lost_pairs=frozenset({OTHER_PAIR}))
    view = await outside.market().view([PAIR, OTHER_PAIR])
    assert [pool.address for pool in view.pools] == [ADDRESS]
    assert [one.reason for one in view.left_out] == ["VENUE_UNAVAILABLE: no index"]


async def test_a_chain_that_fails_while_reading_is_told_and_asked_again_next_time() -> None:
    outside = Outside(failing=True)
    market = outside.market()
    with pytest.raises(ChainUnavailable, match="away"):
        await market.view([PAIR])
    outside.failing = False
    assert (await market.view([PAIR])).pools


async def test_pools_that_are_too_many_are_told() -> None:
    view = await Outside(left_out=4_992).market().view([PAIR])
    assert [pool.address for pool in view.pools] == [ADDRESS]
    assert [(one.pool, one.reason) for one in view.left_out] == [
        (None, "TOO_MANY_POOLS: 4992 pools that hold less were left out")
    ]


async def test_named_pools_are_read_anew_and_a_wrong_one_is_an_error() -> None:
    outside = Outside()
    market = outside.market()
    await market.view([PAIR])
    assert set(await market.read({ADDRESS: "raydium_clmm"})) == {ADDRESS}
    assert len(outside.reads) == 3  # the view's, the pool's account, and all that it needs
    with pytest.raises(PoolUnreadable, match="does not exist"):
        await market.read({Pubkey([99] * 32): "raydium_clmm"})
    with pytest.raises(PoolUnreadable, match="no venue is called given_up"):
        await market.read({ADDRESS: "given_up"})


async def test_only_listed_pools_are_traded_on_and_each_is_known_by_its_pair() -> None:
    outside = Outside()
    listed = ListedPools(outside.chain, {layout.PROGRAM_ID: RaydiumClmmPool}, [ADDRESS, Pubkey([99] * 32)])
    found = await asyncio.gather(*(listed.pools(layout.PROGRAM_ID, *STATE.mints) for _ in range(5)))
    assert [[address for address, _ in one.pools] for one in found] == [[ADDRESS]] * 5
    assert await listed.pools(layout.PROGRAM_ID, STATE.mints[0], Pubkey([77] * 32)) == Found(())
    assert len(outside.reads) == 2


async def test_a_listed_pool_that_could_not_be_read_is_tried_again() -> None:
    outside = Outside(failing=True)
    listed = ListedPools(outside.chain, {layout.PROGRAM_ID: RaydiumClmmPool}, [ADDRESS], try_again=timedelta(0))
    with pytest.raises(ChainUnavailable):
        await listed.pools(layout.PROGRAM_ID, *STATE.mints)
    outside.failing = False
    found = await listed.pools(layout.PROGRAM_ID, *STATE.mints)
    assert [address for address, _ in found.pools] == [ADDRESS]
