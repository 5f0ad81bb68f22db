"""Pools whose dependencies follow the price are read again, with all they turned out to need, at one slot."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from solders.pubkey import Pubkey

from order_engine.domain.pool import Account, AccountSnapshot
from order_engine.usecases.find_route import Decision, FindRoute
from order_engine.usecases.ports import Chain, PoolIndex
from order_engine.venues.raydium_clmm import layout
from order_engine.venues.raydium_clmm.pool import RaydiumClmmPool
from order_engine.venues.raydium_clmm.tick_arrays import Tick
from order_engine.venues.raydium_clmm.ticks import sqrt_price_at_tick
from tests.unit.raydium_clmm_samples import ADDRESS, LIQUIDITY, STATE, World, owned, request, with_state

FAR = -320_000
FAR_WORLD = World(
    state=replace(STATE, tick_current=FAR, sqrt_price_x64=sqrt_price_at_tick(FAR)),
    ticks=(Tick(FAR - 10_000, LIQUIDITY, LIQUIDITY), Tick(FAR + 10_000, -LIQUIDITY, LIQUIDITY)),
)


@dataclass
class OnePool:
    """A chain with one world on it, and an index that has its pool as `indexed`."""

    world: World
    indexed: Account
    reads: list[Sequence[Pubkey]] = field(default_factory=list)

    async def accounts(self, addresses: Sequence[Pubkey]) -> AccountSnapshot:
        self.reads.append(addresses)
        snapshot = self.world.snapshot()
        return replace(
            snapshot, accounts={key: snapshot.accounts[key] for key in addresses if key in snapshot.accounts}
        )

    async def pools(self, program_id: Pubkey, mint_a: Pubkey, mint_b: Pubkey) -> Sequence[tuple[Pubkey, Account]]:
        return [(ADDRESS, self.indexed)]


async def routed(outside: OnePool, amount: int) -> Decision:
    chain: Chain = outside  # type: ignore[assignment]
    index: PoolIndex = outside
    find_route = FindRoute(
        chain=chain,
        pool_index=index,
        venues={layout.PROGRAM_ID: RaydiumClmmPool},
        venue_timeout=timedelta(seconds=5),
        compute_unit_price_micro_lamports=1,
    )
    return await find_route(request(amount), 50)


async def test_what_the_pool_itself_knows_of_is_read_once() -> None:
    outside = OnePool(World(), World().accounts()[ADDRESS])
    assert (await routed(outside, 10**9)).route is not None
    assert len(outside.reads) == 1


async def test_arrays_that_another_account_names_take_a_second_reading_of_everything() -> None:
    outside = OnePool(FAR_WORLD, FAR_WORLD.accounts()[ADDRESS])
    decision = await routed(outside, 10**15)
    assert decision.route is not None
    assert decision.route.amount_out > 0
    first, second = map(set, outside.reads)
    assert first < second
    assert len(second - first) == 2


async def test_an_index_that_lags_behind_the_price_costs_one_more_reading() -> None:
    ticks = tuple(Tick(600 * number, 0, LIQUIDITY) for number in range(-20, 20))
    old = World(ticks=ticks)
    moved = with_state(old, tick_current=6_000, sqrt_price_x64=sqrt_price_at_tick(6_000))
    outside = OnePool(moved, old.accounts()[ADDRESS])
    assert (await routed(outside, 10**9)).route is not None
    assert len(outside.reads) == 2


async def test_a_pool_that_turned_unreadable_is_a_rejected_candidate() -> None:
    world = World(others={ADDRESS: owned(layout.PROGRAM_ID, bytes(layout.POOL_SIZE))})
    decision = await routed(OnePool(world, World().accounts()[ADDRESS]), 10**9)
    assert decision.route is None
    assert [one.reject_reason.split(":")[0] for one in decision.candidates] == ["POOL_UNREADABLE"]
