"""Both implementations of OrderStore and OrderClaims, behind one face, with a clock that tests can move."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from order_engine.adapters.memory.order_claims import MemoryOrderClaims
from order_engine.adapters.memory.order_store import MemoryOrderStore
from order_engine.adapters.postgres.database import open_database
from order_engine.adapters.postgres.order_claims import PostgresOrderClaims
from order_engine.adapters.postgres.order_store import PostgresOrderStore
from order_engine.usecases.ports import AdmissionLimits, OrderClaims, OrderStore

LEASE = timedelta(seconds=6)


class Orders(Protocol):
    """One set of orders. Each store or claims asked for stands for another process."""

    def store(self) -> OrderStore: ...
    def claims(self, max_in_flight: int = 0, max_starts_per_minute: int = 0) -> OrderClaims: ...
    async def pass_time(self, duration: timedelta) -> None: ...


class ManualClock:
    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(microseconds=1)
        return self._now

    async def sleep(self, duration: timedelta) -> None:
        self._now += duration


class MemoryOrders:
    def __init__(self) -> None:
        self._clock = ManualClock()
        self._store = MemoryOrderStore(self._clock)

    def store(self) -> OrderStore:
        return self._store

    def claims(self, max_in_flight: int = 0, max_starts_per_minute: int = 0) -> OrderClaims:
        limits = AdmissionLimits(max_in_flight=max_in_flight, max_starts_per_minute=max_starts_per_minute)
        return MemoryOrderClaims(self._store, limits, LEASE)

    async def pass_time(self, duration: timedelta) -> None:
        await self._clock.sleep(duration)


_TIMES = {
    "orders": ("create_time", "update_time", "next_attempt_at", "claimed_until"),
    "order_events": ("event_time",),
    "attempts": ("started_at",),
    "transactions": ("resolved_at",),
}


@dataclass(frozen=True, slots=True)
class PostgresOrders:
    engine: AsyncEngine

    def store(self) -> OrderStore:
        return PostgresOrderStore(self.engine)

    def claims(self, max_in_flight: int = 0, max_starts_per_minute: int = 0) -> OrderClaims:
        limits = AdmissionLimits(max_in_flight=max_in_flight, max_starts_per_minute=max_starts_per_minute)
        return PostgresOrderClaims(self.engine, limits, LEASE)

    async def pass_time(self, duration: timedelta) -> None:
        """Move everything stored into the past, with the guards looking away."""
        async with self.engine.begin() as connection:
            for table, columns in _TIMES.items():
                earlier = ", ".join(f"{column} = {column} - :duration" for column in columns)
                await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
                await connection.execute(text(f"UPDATE {table} SET {earlier}"), {"duration": duration})  # noqa: S608
                await connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_database(database_url, pool_size=20)
    yield engine
    await engine.dispose()


@pytest.fixture(params=["memory", "postgres"])
def orders(request: pytest.FixtureRequest) -> Orders:
    if request.param == "memory":
        return MemoryOrders()
    return PostgresOrders(request.getfixturevalue("engine"))


@pytest.fixture
def store(orders: Orders) -> OrderStore:
    return orders.store()
