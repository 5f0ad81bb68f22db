"""What PostgreSQL is asked, how long it takes, and how much waits: measured on a real server."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from order_engine.adapters.metrics.backlog import BacklogMetrics
from order_engine.adapters.metrics.database import DatabaseMetrics
from order_engine.adapters.postgres.backlog import BACKLOG, OrderBacklog, read_backlog
from order_engine.adapters.postgres.database import StatementRefused, open_database, transaction
from order_engine.adapters.postgres.order_store import PostgresOrderStore
from order_engine.domain.errors import Unavailable
from order_engine.domain.order import AttemptStarted
from tests.contract.order_samples import attempt_failed, placed, route_chosen, submitted
from tests.integration.postgres.intruder import Intruder


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"order_engine_{name}", labels)


async def test_statements_are_timed_by_what_they_do(
    engine: AsyncEngine, store: PostgresOrderStore, registry: CollectorRegistry
) -> None:
    DatabaseMetrics(registry, engine.sync_engine)
    await placed(store, AttemptStarted())
    assert value(registry, "database_statement_seconds_count", statement="insert orders") == 1
    assert value(registry, "database_statement_seconds_count", statement="update orders") == 1
    held = value(registry, "database_connection_held_seconds_count")
    assert held is not None
    assert held >= 2


async def test_connections_out_of_the_pool_are_shown(engine: AsyncEngine, registry: CollectorRegistry) -> None:
    DatabaseMetrics(registry, engine.sync_engine)
    assert value(registry, "database_connections_max") == 4
    assert value(registry, "database_connections_in_use") == 0
    async with engine.connect():
        assert value(registry, "database_connections_in_use") == 1
    assert value(registry, "database_connections_in_use") == 0


async def test_refused_statements_are_counted_by_class(engine: AsyncEngine, registry: CollectorRegistry) -> None:
    DatabaseMetrics(registry, engine.sync_engine)
    with pytest.raises(StatementRefused):
        async with transaction(engine) as connection:
            await connection.execute(text("SELECT 1 FROM nowhere"))
    assert value(registry, "database_errors_total", sqlstate_class="42") == 1


async def test_an_empty_database_has_no_backlog(engine: AsyncEngine) -> None:
    nothing = {"routing": 0, "building": 0, "submitted": 0}
    assert await read_backlog(engine) == OrderBacklog(
        pending=0, oldest_due=timedelta(0), in_flight=nothing, abandoned=0
    )


async def test_the_backlog_counts_what_is_not_over(engine: AsyncEngine, store: PostgresOrderStore) -> None:
    await placed(store)
    await placed(store, AttemptStarted(), attempt_failed(retry_after=timedelta(hours=1)))
    await placed(store, AttemptStarted())
    await placed(store, AttemptStarted(), route_chosen())
    await submitted(store)
    backlog = await read_backlog(engine)
    assert backlog.pending == 2
    assert backlog.in_flight == {"routing": 1, "building": 1, "submitted": 1}
    assert backlog.abandoned == 3  # nobody claimed them
    assert timedelta(0) < backlog.oldest_due < timedelta(minutes=1)


async def test_an_order_that_waits_for_its_retry_is_not_late(engine: AsyncEngine, store: PostgresOrderStore) -> None:
    await placed(store, AttemptStarted(), attempt_failed(retry_after=timedelta(hours=1)))
    assert (await read_backlog(engine)).oldest_due == timedelta(0)


async def test_the_backlog_is_read_from_the_partial_indexes_alone(intruder: Intruder) -> None:
    intruder.runs("SET enable_seqscan = off", "SET enable_bitmapscan = off")
    statement = f"EXPLAIN {BACKLOG.text}".replace(":at_most", "10000")
    plan = [line for (line,) in intruder.connection.execute(statement.encode()).fetchall()]
    scans = [line for line in plan if " on orders" in line]
    assert len(scans) == 2, plan
    assert any("orders_due" in line for line in scans), plan
    assert any("orders_in_flight" in line for line in scans), plan
    assert not any("Sort" in line for line in plan), plan


async def test_gauges_show_the_backlog_at_the_time_of_asking(
    engine: AsyncEngine, store: PostgresOrderStore, registry: CollectorRegistry
) -> None:
    backlog = BacklogMetrics(registry, lambda: read_backlog(engine))
    await placed(store)
    await submitted(store)
    await backlog.refresh()
    assert value(registry, "orders_pending") == 1
    assert value(registry, "orders_in_flight", status="submitted") == 1
    assert value(registry, "orders_abandoned") == 1
    assert (value(registry, "queue_age_seconds") or 0) > 0
    await backlog.aclose()


async def test_gauges_are_nan_while_the_database_is_away(registry: CollectorRegistry) -> None:
    away = open_database("postgresql://127.0.0.1:1/none", pool_size=1)
    backlog = BacklogMetrics(registry, lambda: read_backlog(away))
    await backlog.refresh()
    shown = value(registry, "orders_pending")
    assert shown is not None
    assert math.isnan(shown)
    await backlog.aclose()
    await away.dispose()


class Reads:
    """A store that answers when told."""

    def __init__(self) -> None:
        self.count = 0
        self.answer = asyncio.Event()

    async def __call__(self) -> OrderBacklog:
        self.count += 1
        await self.answer.wait()
        return OrderBacklog(pending=self.count, oldest_due=timedelta(0), in_flight={}, abandoned=0)


async def test_many_scrapes_at_once_cost_one_query(registry: CollectorRegistry) -> None:
    reads = Reads()
    reads.answer.set()
    backlog = BacklogMetrics(registry, reads)
    for _ in range(3):
        await asyncio.gather(*(backlog.refresh() for _ in range(10)))
    assert reads.count == 1
    await backlog.aclose()


async def test_a_store_that_does_not_answer_keeps_no_scrape_waiting(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("order_engine.adapters.metrics.backlog.PATIENCE", timedelta(milliseconds=10))
    reads = Reads()
    backlog = BacklogMetrics(registry, reads)
    await backlog.refresh()
    await backlog.refresh()
    assert reads.count == 1
    shown = value(registry, "orders_pending")
    assert shown is not None
    assert math.isnan(shown)
    await backlog.aclose()


@pytest.mark.parametrize("times", [1, 3])
async def test_the_gauges_recover(registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    monkeypatch.setattr("order_engine.adapters.metrics.backlog.FRESH_FOR", timedelta(0))
    answers: list[Callable[[], Awaitable[OrderBacklog]]] = []

    async def away() -> OrderBacklog:
        raise Unavailable("away")

    async def back() -> OrderBacklog:
        return OrderBacklog(pending=7, oldest_due=timedelta(0), in_flight={}, abandoned=0)

    answers.extend([*([away] * times), back])
    backlog = BacklogMetrics(registry, lambda: answers.pop(0)())
    for _ in range(times + 1):
        await backlog.refresh()
    assert value(registry, "orders_pending") == 7
    await backlog.aclose()
