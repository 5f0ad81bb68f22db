"""Admits orders to a new attempt, many in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from order_engine.adapters.postgres.database import in_time, transaction
from order_engine.adapters.postgres.journal import write
from order_engine.adapters.postgres.rows import Change, Lease, event_of, order_of
from order_engine.domain.lifecycle import apply
from order_engine.domain.order import AttemptStarted, EventId, OrderEvent, OrderId, OrderStatus
from order_engine.usecases.ports import AdmissionLimits, Claim

Started = tuple[Claim, OrderEvent] | None

_CLOCK_PUT_BACK: Final = timedelta(seconds=60)
_ONE_AT_A_TIME: Final = text("SELECT only_row FROM admission FOR UPDATE")
_MOMENT: Final = text("SELECT clock_timestamp()")

# How many may start now: free slots and what is left of the last minute, whichever is less. NULL is unlimited.
_FREE: Final = text("""
    SELECT greatest(0, least(
        nullif(:max_in_flight, 0)
            - (SELECT count(*) FROM orders WHERE status IN ('routing', 'building', 'submitted')),
        nullif(:max_starts_per_minute, 0)
            - (SELECT count(*) FROM attempts
                WHERE started_at BETWEEN :moment - interval '60 s' AND :moment + interval '60 s')))
""")
_FIRST: Final = text("""
    SELECT order_id, clock_timestamp() AS moment FROM orders
    WHERE status = 'pending'
        AND (next_attempt_at <= :counted_at OR update_time > :counted_at + interval '60 s')
    ORDER BY next_attempt_at, create_time, order_id LIMIT :free
""")
_LOCK: Final = text("""
    SELECT * FROM orders WHERE order_id = ANY(CAST(:order_ids AS uuid[])) ORDER BY order_id FOR NO KEY UPDATE
""")
_STORED_EVENT: Final = text(
    "SELECT *, NULL AS raw FROM order_events WHERE event_id = :event_id AND order_id = :order_id"
)


@dataclass(frozen=True, slots=True)
class Start:
    order_id: OrderId
    claim_id: UUID
    event_id: EventId


@in_time
async def start_all(
    engine: AsyncEngine, limits: AdmissionLimits, lease: timedelta, starts: Sequence[Start]
) -> Sequence[Started]:
    """Start what the limits admit, the oldest due orders first, and answer None for the rest."""
    asked = {start.order_id: start for start in reversed(starts)}
    async with transaction(engine) as connection:
        moment, admitted = await _admit(connection, limits, list(asked))
        rows = await _lock(connection, list(asked))
        changes = {
            order_id: _started(asked[order_id], row, moment, lease)
            for order_id, row in rows.items()
            if order_id in admitted and _is_due(row, moment)
        }
        await write(connection, list(changes.values()))
        answers: dict[EventId, Started] = {
            change.event_id: (Claim(order=change.after, takeovers=0), change.event) for change in changes.values()
        }
        for start in starts:
            row = rows.get(start.order_id)
            if start.event_id not in answers and row is not None and row["claimed_by"] == start.claim_id:
                answers[start.event_id] = await _replayed(connection, start, row)
    return [answers.get(start.event_id) for start in starts]


async def _admit(
    connection: AsyncConnection, limits: AdmissionLimits, order_ids: Sequence[OrderId]
) -> tuple[datetime, frozenset[UUID]]:
    """Return the moment of admission, and which orders it lets in.

    The moment is taken last: whatever left its slot before it was counted has left it before the start.
    """
    if not (limits.max_in_flight or limits.max_starts_per_minute):
        return (await connection.execute(_MOMENT)).scalar_one(), frozenset(order_ids)
    await connection.execute(_ONE_AT_A_TIME)
    counted_at = (await connection.execute(_MOMENT)).scalar_one()
    parameters = {
        "max_in_flight": limits.max_in_flight,
        "max_starts_per_minute": limits.max_starts_per_minute,
        "moment": counted_at,
    }
    free = (await connection.execute(_FREE, parameters)).scalar_one()
    first = (await connection.execute(_FIRST, {"counted_at": counted_at, "free": free})).all()
    return max((row.moment for row in first), default=counted_at), frozenset(row.order_id for row in first)


async def _lock(connection: AsyncConnection, order_ids: Sequence[OrderId]) -> Mapping[OrderId, RowMapping]:
    rows = await connection.execute(_LOCK, {"order_ids": order_ids})
    return {row["order_id"]: row for row in rows.mappings()}


def _is_due(row: RowMapping, moment: datetime) -> bool:
    """An order that was told to wait by a clock that has been put back since waits no longer."""
    has_waited = row["next_attempt_at"] is not None and row["next_attempt_at"] <= moment
    return bool(row["status"] == OrderStatus.PENDING and (has_waited or row["update_time"] > moment + _CLOCK_PUT_BACK))


def _started(start: Start, row: RowMapping, moment: datetime, lease: timedelta) -> Change:
    before = order_of(row)
    after, event = apply(before, AttemptStarted(), at=moment)
    claim = Lease(claim_id=start.claim_id, until=moment + lease)
    return Change(before=before, after=after, event=event, event_id=start.event_id, lease=claim)


async def _replayed(connection: AsyncConnection, start: Start, row: RowMapping) -> Started:
    """Answer a start that was stored before, when its answer was lost."""
    events = await connection.execute(_STORED_EVENT, {"event_id": start.event_id, "order_id": start.order_id})
    for event in events.mappings():
        return Claim(order=order_of(row), takeovers=row["takeovers"]), event_of(event)
    return None
