"""Who works on what, in PostgreSQL: admission under one row's lock, leases by the database's clock.

When that clock is put back, times that lie more than a minute ahead of it were written before: nobody waits for them.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncEngine

from order_engine.adapters.batching import Batcher
from order_engine.adapters.postgres.database import StatementRefused, read
from order_engine.adapters.postgres.rows import order_of
from order_engine.adapters.postgres.starting import Start, Started, start_all
from order_engine.domain.errors import Unavailable
from order_engine.domain.order import EventId, OrderEvent, OrderId
from order_engine.usecases.ports import AdmissionLimits, Claim, DueOrders

_TAKE_OVER: Final = text("""
    UPDATE orders SET claimed_by = :claim_id, claim_protocol = 2, claimed_until = clock_timestamp() + :lease,
        takeovers = takeovers + CASE WHEN status = 'submitted' THEN 0 ELSE 1 END
    WHERE order_id = :order_id AND status IN ('routing', 'building', 'submitted')
        AND (claimed_until <= clock_timestamp() OR claimed_until > clock_timestamp() + :lease + interval '60 s')
    RETURNING *
""")
_RELOAD: Final = text("""
    SELECT * FROM orders
    WHERE order_id = :order_id AND status IN ('routing', 'building', 'submitted') AND claimed_by = :claim_id
""")

# Locked in the order that every other writer locks in, so that no two can wait for each other.
_OURS: Final = """
    WITH ours AS MATERIALIZED (
        SELECT order_id FROM orders
        WHERE status IN ('routing', 'building', 'submitted') AND claimed_by = ANY(CAST(:claim_ids AS uuid[]))
        ORDER BY order_id FOR NO KEY UPDATE
    )
    UPDATE orders SET
"""
_RENEW: Final = text(
    f"""{_OURS} claimed_until = clock_timestamp() + :lease
    FROM ours WHERE orders.order_id = ours.order_id RETURNING orders.claimed_by"""
)
_RELEASE: Final = text(
    f"""{_OURS} claimed_until = least(claimed_until, clock_timestamp()), claimed_by = NULL
    FROM ours WHERE orders.order_id = ours.order_id RETURNING orders.order_id"""
)

_DUE: Final = text("""
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS moment),
    flight AS MATERIALIZED (
        SELECT order_id, claimed_until FROM orders WHERE status IN ('routing', 'building', 'submitted')
    ),
    recent AS MATERIALIZED (
        SELECT started_at FROM attempts
        WHERE :max_starts_per_minute > 0
            AND started_at BETWEEN (SELECT moment FROM clock) - interval '60 s'
                AND (SELECT moment FROM clock) + interval '60 s'
    ),
    free AS MATERIALIZED (
        SELECT greatest(0, least(:at_most,
            nullif(:max_in_flight, 0) - (SELECT count(*) FROM flight),
            nullif(:max_starts_per_minute, 0) - (SELECT count(*) FROM recent))) AS slots
    ),
    waiting AS MATERIALIZED (
        SELECT order_id, next_attempt_at, create_time FROM orders
        WHERE status = 'pending' AND (next_attempt_at <= (SELECT moment FROM clock)
            OR update_time > (SELECT moment FROM clock) + interval '60 s')
        ORDER BY next_attempt_at, create_time, order_id LIMIT (SELECT greatest(slots, 1) FROM free)
    )
    SELECT
        ARRAY(SELECT order_id FROM flight WHERE claimed_until <= (SELECT moment FROM clock)
                OR claimed_until > (SELECT moment FROM clock) + :lease + interval '60 s'
            ORDER BY claimed_until, order_id)
        || ARRAY(SELECT order_id FROM waiting ORDER BY next_attempt_at, create_time, order_id
            LIMIT (SELECT slots FROM free)) AS order_ids,
        least(
            (SELECT min(next_attempt_at) FROM orders
                WHERE status = 'pending' AND next_attempt_at > (SELECT moment FROM clock)),
            (SELECT min(claimed_until) FROM flight WHERE claimed_until > (SELECT moment FROM clock)),
            (SELECT started_at + interval '60 s' FROM recent WHERE EXISTS (SELECT FROM waiting)
                ORDER BY started_at DESC OFFSET greatest(:max_starts_per_minute - 1, 0) LIMIT 1)
        ) - (SELECT moment FROM clock) AS next_at
""")


class PostgresOrderClaims:
    """The OrderClaims port. Concurrent starts of one process are admitted together."""

    def __init__(self, engine: AsyncEngine, limits: AdmissionLimits, lease: timedelta) -> None:
        self._engine = engine
        self._limits = limits
        self._lease = lease
        self._starts: Batcher[Start, Started] = Batcher(partial(start_all, engine, limits, lease))

    async def start(self, order_id: OrderId, claim_id: UUID, event_id: EventId) -> tuple[Claim, OrderEvent] | None:
        try:
            return await self._starts.submit(Start(order_id, claim_id, event_id))
        except StatementRefused as error:
            if error.is_integrity:
                return None
            raise Unavailable(f"order {order_id} was not started: {error}") from error

    async def take_over(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        return _claim(await read(self._engine, _TAKE_OVER, order_id=order_id, claim_id=claim_id, lease=self._lease))

    async def reload(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        return _claim(await read(self._engine, _RELOAD, order_id=order_id, claim_id=claim_id))

    async def renew(self, claim_ids: Sequence[UUID]) -> set[UUID]:
        if not claim_ids:
            return set()
        rows = await read(self._engine, _RENEW, claim_ids=list(claim_ids), lease=self._lease)
        return {row["claimed_by"] for row in rows}

    async def release(self, claim_ids: Sequence[UUID]) -> None:
        if claim_ids:
            await read(self._engine, _RELEASE, claim_ids=list(claim_ids))

    async def due(self, at_most: int) -> DueOrders:
        (row,) = await read(
            self._engine,
            _DUE,
            at_most=at_most,
            lease=self._lease,
            max_in_flight=self._limits.max_in_flight,
            max_starts_per_minute=self._limits.max_starts_per_minute,
        )
        return DueOrders(order_ids=row["order_ids"], next_at=row["next_at"])


def _claim(rows: Sequence[RowMapping]) -> Claim | None:
    return Claim(order=order_of(rows[0]), takeovers=rows[0]["takeovers"]) if rows else None
