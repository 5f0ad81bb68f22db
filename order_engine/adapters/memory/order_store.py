"""Orders in memory, under the same rules as the database: for tests, and to try the engine without a server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from solders.signature import Signature

from order_engine.domain.errors import EngineError, OrderNotFound, RequestIdReused, StaleOrder
from order_engine.domain.lifecycle import IN_FLIGHT, apply
from order_engine.domain.order import (
    AttemptFailed,
    AttemptStarted,
    EventId,
    Fact,
    Failure,
    Order,
    OrderCancelled,
    OrderEvent,
    OrderFailed,
    OrderId,
    OrderPlaced,
    OrderStatus,
    RouteChosen,
    SignedTransaction,
    TransactionConfirmed,
    TransactionOutcome,
    TransactionSigned,
    fingerprint,
)
from order_engine.domain.route import Candidate
from order_engine.usecases.ports import Clock, OrderFilter, PageKey

_LARGEST_TRANSACTION: Final = 1232  # bytes


@dataclass(slots=True)
class AttemptRecord:
    started_at: datetime
    candidates: tuple[Candidate, ...] = ()
    failure: Failure | None = None


@dataclass(slots=True, eq=False)
class OrderRecord:
    """An order and all that is kept with it."""

    order: Order
    events: list[OrderEvent]
    event_ids: list[EventId]
    due_at: datetime | None  # while PENDING
    attempts: list[AttemptRecord] = field(default_factory=list)
    live_transaction: SignedTransaction | None = None
    claimed_by: UUID | None = None
    claimed_until: datetime | None = None
    takeovers: int = 0


class MemoryOrderStore:
    """The OrderStore port. `records` is shared with MemoryOrderClaims."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.records: dict[OrderId, OrderRecord] = {}
        self._requests: dict[tuple[str, str], OrderId] = {}
        self._signatures: set[Signature] = set()
        self._event_ids: set[EventId] = set()

    async def create(self, order: Order) -> Order:
        known = self._requests.get((order.owner, order.request_id)) if order.request_id else order.order_id
        if known in self.records:
            stored = self.records[known].order
            if fingerprint(stored) != fingerprint(order):
                message = f"request_id {order.request_id!r} belongs to another order"
                raise RequestIdReused(message, order_id=str(stored.order_id))
            return stored
        if order.order_id in self.records:
            raise EngineError(f"order_id {order.order_id} belongs to another order")
        now = self.clock.now()
        placed = replace(order, create_time=now, update_time=now)
        event = OrderEvent(
            order_id=order.order_id,
            sequence=1,
            status=OrderStatus.PENDING,
            attempt=0,
            event_time=now,
            fact=OrderPlaced(),
        )
        first_event_id = EventId(order.order_id)
        self.records[order.order_id] = OrderRecord(placed, [event], [first_event_id], due_at=now)
        self._event_ids.add(first_event_id)
        if order.request_id:
            self._requests[order.owner, order.request_id] = order.order_id
        return placed

    async def get(self, order_id: OrderId, owner: str | None = None) -> Order:
        record = self.records.get(order_id)
        if record is None or owner not in (None, record.order.owner):
            raise OrderNotFound(f"order {order_id} does not exist")
        return record.order

    async def list_orders(self, wanted: OrderFilter, at_most: int, after: PageKey | None) -> Sequence[Order]:
        orders = [record.order for record in self.records.values() if _matches(record.order, wanted)]
        orders.sort(key=lambda order: (order.create_time, order.order_id), reverse=True)
        if after is not None:
            key = (after.create_time, after.order_id)
            orders = [order for order in orders if (order.create_time, order.order_id) < key]
        return orders[:at_most]

    async def append(self, order: Order, fact: Fact, event_id: EventId) -> tuple[Order, OrderEvent]:
        record = self.records.get(order.order_id)
        if record is not None and record.order.sequence == order.sequence:
            return self.record(record, order, fact, event_id)
        if record is not None and event_id in record.event_ids[order.sequence : order.sequence + 1]:
            return apply(order, fact, at=record.events[order.sequence].event_time)
        raise StaleOrder(f"order {order.order_id} is not at sequence {order.sequence} any more")

    async def events(self, order_id: OrderId, after_sequence: int) -> Sequence[OrderEvent]:
        record = self.records.get(order_id)
        return [event for event in record.events if event.sequence > after_sequence] if record else []

    async def latest_sequences(self, order_ids: Sequence[OrderId]) -> Mapping[OrderId, int]:
        return {one: self.records[one].order.sequence for one in order_ids if one in self.records}

    async def live_transaction(self, order_id: OrderId) -> SignedTransaction | None:
        record = self.records.get(order_id)
        return record.live_transaction if record else None

    def record(self, record: OrderRecord, order: Order, fact: Fact, event_id: EventId) -> tuple[Order, OrderEvent]:
        """Apply `fact` to `order`, which is at the stored version."""
        after, event = apply(order, fact, at=self.clock.now())
        self._guard(after, fact, event_id)
        record.order = after
        record.events.append(event)
        record.event_ids.append(event_id)
        self._event_ids.add(event_id)
        record.due_at = after.next_attempt_at
        _keep_attempt(record, event)
        _keep_transaction(record, fact)
        _keep_claim(record, event.event_time)
        return after, event

    def _guard(self, after: Order, fact: Fact, event_id: EventId) -> None:
        """Refuse what the database's guards refuse beyond the state table."""
        if event_id in self._event_ids:
            raise StaleOrder(f"event {event_id} is recorded already")
        if after.attempt > after.max_attempts:
            raise StaleOrder(f"order {after.order_id} has no attempt left")
        if isinstance(fact, AttemptFailed | OrderFailed | OrderCancelled):
            end = fact.transaction
            if end is not None and end.outcome is TransactionOutcome.LANDED:
                raise StaleOrder(f"transaction {end.signature} has landed: its order is confirmed")
        if isinstance(fact, TransactionSigned):
            if not 1 <= len(fact.raw) <= _LARGEST_TRANSACTION:
                raise StaleOrder(f"transaction {fact.signature} has {len(fact.raw)} bytes")
            if fact.signature in self._signatures:
                raise StaleOrder(f"transaction {fact.signature} is recorded already")
            self._signatures.add(fact.signature)


