"""How long an order waits for a new worker after its own was killed, seen from the database."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from tests.faults.stack import LEASE_SECONDS, WORKERS, Away, Death

LOOK_SECONDS = 0.1
_RENEWED_EVERY = LEASE_SECONDS / 3
_IN_FLIGHT = b"""
    SELECT order_id, claimed_by, claimed_until FROM orders WHERE status IN ('routing', 'building', 'submitted')
"""


@dataclass(frozen=True, slots=True)
class Recovery:
    order_id: str
    killed_at: float
    taken_over_at: float

    @property
    def seconds(self) -> float:
        return self.taken_over_at - self.killed_at


@dataclass(slots=True)
class RecoveryWatch:
    """Looks ten times a second for orders whose claim has become someone else's."""

    database_url: str
    deaths: Callable[[], Sequence[Death]]
    recoveries: list[Recovery] = field(default_factory=list)
    _claims: dict[UUID, tuple[UUID, datetime]] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            with suppress(psycopg.Error, OSError, TimeoutError):
                await self._look_on_one_connection()
            await asyncio.sleep(LOOK_SECONDS)

    async def _look_on_one_connection(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self.database_url, autocommit=True, connect_timeout=3
        ) as connection:
            while True:
                async with asyncio.timeout(3):
                    rows = await (await connection.execute(_IN_FLIGHT)).fetchall()
                self._compare({row[0]: (row[1], row[2]) for row in rows})
                await asyncio.sleep(LOOK_SECONDS)

    def _compare(self, claims: dict[UUID, tuple[UUID, datetime]]) -> None:
        for order_id, (claim, _) in claims.items():
            before = self._claims.get(order_id)
            if before is not None and before[0] is not None and claim is not None and before[0] != claim:
                self._taken_over(order_id, before[1])
        self._claims = claims

    def _taken_over(self, order_id: UUID, claimed_until: datetime) -> None:
        """Blame the first death of a worker after the last renewal: a living worker would have renewed again."""
        renewed = (claimed_until - timedelta(seconds=LEASE_SECONDS)).timestamp()
        deaths = [
            death.at
            for death in self.deaths()
            if death.process.startswith("worker") and renewed <= death.at <= renewed + _RENEWED_EVERY + 0.5
        ]
        if deaths:
            self.recoveries.append(Recovery(str(order_id), deaths[0], time.time()))


def undisturbed(
    recoveries: Sequence[Recovery], away: Sequence[Away], disturbances: Sequence[tuple[float, float]]
) -> list[Recovery]:
    """Return those during which the database could be reached and another worker was alive all the time."""
    return [
        one
        for one in recoveries
        if not any(_overlaps(one, began, ended) for began, ended in disturbances)
        and any(
            not any(_overlaps(one, time.began, time.ended) for time in away if time.process == worker)
            for worker in WORKERS
        )
    ]


def _overlaps(one: Recovery, began: float, ended: float) -> bool:
    return began < one.taken_over_at and one.killed_at < ended


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
