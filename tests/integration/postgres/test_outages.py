"""What callers see when PostgreSQL is away, slow, or refuses, and that all goes on afterwards."""

import asyncio
import time

import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from order_engine.adapters.postgres.database import open_database, read
from order_engine.adapters.postgres.order_claims import PostgresOrderClaims
from order_engine.adapters.postgres.order_store import PostgresOrderStore
from order_engine.domain.errors import Unavailable
from order_engine.domain.order import AttemptStarted, CancelRequested
from order_engine.usecases.ports import AdmissionLimits
from tests.contract.conftest import LEASE
from tests.contract.order_samples import claim_id, drive, event_id, new_order, placed, route_chosen
from tests.integration.postgres.intruder import Intruder
from tests.integration.postgres.silent_server import silent_proxy

TERMINATE = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'order_engine'
"""

BLOCKED = """
    SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


def terminate_all(intruder: Intruder) -> int:
    return len(intruder.connection.execute(TERMINATE).fetchall())


async def test_connections_that_broke_while_idle_are_replaced_unseen(
    store: PostgresOrderStore, intruder: Intruder
) -> None:
    order = await store.create(new_order())
    assert terminate_all(intruder) >= 1
    assert await store.get(order.order_id) == order
    assert terminate_all(intruder) >= 1
    await drive(store, order, AttemptStarted())


async def test_a_connection_lost_at_work_is_unavailable_and_the_retry_decides(
    store: PostgresOrderStore, intruder: Intruder, database_url: str
) -> None:
    order, identity, fact = await placed(store, AttemptStarted()), event_id(), route_chosen()
    with psycopg.connect(database_url.replace("+psycopg", "")) as blocker:
        blocker.execute("SELECT FROM orders FOR UPDATE")
        appending = asyncio.create_task(store.append(order, fact, identity))
        while intruder.connection.execute(BLOCKED).fetchone() == (0,):  # noqa: ASYNC110 only the server knows
            await asyncio.sleep(0.01)
        terminate_all(intruder)
        with pytest.raises(Unavailable):
            await appending
    first = await store.append(order, fact, identity)
    assert await store.append(order, fact, identity) == first


async def test_nobody_listening_is_unavailable_at_once() -> None:
    engine = open_database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=2)
    store = PostgresOrderStore(engine)
    claims = PostgresOrderClaims(engine, AdmissionLimits(max_in_flight=1, max_starts_per_minute=1), LEASE)
    order, began = new_order(), time.monotonic()
    calls = [
        store.create(order),
        store.get(order.order_id),
        store.append(order, AttemptStarted(), event_id()),
        store.events(order.order_id, 0),
        store.latest_sequences([order.order_id]),
        store.live_transaction(order.order_id),
        claims.start(order.order_id, claim_id(), event_id()),
        claims.take_over(order.order_id, claim_id()),
        claims.renew([claim_id()]),
        claims.due(10),
    ]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable] * len(calls)
    assert time.monotonic() - began < 3
    await engine.dispose()


async def test_an_unknown_database_is_unavailable_and_names_no_secret(database_url: str) -> None:
    url = make_url(database_url).set(database="nowhere", password="hunter2").render_as_string(hide_password=False)
    engine = open_database(url, pool_size=1)
    with pytest.raises(Unavailable) as refusal:
        await PostgresOrderStore(engine).create(new_order())
    assert "hunter2" not in str(refusal.value)
    await engine.dispose()


async def test_a_pool_without_a_free_connection_is_unavailable(database_url: str) -> None:
    engine = open_database(database_url, pool_size=1)
    store, began = PostgresOrderStore(engine), time.monotonic()
    async with engine.connect():
        with pytest.raises(Unavailable):
            await store.create(new_order())
    assert time.monotonic() - began < 3
    assert await store.create(new_order())
    await engine.dispose()


async def test_a_row_that_is_locked_elsewhere_delays_but_does_not_fail_its_batch(
    store: PostgresOrderStore, database_url: str
) -> None:
    orders = [await store.create(new_order()) for _ in range(5)]
    with psycopg.connect(database_url.replace("+psycopg", "")) as blocker:
        blocker.execute("SELECT FROM orders WHERE order_id = %s FOR UPDATE", [orders[2].order_id])
        answers = await asyncio.gather(
            *(store.append(order, CancelRequested(), event_id()) for order in orders), return_exceptions=True
        )
    assert isinstance(answers.pop(2), Unavailable)
    assert [type(answer) for answer in answers] == [tuple] * 4
    await drive(store, orders[2], CancelRequested())


async def test_processes_that_write_the_same_orders_in_another_order_do_not_deadlock(engine: AsyncEngine) -> None:
    stores = [PostgresOrderStore(engine) for _ in range(3)]
    orders = [await stores[0].create(new_order()) for _ in range(20)]
    mixed = [(store, order) for order in orders for store in stores], [(s, o) for s in stores for o in orders[::-1]]
    writes = [store.append(order, AttemptStarted(), event_id()) for part in mixed for store, order in part]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(answer, tuple) for answer in answers) == 20
    assert not any(isinstance(answer, Unavailable) for answer in answers)


async def test_a_cancelled_query_leaves_the_pool_whole(engine: AsyncEngine) -> None:
    for _ in range(6):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read(engine, text("SELECT pg_sleep(2)")), 0.05)
    assert await asyncio.gather(*(read(engine, text("SELECT 1")) for _ in range(8)))


async def test_a_server_that_never_answers_is_unavailable_within_three_seconds(database_url: str) -> None:
    async with silent_proxy(database_url) as (proxy, url):
        engine = open_database(url, pool_size=5)
        store = PostgresOrderStore(engine)
        order = await store.create(new_order())
        proxy.fall_silent()
        began = time.monotonic()
        outcomes = await asyncio.gather(
            store.create(new_order()),
            store.append(order, AttemptStarted(), event_id()),
            store.get(order.order_id),
            return_exceptions=True,
        )
        assert [type(one) for one in outcomes] == [Unavailable] * 3
        assert time.monotonic() - began < 4
        proxy.recover()
        assert (await store.get(order.order_id)).sequence == 1
        await store.create(new_order())
        await engine.dispose()
