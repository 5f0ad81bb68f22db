"""In which order rows are locked, and who waits for whom."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from order_engine.adapters.postgres.order_claims import PostgresOrderClaims
from order_engine.adapters.postgres.order_store import PostgresOrderStore
from order_engine.domain.order import CancelRequested
from order_engine.usecases.ports import AdmissionLimits
from tests.contract.conftest import LEASE
from tests.contract.order_samples import claim_id, event_id, new_order
from tests.integration.postgres.intruder import Intruder

BLOCKED = """
    SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


@pytest.fixture
def blocker(database_url: str) -> Iterator[psycopg.Connection]:
    """A transaction of another process."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        yield connection


async def until_blocked(intruder: Intruder) -> None:
    async with asyncio.timeout(5):
        while intruder.connection.execute(BLOCKED).fetchone() == (0,):  # noqa: ASYNC110 only the server knows
            await asyncio.sleep(0.01)


async def test_a_batch_locks_its_orders_in_the_one_order_that_cannot_deadlock(
    store: PostgresOrderStore, intruder: Intruder, blocker: psycopg.Connection
) -> None:
    orders = sorted([await store.create(new_order()) for _ in range(8)], key=lambda order: order.order_id)
    blocker.execute("SELECT FROM orders WHERE order_id = %s FOR UPDATE", [orders[0].order_id])
    writes = [asyncio.create_task(store.append(order, CancelRequested(), event_id())) for order in reversed(orders)]
    await until_blocked(intruder)
    blocker.execute("SELECT FROM orders FOR UPDATE NOWAIT")
    blocker.rollback()
    assert len(await asyncio.gather(*writes)) == 8


@pytest.mark.parametrize("limits", [(1, 0), (0, 1), (10, 100)])
async def test_admission_is_one_process_at_a_time(
    store: PostgresOrderStore,
    engine: AsyncEngine,
    intruder: Intruder,
    blocker: psycopg.Connection,
    limits: tuple[int, int],
) -> None:
    order = await store.create(new_order())
    claims = PostgresOrderClaims(
        engine, AdmissionLimits(max_in_flight=limits[0], max_starts_per_minute=limits[1]), LEASE
    )
    blocker.execute("SELECT FROM admission FOR UPDATE")
    starting = asyncio.create_task(claims.start(order.order_id, claim_id(), event_id()))
    await until_blocked(intruder)
    moment = blocker.execute("SELECT clock_timestamp()").fetchone()
    blocker.rollback()
    started = await starting
    assert started is not None
    assert moment is not None
    assert started[1].event_time > moment[0]


async def test_without_limits_nobody_waits(
    store: PostgresOrderStore, engine: AsyncEngine, blocker: psycopg.Connection
) -> None:
    order = await store.create(new_order())
    blocker.execute("SELECT FROM admission FOR UPDATE")
    claims = PostgresOrderClaims(engine, AdmissionLimits(max_in_flight=0, max_starts_per_minute=0), LEASE)
    assert await claims.start(order.order_id, claim_id(), event_id()) is not None
