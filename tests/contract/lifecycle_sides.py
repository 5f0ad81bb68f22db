"""The memory adapters and PostgreSQL side by side, on one clock that moves only when told to."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar, cast
from uuid import UUID

import psycopg
from psycopg.rows import DictRow, dict_row
from solders.signature import Signature
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from order_engine.adapters.memory.order_claims import MemoryOrderClaims
from order_engine.adapters.memory.order_store import MemoryOrderStore
from order_engine.adapters.postgres.codec import decode_candidates, decode_failure
from order_engine.adapters.postgres.database import open_database
from order_engine.adapters.postgres.order_claims import PostgresOrderClaims
from order_engine.adapters.postgres.order_store import PostgresOrderStore
from order_engine.adapters.postgres.rows import event_of, order_of
from order_engine.domain.order import EventId, Fact, Failure, Order, OrderEvent, OrderId, OrderStatus, SignedTransaction
from order_engine.domain.route import Candidate
from order_engine.usecases.ports import AdmissionLimits, OrderClaims, OrderStore

T = TypeVar("T")

LEASE: Final = timedelta(seconds=6)

# Found before pg_catalog's function of that name by every session that begins later.
_CLOCK: Final = """
CREATE SCHEMA test_clock;
CREATE TABLE test_clock.reading (moment timestamptz NOT NULL);
INSERT INTO test_clock.reading VALUES ('-infinity');
CREATE FUNCTION test_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT moment FROM test_clock.reading';
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = test_clock, pg_catalog, public', current_database());
END $$;
"""
_EMPTY: Final = """
DO $$
DECLARE
    kept CONSTANT text[] := ARRAY['post_mortems', 'transactions', 'attempts', 'order_events', 'order_venues', 'orders'];
    name text;
BEGIN
    FOREACH name IN ARRAY kept LOOP EXECUTE format('ALTER TABLE %I DISABLE TRIGGER USER', name); END LOOP;
    FOREACH name IN ARRAY kept LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
    FOREACH name IN ARRAY kept LOOP EXECUTE format('ALTER TABLE %I ENABLE TRIGGER USER', name); END LOOP;
END $$;
"""

_ORDERS: Final = """
    SELECT orders.*, (SELECT array_agg(event_id ORDER BY sequence) FROM order_events AS e
        WHERE e.order_id = orders.order_id) AS event_ids
    FROM orders
"""
_EVENTS: Final = """
    SELECT e.*, t.raw FROM order_events AS e LEFT JOIN transactions AS t
        ON e.kind = 'TransactionSigned' AND t.order_id = e.order_id AND t.attempt = e.attempt
    ORDER BY e.order_id, e.sequence
"""
_ATTEMPTS: Final = "SELECT * FROM attempts ORDER BY order_id, number"
_LIVE: Final = "SELECT * FROM transactions WHERE outcome IS NULL"


@dataclass(frozen=True, slots=True)
class Attempt:
    started_at: datetime
    candidates: tuple[Candidate, ...]
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Everything that is kept of one order."""

    order: Order
    events: tuple[OrderEvent, ...]
    event_ids: tuple[EventId, ...]
    attempts: tuple[Attempt, ...]
    live: tuple[SignedTransaction, ...]
    due_at: datetime | None
    claimed_by: UUID | None
    claimed_until: datetime | None
    takeovers: int


State = Mapping[OrderId, Kept]


@dataclass(frozen=True, slots=True)
class Side:
    name: str
    store: OrderStore
    claims: OrderClaims


@dataclass(slots=True)
class SetClock:
    moment: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, duration: timedelta) -> None:
        self.moment += duration


