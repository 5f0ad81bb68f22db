"""Stores new orders, many in one statement."""

from collections.abc import Sequence
from dataclasses import replace

import orjson
from sqlalchemy import RowMapping, TextClause
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from order_engine.adapters.postgres import statements
from order_engine.adapters.postgres.database import in_time, single_statements
from order_engine.adapters.postgres.rows import NewOrderRow, new_order_row, order_of
from order_engine.domain.errors import EngineError, RequestIdReused
from order_engine.domain.order import Order, fingerprint

Key = tuple[str, str]


@in_time
async def create_all(engine: AsyncEngine, orders: Sequence[Order]) -> Sequence[Order | Exception]:
    """Store each order unless its key is known, and return what the key stands for, or RequestIdReused."""
    first_of_key: dict[Key, Order] = {}
    for order in orders:
        first_of_key.setdefault(_key(order), order)
    firsts = list(first_of_key.values())
    async with single_statements(engine) as connection:
        stored = await _insert(connection, firsts)
        stored |= await _find(connection, [order for order in firsts if _key(order) not in stored])
    return [_answer(order, stored.get(_key(order))) for order in orders]


def _key(order: Order) -> Key:
    """Orders without a request_id are all different; one that is repeated has the same order_id."""
    return (order.owner, order.request_id) if order.request_id else ("", str(order.order_id))


def _answer(order: Order, stored: Order | None) -> Order | Exception:
    if stored is None:
        return EngineError(f"order_id {order.order_id} belongs to another order")
    if fingerprint(stored) != fingerprint(order):
        return RequestIdReused(
            f"request_id {order.request_id!r} belongs to another order", order_id=str(stored.order_id)
        )
    return stored


async def _insert(connection: AsyncConnection, orders: Sequence[Order]) -> dict[Key, Order]:
    rows = await _execute(connection, statements.CREATE, [new_order_row(order) for order in orders])
    times = {row["order_id"]: row["create_time"] for row in rows}
    return {
        _key(order): replace(order, create_time=times[order.order_id], update_time=times[order.order_id])
        for order in orders
        if order.order_id in times
    }


async def _find(connection: AsyncConnection, orders: Sequence[Order]) -> dict[Key, Order]:
    """Read those that were there before. A concurrent writer has committed by now: the insert waited for it."""
    if not orders:
        return {}
    key_of = {order.order_id: _key(order) for order in orders}
    rows = await _execute(connection, statements.KNOWN, [new_order_row(order) for order in orders])
    return {key_of[row["asked_id"]]: order_of(row) for row in rows}


async def _execute(
    connection: AsyncConnection, statement: TextClause, rows: Sequence[NewOrderRow]
) -> Sequence[RowMapping]:
    return (await connection.execute(statement, {"items": orjson.dumps(rows).decode()})).mappings().all()