def _matches(order: Order, wanted: OrderFilter) -> bool:
    venues = {leg.venue for leg in order.route.legs} if order.route else set()
    since, until = wanted.create_time_after, wanted.create_time_before
    return (
        order.owner == wanted.owner
        and wanted.status in (None, order.status)
        and wanted.token_in in (None, order.token_in)
        and wanted.token_out in (None, order.token_out)
        and (wanted.client_order_id is None or (wanted.client_order_id or None) == order.client_order_id)
        and (wanted.venue is None or wanted.venue in venues)
        and (since is None or order.create_time > since)
        and (until is None or order.create_time < until)
    )


def _keep_attempt(record: OrderRecord, event: OrderEvent) -> None:
    match event.fact:
        case AttemptStarted():
            record.attempts.append(AttemptRecord(event.event_time))
        case RouteChosen(candidates=candidates):
            record.attempts[-1].candidates = candidates or record.attempts[-1].candidates
        case AttemptFailed() | OrderFailed() as end:
            record.attempts[-1].candidates = end.candidates or record.attempts[-1].candidates
            record.attempts[-1].failure = end.failure


def _keep_transaction(record: OrderRecord, fact: Fact) -> None:
    match fact:
        case TransactionSigned():
            record.live_transaction = SignedTransaction(
                signature=fact.signature, raw=fact.raw, last_valid_block_height=fact.last_valid_block_height
            )
        case TransactionConfirmed() | AttemptFailed() | OrderFailed() | OrderCancelled():
            record.live_transaction = None


def _keep_claim(record: OrderRecord, now: datetime) -> None:
    """An order in flight keeps its claim; one that got there unclaimed may be taken over at once."""
    if record.order.status in IN_FLIGHT:
        record.claimed_until = record.claimed_until or now
    else:
        record.claimed_by, record.claimed_until = None, None
    if record.order.status in (OrderStatus.SUBMITTED, OrderStatus.PENDING):
        record.takeovers = 0
