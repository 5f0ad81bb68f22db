"""Who works on what, in memory, under the same rules as the database."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from order_engine.adapters.memory.order_store import MemoryOrderStore, OrderRecord
from order_engine.domain.errors import StaleOrder
from order_engine.domain.lifecycle import IN_FLIGHT
from order_engine.domain.order import AttemptStarted, EventId, OrderEvent, OrderId, OrderStatus
from order_engine.usecases.ports import AdmissionLimits, Claim, DueOrders

_WINDOW: Final = timedelta(seconds=60)


class MemoryOrderClaims:
    """The OrderClaims port over the orders of a MemoryOrderStore, and by its clock."""

    def __init__(self, store: MemoryOrderStore, limits: AdmissionLimits, lease: timedelta) -> None:
        self._store = store
        self._limits = limits
        self._lease = lease

    async def start(self, order_id: OrderId, claim_id: UUID, event_id: EventId) -> tuple[Claim, OrderEvent] | None:
        record = self._store.records.get(order_id)
        if record is None:
            return None
        if event_id in record.event_ids and record.claimed_by == claim_id:
            return Claim(order=record.order, takeovers=record.takeovers), record.events[
                record.event_ids.index(event_id)
            ]
        now = self._store.clock.now()
        if record not in self._waiting(now)[: self._free(now)]:
            return None
        try:
            order, event = self._store.record(record, record.order, AttemptStarted(), event_id)
        except StaleOrder:
            return None
        record.claimed_by, record.claimed_until = claim_id, event.event_time + self._lease
        return Claim(order=order, takeovers=0), event

    async def take_over(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        record, now = self._store.records.get(order_id), self._store.clock.now()
        if record is None or record.claimed_until is None or record.claimed_until > now:
            return None
        record.claimed_by, record.claimed_until = claim_id, now + self._lease
        record.takeovers += record.order.status is not OrderStatus.SUBMITTED
        return Claim(order=record.order, takeovers=record.takeovers)

    async def reload(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        record = self._store.records.get(order_id)
        if record is None or record.claimed_by != claim_id:
            return None
        return Claim(order=record.order, takeovers=record.takeovers)

    async def renew(self, claim_ids: Sequence[UUID]) -> set[UUID]:
        until = self._store.clock.now() + self._lease
        ours = [record for record in self._flight() if record.claimed_by in claim_ids]
        for record in ours:
            record.claimed_until = until
        return {record.claimed_by for record in ours if record.claimed_by}

    async def release(self, claim_ids: Sequence[UUID]) -> None:
        now = self._store.clock.now()
        for record in self._flight():
            if record.claimed_by in claim_ids and record.claimed_until:
                record.claimed_by, record.claimed_until = None, min(record.claimed_until, now)

    async def due(self, at_most: int) -> DueOrders:
        now = self._store.clock.now()
        free = self._free(now)
        waiting = self._waiting(now)
        passed = [record for record in self._flight() if record.claimed_until and record.claimed_until <= now]
        passed.sort(key=lambda record: record.claimed_until or now)
        starts = waiting[: at_most if free is None else min(at_most, free)]
        moments = self._moments(now, is_waiting=bool(waiting))
        return DueOrders(
            order_ids=[record.order.order_id for record in (*passed, *starts)],
            next_at=min(moments) - now if moments else None,
        )

    def _flight(self) -> list[OrderRecord]:
        return [record for record in self._store.records.values() if record.order.status in IN_FLIGHT]

    def _waiting(self, now: datetime) -> list[OrderRecord]:
        """Return the PENDING orders that are due, oldest first."""
        due = [(record.due_at, record) for record in self._store.records.values() if record.due_at]
        ready = [(at, record.order.create_time, record.order.order_id, record) for at, record in due if at <= now]
        return [record for *_, record in sorted(ready, key=lambda entry: entry[:3])]

    def _free(self, now: datetime) -> int | None:
        """Return how many orders may start now, None for any number."""
        bounds = []
        if self._limits.max_in_flight:
            bounds.append(self._limits.max_in_flight - len(self._flight()))
        if self._limits.max_starts_per_minute:
            bounds.append(self._limits.max_starts_per_minute - len(self._recent(now)))
        return max(0, min(bounds)) if bounds else None

    def _recent(self, now: datetime) -> list[datetime]:
        """Return the starts of the last minute, newest first."""
        attempts = [attempt for record in self._store.records.values() for attempt in record.attempts]
        return sorted((one.started_at for one in attempts if one.started_at >= now - _WINDOW), reverse=True)

    def _moments(self, now: datetime, *, is_waiting: bool) -> list[datetime]:
        """Return when a retry falls due, a lease passes, or the rate limit lets the next one in."""
        records = self._store.records.values()
        moments = [record.due_at for record in records if record.due_at and record.due_at > now]
        moments += [record.claimed_until for record in records if record.claimed_until and record.claimed_until > now]
        recent, limit = self._recent(now), self._limits.max_starts_per_minute
        if is_waiting and limit and len(recent) >= limit:
            moments.append(recent[limit - 1] + _WINDOW)
        return moments