@dataclass(slots=True)
class World:
    """Both implementations, and what they went through over all examples."""

    engine: AsyncEngine
    connection: psycopg.Connection[DictRow]  # of our own, beside the engine's
    runner: asyncio.Runner
    clock: SetClock = field(default_factory=SetClock)
    memory: MemoryOrderStore = field(default_factory=lambda: MemoryOrderStore(SetClock()))
    answers: Counter[str] = field(default_factory=Counter)
    taken: Counter[tuple[OrderStatus, type[Fact]]] = field(default_factory=Counter)  # rows of the state table
    _decoded: dict[OrderId, tuple["_Rows", Kept]] = field(default_factory=dict)  # as last read

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    def begin(self, limits: AdmissionLimits) -> tuple[Side, Side]:
        """Forget every order, and return memory and PostgreSQL."""
        self.connection.execute(_EMPTY)
        self.clock = SetClock()
        self.memory = MemoryOrderStore(self.clock)
        self.pass_time(timedelta(0))
        return (
            Side("memory", self.memory, MemoryOrderClaims(self.memory, limits, LEASE)),
            Side("postgres", PostgresOrderStore(self.engine), PostgresOrderClaims(self.engine, limits, LEASE)),
        )

    def pass_time(self, duration: timedelta) -> None:
        self.clock.moment += duration
        self.connection.execute("UPDATE test_clock.reading SET moment = %s", (self.clock.moment,))

    def memory_state(self) -> State:
        return {
            order_id: Kept(
                order=record.order,
                events=tuple(record.events),
                event_ids=tuple(record.event_ids),
                attempts=tuple(Attempt(one.started_at, one.candidates, one.failure) for one in record.attempts),
                live=(record.live_transaction,) if record.live_transaction else (),
                due_at=record.due_at,
                claimed_by=record.claimed_by,
                claimed_until=record.claimed_until,
                takeovers=record.takeovers,
            )
            for order_id, record in self.memory.records.items()
        }

    def postgres_state(self) -> State:
        orders, *others = [self.connection.execute(query).fetchall() for query in (_ORDERS, _EVENTS, _ATTEMPTS, _LIVE)]
        rows = {row["order_id"]: _Rows(row) for row in orders}
        for kind, found in zip(("events", "attempts", "live"), others, strict=True):
            for row in found:
                getattr(rows[row["order_id"]], kind).append(row)
        known = self._decoded
        self._decoded = {
            order_id: known[order_id] if order_id in known and known[order_id][0] == row else (row, _kept(row))
            for order_id, row in rows.items()
        }
        return {order_id: kept for order_id, (_, kept) in self._decoded.items()}


@dataclass(slots=True)
class _Rows:
    """Every row about one order."""

    order: DictRow
    events: list[DictRow] = field(default_factory=list)
    attempts: list[DictRow] = field(default_factory=list)
    live: list[DictRow] = field(default_factory=list)


def _kept(rows: _Rows) -> Kept:
    order = rows.order
    return Kept(
        order=order_of(cast(RowMapping, order)),
        events=tuple(event_of(cast(RowMapping, event)) for event in rows.events),
        event_ids=tuple(order["event_ids"]),
        attempts=tuple(_attempt(one) for one in rows.attempts),
        live=tuple(_transaction(one) for one in rows.live),
        due_at=order["next_attempt_at"],
        claimed_by=order["claimed_by"],
        claimed_until=order["claimed_until"],
        takeovers=order["takeovers"],
    )


@contextmanager
def open_world(database_url: str) -> Iterator[World]:
    """Set up a migrated, empty database of its own; nothing else may be connected to it."""
    with (
        psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection,
        asyncio.Runner() as runner,
    ):
        connection.execute(_CLOCK)
        engine = open_database(database_url, pool_size=4)
        try:
            yield World(engine, connection, runner)
        finally:
            runner.run(engine.dispose())


def _attempt(row: DictRow) -> Attempt:
    failure = decode_failure(row["failure"]) if row["failure"] else None
    return Attempt(row["started_at"], decode_candidates(row["candidates"]), failure)


def _transaction(row: DictRow) -> SignedTransaction:
    return SignedTransaction(
        signature=Signature.from_string(row["signature"]),
        raw=row["raw"],
        last_valid_block_height=int(row["last_valid_block_height"]),
    )
