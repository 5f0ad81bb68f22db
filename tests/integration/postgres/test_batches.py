"""Concurrent calls of one process share round trips."""

import asyncio
from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from order_engine.adapters.postgres.database import is_reachable, open_database
from order_engine.adapters.postgres.order_claims import PostgresOrderClaims
from order_engine.adapters.postgres.order_store import PostgresOrderStore
from order_engine.domain.order import AttemptStarted
from order_engine.usecases.ports import AdmissionLimits
from tests.contract.conftest import LEASE
from tests.contract.order_samples import claim_id, event_id, new_order, placed, route_chosen
from tests.integration.postgres.intruder import Intruder


@pytest.fixture
def statements(engine: AsyncEngine) -> Iterator[list[str]]:
    """Every statement sent from now on."""
    sent: list[str] = []

    def record(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", record)
    yield sent
    event.remove(engine.sync_engine, "before_cursor_execute", record)


async def test_200_watchers_of_one_order_cost_one_query(store: PostgresOrderStore, statements: list[str]) -> None:
    order = await placed(store, AttemptStarted(), route_chosen())
    statements.clear()
    answers = await asyncio.gather(*(store.events(order.order_id, index % 3) for index in range(200)))
    assert len(statements) == 1
    assert [len(answer) for answer in answers[:3]] == [3, 2, 1]


async def test_many_orders_are_created_in_one_statement(store: PostgresOrderStore, statements: list[str]) -> None:
    statements.clear()
    orders = await asyncio.gather(*(store.create(new_order(f"key-{index}")) for index in range(100)))
    assert len(statements) == 1
    assert len({order.order_id for order in orders}) == 100


async def test_many_facts_are_one_transaction_of_a_few_statements(
    store: PostgresOrderStore, statements: list[str], intruder: Intruder
) -> None:
    orders = await asyncio.gather(*(store.create(new_order()) for _ in range(100)))
    statements.clear()
    await asyncio.gather(*(store.append(order, AttemptStarted(), event_id()) for order in orders))
    assert len(statements) == 2
    rows = intruder.connection.execute(
        "SELECT count(DISTINCT xmin::text), count(*) FROM order_events WHERE sequence = 2"
    )
    assert rows.fetchone() == (1, 100)


async def test_many_starts_are_one_admission(
    store: PostgresOrderStore, engine: AsyncEngine, statements: list[str]
) -> None:
    claims = PostgresOrderClaims(engine, AdmissionLimits(max_in_flight=30, max_starts_per_minute=0), LEASE)
    orders = [await store.create(new_order()) for _ in range(40)]
    statements.clear()
    claimed: list[UUID] = [claim_id() for _ in orders]
    answers = await asyncio.gather(
        *(claims.start(order.order_id, claim, event_id()) for order, claim in zip(orders, claimed, strict=True))
    )
    assert [answer is not None for answer in answers] == [True] * 30 + [False] * 10
    assert len(statements) <= 6
    assert await claims.renew(claimed) == set(claimed[:30])


async def test_a_database_says_whether_it_is_reachable(engine: AsyncEngine) -> None:
    assert await is_reachable(engine)
    nobody = open_database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1)
    assert not await is_reachable(nobody)


def test_a_pool_has_a_largest_size() -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        open_database("postgresql://localhost/x", pool_size=21)
