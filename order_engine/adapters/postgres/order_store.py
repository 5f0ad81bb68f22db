"""Orders in PostgreSQL. Concurrent calls of one process share round trips: one flush at a time, of many rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from solders.signature import Signature
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from order_engine.adapters.batching import Batcher
from order_engine.adapters.postgres.appending import Append, Appended, append_all
from order_engine.adapters.postgres.creating import create_all
from order_engine.adapters.postgres.database import StatementRefused, read
from order_engine.adapters.postgres.listing import list_query
from order_engine.adapters.postgres.rows import event_of, order_of
from order_engine.domain.errors import EngineError, OrderNotFound, StaleOrder, Unavailable
from order_engine.domain.order import EventId, Fact, Order, OrderEvent, OrderId, SignedTransaction
from order_engine.usecases.ports import OrderFilter, PageKey

_ORDERS = text("SELECT * FROM orders WHERE order_id = ANY(CAST(:order_ids AS uuid[]))")
_SEQUENCES = text("SELECT order_id, sequence FROM orders WHERE order_id = ANY(CAST(:order_ids AS uuid[]))")
_EVENTS = text("""
    SELECT e.order_id, e.sequence, e.status, e.attempt, e.event_time, e.kind, e.detail, t.raw
    FROM unnest(CAST(:order_ids AS uuid[]), CAST(:after AS bigint[])) AS wanted (order_id, after)
    JOIN order_events e ON e.order_id = wanted.order_id AND e.sequence > wanted.after
    LEFT JOIN transactions t ON e.kind = 'TransactionSigned' AND t.order_id = e.order_id AND t.attempt = e.attempt
    ORDER BY e.order_id, e.sequence
""")
_LIVE_TRANSACTION = text("""
    SELECT signature, raw, last_valid_block_height FROM transactions WHERE order_id = :order_id AND outcome IS NULL
""")


@dataclass(frozen=True, slots=True)
class _EventsAfter:
    order_id: OrderId
    sequence: int


class PostgresOrderStore:
    """The OrderStore port. `get` and `events` of many watchers cost one query at a time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._creates: Batcher[Order, Order] = Batcher(partial(create_all, engine))
        self._appends: Batcher[Append, Appended] = Batcher(partial(append_all, engine))
        self._gets: Batcher[OrderId, Order] = Batcher(self._get_all)
        self._events: Batcher[_EventsAfter, Sequence[OrderEvent]] = Batcher(self._events_all, max_batch=4096)

    async def create(self, order: Order) -> Order:
        try:
            return await self._creates.submit(order)
        except StatementRefused as error:
            why = EngineError if error.is_integrity else Unavailable
            raise why(f"order {order.order_id} was not stored: {error}") from error

    async def get(self, order_id: OrderId, owner: str | None = None) -> Order:
        order = await self._gets.submit(order_id)
        if owner is not None and order.owner != owner:
            raise OrderNotFound(f"order {order_id} does not exist")
        return order

    async def list_orders(self, wanted: OrderFilter, at_most: int, after: PageKey | None) -> Sequence[Order]:
        query = list_query(wanted, at_most, after)
        return [order_of(row) for row in await read(self._engine, query.statement, **query.parameters)]

    async def append(self, order: Order, fact: Fact, event_id: EventId) -> tuple[Order, OrderEvent]:
        try:
            return await self._appends.submit(Append(order, fact, event_id))
        except StatementRefused as error:
            why = StaleOrder if error.is_integrity else Unavailable
            raise why(f"order {order.order_id}: {type(fact).__name__} was not stored: {error}") from error

    async def events(self, order_id: OrderId, after_sequence: int) -> Sequence[OrderEvent]:
        return await self._events.submit(_EventsAfter(order_id, after_sequence))

    async def latest_sequences(self, order_ids: Sequence[OrderId]) -> Mapping[OrderId, int]:
        rows = await read(self._engine, _SEQUENCES, order_ids=list(order_ids))
        return {OrderId(row["order_id"]): row["sequence"] for row in rows}

    async def live_transaction(self, order_id: OrderId) -> SignedTransaction | None:
        for row in await read(self._engine, _LIVE_TRANSACTION, order_id=order_id):
            return SignedTransaction(
                signature=Signature.from_string(row["signature"]),
                raw=row["raw"],
                last_valid_block_height=int(row["last_valid_block_height"]),
            )
        return None

    async def _get_all(self, order_ids: Sequence[OrderId]) -> Sequence[Order | Exception]:
        rows = await read(self._engine, _ORDERS, order_ids=list(set(order_ids)))
        found = {row["order_id"]: order_of(row) for row in rows}
        return [found.get(one) or OrderNotFound(f"order {one} does not exist") for one in order_ids]

    async def _events_all(self, wanted: Sequence[_EventsAfter]) -> Sequence[Sequence[OrderEvent]]:
        """Read each order once, from its earliest cursor on."""
        earliest: dict[OrderId, int] = {}
        for one in wanted:
            earliest[one.order_id] = min(one.sequence, earliest.get(one.order_id, one.sequence))
        rows = await read(self._engine, _EVENTS, order_ids=list(earliest), after=list(earliest.values()))
        events: dict[OrderId, list[OrderEvent]] = {order_id: [] for order_id in earliest}
        for row in rows:
            events[row["order_id"]].append(event_of(row))
        return [[event for event in events[one.order_id] if event.sequence > one.sequence] for one in wanted]
