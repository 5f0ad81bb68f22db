"""Ports that count what passes through them and change nothing: stores, claims and hints, whatever stands behind."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter

from order_engine.adapters.metrics.orders import OrderMetrics
from order_engine.domain.errors import Unavailable
from order_engine.domain.order import EventId, Fact, Order, OrderEvent, OrderId, SignedTransaction
from order_engine.usecases.ports import Claim, DueOrders, OrderClaims, OrderFilter, OrderStore, PageKey, TaskQueue


class MeteredOrderStore:
    """Tells the metrics of new orders, and of each order's version before a fact is appended to it."""

    def __init__(self, store: OrderStore, orders: OrderMetrics) -> None:
        self._store = store
        self._orders = orders

    async def create(self, order: Order) -> Order:
        stored = await self._store.create(order)
        if stored.order_id == order.order_id:  # else it was known
            self._orders.placed(stored)
        return stored

    async def append(self, order: Order, fact: Fact, event_id: EventId) -> tuple[Order, OrderEvent]:
        self._orders.looked_at(order)
        return await self._store.append(order, fact, event_id)

    async def get(self, order_id: OrderId, owner: str | None = None) -> Order:
        return await self._store.get(order_id, owner)

    async def list_orders(self, wanted: OrderFilter, at_most: int, after: PageKey | None) -> Sequence[Order]:
        return await self._store.list_orders(wanted, at_most, after)

    async def events(self, order_id: OrderId, after_sequence: int) -> Sequence[OrderEvent]:
        return await self._store.events(order_id, after_sequence)

    async def latest_sequences(self, order_ids: Sequence[OrderId]) -> Mapping[OrderId, int]:
        return await self._store.latest_sequences(order_ids)

    async def live_transaction(self, order_id: OrderId) -> SignedTransaction | None:
        return await self._store.live_transaction(order_id)


class MeteredTaskQueue:
    def __init__(self, queue: TaskQueue, registry: CollectorRegistry) -> None:
        self._queue = queue
        self._sent = Counter(
            "order_engine_hints_sent_total", "Hints given to the task queue, best effort.", registry=registry
        )

    def hint(self, order_id: OrderId) -> None:
        self._sent.inc()
        self._queue.hint(order_id)


class MeteredOrderClaims:
    def __init__(self, claims: OrderClaims, registry: CollectorRegistry) -> None:
        self._inner = claims
        self._claims = Counter(
            "order_engine_claims_total",
            "Attempts to work on an order: started, taken_over from a dead worker, or neither (not due, not admitted).",
            ("outcome",),
            registry=registry,
        )
        self._sweeps = Counter(
            "order_engine_sweeps_total", "Searches for due orders: ok or unavailable.", ("outcome",), registry=registry
        )
        self._swept = Counter("order_engine_swept_orders_total", "Due orders that sweeps found.", registry=registry)

    async def start(self, order_id: OrderId, claim_id: UUID, event_id: EventId) -> tuple[Claim, OrderEvent] | None:
        started = await self._inner.start(order_id, claim_id, event_id)
        if started is not None:
            self._claims.labels("started").inc()
        return started

    async def take_over(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        claim = await self._inner.take_over(order_id, claim_id)
        self._claims.labels("neither" if claim is None else "taken_over").inc()
        return claim

    async def reload(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        return await self._inner.reload(order_id, claim_id)

    async def renew(self, claim_ids: Sequence[UUID]) -> set[UUID]:
        return await self._inner.renew(claim_ids)

    async def release(self, claim_ids: Sequence[UUID]) -> None:
        await self._inner.release(claim_ids)

    async def due(self, at_most: int) -> DueOrders:
        try:
            due = await self._inner.due(at_most)
        except Unavailable:
            self._sweeps.labels("unavailable").inc()
            raise
        self._sweeps.labels("ok").inc()
        self._swept.inc(len(due.order_ids))
        return due
