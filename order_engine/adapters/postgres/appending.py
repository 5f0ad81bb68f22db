"""Appends facts to orders, many in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from order_engine.adapters.postgres import statements
from order_engine.adapters.postgres.database import in_time, transaction
from order_engine.adapters.postgres.journal import write
from order_engine.adapters.postgres.rows import Change
from order_engine.domain.errors import IllegalTransition, StaleOrder
from order_engine.domain.lifecycle import apply
from order_engine.domain.order import EventId, Fact, Order, OrderEvent, OrderId

Appended = tuple[Order, OrderEvent]


@dataclass(frozen=True, slots=True)
class Append:
    """A fact, and the version of the order that it was decided on."""

    order: Order
    fact: Fact
    event_id: EventId


@in_time
async def append_all(engine: AsyncEngine, appends: Sequence[Append]) -> Sequence[Appended | Exception]:
    """Store each fact whose order is at the version it was decided on. One answer for each, in the same order."""
    async with transaction(engine) as connection:
        locked = await _lock(connection, {append.order.order_id for append in appends})
        moment = max((row["moment"] for row in locked.values()), default=None)
        winners = _winners(appends, locked)
        answers: dict[EventId, Appended | Exception] = {
            append.event_id: _applied(append, moment) for append in winners if moment is not None
        }
        await write(connection, list(_changes(winners, answers)))
        losers = [append for append in appends if append.event_id not in answers]
        answers |= await _replays(connection, losers)
    return [answers[append.event_id] for append in appends]


async def _lock(connection: AsyncConnection, order_ids: Iterable[OrderId]) -> Mapping[OrderId, RowMapping]:
    rows = await connection.execute(statements.LOCK, {"order_ids": list(order_ids)})
    return {row["order_id"]: row for row in rows.mappings()}


def _winners(appends: Sequence[Append], locked: Mapping[OrderId, RowMapping]) -> Sequence[Append]:
    """Return the appends that fit the stored version; of two to one order, the first."""
    winners: dict[OrderId, Append] = {}
    for append in appends:
        row = locked.get(append.order.order_id)
        if row is not None and row["sequence"] == append.order.sequence:
            winners.setdefault(append.order.order_id, append)
    return list(winners.values())


def _applied(append: Append, at: datetime) -> Appended | Exception:
    try:
        return apply(append.order, append.fact, at=at)
    except IllegalTransition as error:
        return error


def _changes(appends: Sequence[Append], answers: Mapping[EventId, Appended | Exception]) -> Iterable[Change]:
    for append in appends:
        answer = answers[append.event_id]
        if not isinstance(answer, Exception):
            after, event = answer
            yield Change(before=append.order, after=after, event=event, event_id=append.event_id)


async def _replays(connection: AsyncConnection, appends: Sequence[Append]) -> dict[EventId, Appended | Exception]:
    """Answer an append whose event is stored already as it was answered then, and any other with StaleOrder."""
    if not appends:
        return {}
    rows = await connection.execute(statements.STORED_EVENTS, {"event_ids": [append.event_id for append in appends]})
    stored: Mapping[UUID, RowMapping] = {row["event_id"]: row for row in rows.mappings()}
    return {append.event_id: _replayed(append, stored.get(append.event_id)) for append in appends}


def _replayed(append: Append, stored: RowMapping | None) -> Appended | Exception:
    order = append.order
    if stored is not None and (stored["order_id"], stored["sequence"]) == (order.order_id, order.sequence + 1):
        return _applied(append, stored["event_time"])
    return StaleOrder(f"order {order.order_id} is not at sequence {order.sequence} any more")
