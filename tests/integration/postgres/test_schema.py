import asyncio
import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url

from order_engine.adapters.postgres.migrate import migrate
from order_engine.adapters.postgres.order_store import PostgresOrderStore
from order_engine.domain.order import AttemptStarted, CancelRequested
from tests.contract.order_samples import attempt_failed, drive, new_order, placed, route_chosen
from tests.integration.postgres.intruder import Intruder

IN_FLIGHT = "status IN ('routing', 'building', 'submitted')"
NEWEST = "ORDER BY create_time DESC, order_id DESC LIMIT 50"
QUERIES = {
    "orders_newest": f"owner = 'local' AND (create_time, order_id) < (now(), gen_random_uuid()) {NEWEST}",
    "orders_by_status": f"owner = 'local' AND status = 'confirmed' {NEWEST}",
    "orders_by_client_order_id": f"owner = 'local' AND client_order_id = 'a' AND client_order_id <> '' {NEWEST}",
    "orders_by_token_in": f"owner = 'local' AND token_in = 'a' {NEWEST}",
    "orders_by_token_out": f"owner = 'local' AND token_out = 'a' {NEWEST}",
    "orders_request": "owner = 'local' AND request_id = 'a' AND request_id <> ''",
    "orders_due": "status = 'pending' AND next_attempt_at <= now()"
    " ORDER BY next_attempt_at, create_time, order_id LIMIT 10",
    "orders_in_flight": f"{IN_FLIGHT} AND claimed_by = ANY(ARRAY[gen_random_uuid()])",
}


@pytest.fixture
def empty_url(database_url: str) -> Iterator[str]:
    """A database without a schema."""
    name = f"order_engine_test_{secrets.token_hex(6)}"
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        yield make_url(database_url).set(database=name).render_as_string(hide_password=False)
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


async def test_migrations_that_start_together_run_once(empty_url: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(migrate, empty_url) for _ in range(4)))
    migrate(empty_url)
    with psycopg.connect(empty_url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT count(*) FROM admission").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


@pytest.mark.parametrize("index", QUERIES)
async def test_each_query_of_the_api_has_its_index(store: PostgresOrderStore, intruder: Intruder, index: str) -> None:
    await placed(store, AttemptStarted(), route_chosen())
    intruder.runs("SET enable_seqscan = off", "SET enable_bitmapscan = off")
    statement = f"EXPLAIN SELECT * FROM orders WHERE {QUERIES[index]}"  # noqa: S608
    plan = intruder.connection.execute(statement.encode()).fetchall()
    lines = [line for (line,) in plan]
    assert any(index in line for line in lines), lines
    assert not any("Sort" in line for line in lines), lines


async def test_orders_by_venue_are_read_newest_first_without_sorting(
    store: PostgresOrderStore, intruder: Intruder
) -> None:
    other, older, newer = [
        await placed(store, AttemptStarted(), route_chosen(venue)) for venue in ("other", "venue", "other")
    ]
    newer, _ = await drive(store, newer, attempt_failed(), AttemptStarted(), route_chosen("venue"))
    query = f"SELECT order_id FROM order_venues WHERE owner = 'local' AND venue = %s {NEWEST}"  # noqa: S608
    intruder.runs("SET enable_seqscan = off", "SET enable_bitmapscan = off")
    for venue, expected in {"venue": [newer, older], "other": [newer, other], "none": []}.items():
        rows = intruder.connection.execute(query.encode(), [venue]).fetchall()
        assert rows == [(order.order_id,) for order in expected]
    plan = intruder.connection.execute(f"EXPLAIN {query}".encode(), ["venue"]).fetchall()
    assert "order_venues_pkey" in str(plan)
    assert "Sort" not in str(plan)


async def test_renewing_a_lease_touches_no_index(store: PostgresOrderStore, intruder: Intruder) -> None:
    order = await placed(store, AttemptStarted())
    hot = "SELECT pg_stat_get_xact_tuples_hot_updated('orders'::regclass)"
    with intruder.connection.transaction():
        intruder.connection.execute(
            "UPDATE orders SET claimed_until = clock_timestamp() WHERE order_id = %s", [order.order_id]
        )
        assert intruder.connection.execute(hot).fetchone() == (1,)


async def test_an_order_has_a_next_time_exactly_while_it_waits(store: PostgresOrderStore, intruder: Intruder) -> None:
    fresh = await store.create(new_order())
    waiting = await placed(store, AttemptStarted(), attempt_failed())
    await placed(store, AttemptStarted(), attempt_failed(), CancelRequested())
    rows = intruder.connection.execute("SELECT order_id, next_attempt_at FROM orders WHERE next_attempt_at IS NOT NULL")
    assert dict(rows.fetchall()) == {fresh.order_id: fresh.create_time, waiting.order_id: waiting.next_attempt_at}
