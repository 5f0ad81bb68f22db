"""Times that only a wrong clock of the database can have written keep nobody waiting once it is right again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from order_engine.adapters.postgres.database import open_database
from order_engine.adapters.postgres.order_claims import PostgresOrderClaims
from order_engine.adapters.postgres.order_store import PostgresOrderStore
from order_engine.domain.order import AttemptStarted, OrderStatus
from order_engine.usecases.ports import AdmissionLimits
from tests.contract.order_samples import attempt_failed, claim_id, event_id, new_order, placed
from tests.faults.database import bend_clock, shift_clock

LEASE = timedelta(seconds=6)
AHEAD = timedelta(hours=1)
SMALL_STEP = timedelta(seconds=30)


@dataclass
class Clocked:
    url: str
    engine: AsyncEngine

    @property
    def store(self) -> PostgresOrderStore:
        return PostgresOrderStore(self.engine)

    def claims(self, max_starts_per_minute: int = 0) -> PostgresOrderClaims:
        limits = AdmissionLimits(max_in_flight=0, max_starts_per_minute=max_starts_per_minute)
        return PostgresOrderClaims(self.engine, limits, LEASE)

    async def shift(self, by: timedelta) -> None:
        await shift_clock(self.url, by)


@pytest.fixture
async def clocked(database_url: str) -> AsyncIterator[Clocked]:
    await bend_clock(database_url)
    engine = open_database(database_url, 2)
    yield Clocked(database_url, engine)
    await engine.dispose()


async def test_an_order_is_taken_over_that_was_claimed_when_the_clock_was_ahead(clocked: Clocked) -> None:
    await clocked.shift(AHEAD)
    order = await clocked.store.create(new_order())
    assert await clocked.claims().start(order.order_id, claim_id(), event_id())
    assert await clocked.claims().take_over(order.order_id, claim_id()) is None
    await clocked.shift(timedelta(0))
    assert order.order_id in (await clocked.claims().due(10)).order_ids
    assert await clocked.claims().take_over(order.order_id, claim_id())


async def test_a_retry_starts_that_was_put_off_when_the_clock_was_ahead(clocked: Clocked) -> None:
    await clocked.shift(AHEAD)
    order = await placed(clocked.store, AttemptStarted(), attempt_failed())
    assert order.status is OrderStatus.PENDING
    await clocked.shift(timedelta(0))
    assert order.order_id in (await clocked.claims(5).due(10)).order_ids
    assert await clocked.claims(5).start(order.order_id, claim_id(), event_id())


async def test_starts_of_when_the_clock_was_ahead_use_up_no_rate(clocked: Clocked) -> None:
    first, second = [await clocked.store.create(new_order()) for _ in range(2)]
    await clocked.shift(AHEAD)
    assert await clocked.claims(1).start(first.order_id, claim_id(), event_id())
    assert await clocked.claims(1).start(second.order_id, claim_id(), event_id()) is None
    await clocked.shift(timedelta(0))
    assert second.order_id in (await clocked.claims(1).due(10)).order_ids
    assert await clocked.claims(1).start(second.order_id, claim_id(), event_id())


async def test_a_small_step_back_neither_steals_an_order_nor_hastens_a_retry(clocked: Clocked) -> None:
    await clocked.shift(SMALL_STEP)
    held = await clocked.store.create(new_order())
    assert await clocked.claims().start(held.order_id, claim_id(), event_id())
    put_off = await placed(clocked.store, AttemptStarted(), attempt_failed())
    await clocked.shift(timedelta(0))
    assert (await clocked.claims().due(10)).order_ids == []
    assert await clocked.claims().take_over(held.order_id, claim_id()) is None
    assert await clocked.claims().start(put_off.order_id, claim_id(), event_id()) is None
