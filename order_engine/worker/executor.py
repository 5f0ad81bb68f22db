"""The orders this process has in hand: one task each, bounded, and never the same order twice."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from order_engine.domain.errors import Unavailable
from order_engine.domain.order import OrderId
from order_engine.usecases.ports import Identifiers, OrderClaims

ROOM_PATIENCE_SECONDS: Final = 1.0  # how long a hint waits for room before it is left to the sweeper
CANCEL_SECONDS: Final = 2.0  # for cancelled orders to come to rest

logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InHand:
    claim_id: UUID
    task: asyncio.Task[None]


class Executor:
    """Works on every order it is hinted, as long as there is room; sets `freed` whenever an order leaves its hands.

    An execution that raises is logged and put down. Its claim, if it had one, is left to run out: a fault that strikes
    every time is then met once per lease, not in a tight loop.
    """

    def __init__(
        self,
        execute_order: Callable[[OrderId, UUID], Awaitable[None]],
        claims: OrderClaims,
        identifiers: Identifiers,
        *,
        orders_at_once: int,
        freed: asyncio.Event,
    ) -> None:
        self._execute_order = execute_order
        self._claims = claims
        self._identifiers = identifiers
        self._freed = freed
        self._loop = asyncio.get_running_loop()
        self._capacity = orders_at_once
        self._slots = threading.BoundedSemaphore(orders_at_once)
        self._in_hand: dict[OrderId, InHand] = {}
        self._open = True

    @property
    def room(self) -> int:
        return self._capacity - len(self._in_hand) if self._open else 0

    def claim_ids(self) -> list[UUID]:
        return [order.claim_id for order in self._in_hand.values()]

    def hint(self, order_id: OrderId) -> None:
        """Take the order if there is room and it is not in hand."""
        if self._wants(order_id) and self._slots.acquire(blocking=False):
            self._begin(order_id)

    def hand_over(self, order_id: OrderId) -> None:
        """Take the order like `hint`, but from another thread, which waits a moment for room."""
        if self._wants(order_id) and self._slots.acquire(timeout=ROOM_PATIENCE_SECONDS):
            try:
                self._loop.call_soon_threadsafe(self._begin, order_id)
            except RuntimeError:  # the loop was closed meanwhile
                self._slots.release()

    def drop(self, claim_id: UUID) -> None:
        """Stop working on an order whose claim is someone else's by now."""
        for order_id, order in self._in_hand.items():
            if order.claim_id == claim_id:
                logger.warning("claim_lost", order_id=str(order_id))
                order.task.cancel()

    async def drain(self, grace: timedelta) -> None:
        """Take no more orders, give those in hand a moment, then release the rest to other workers."""
        self._open = False
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=grace.total_seconds())
        released = self.claim_ids()
        if tasks := self._tasks():
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
            await self._release(released)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [order.task for order in self._in_hand.values()]

    def _wants(self, order_id: OrderId) -> bool:
        return self._open and order_id not in self._in_hand

    def _begin(self, order_id: OrderId) -> None:
        if not self._wants(order_id):
            self._slots.release()
            return
        claim_id = self._identifiers.claim_id()
        task = self._loop.create_task(self._work(order_id, claim_id))
        self._in_hand[order_id] = InHand(claim_id, task)
        task.add_done_callback(lambda _: self._end(order_id))

    def _end(self, order_id: OrderId) -> None:
        del self._in_hand[order_id]
        self._slots.release()
        self._freed.set()

    async def _work(self, order_id: OrderId, claim_id: UUID) -> None:
        try:
            await self._execute_order(order_id, claim_id)
        except Unavailable as error:
            logger.warning("order_put_down", order_id=str(order_id), error=error.message)
        except Exception:
            logger.exception("order_put_down", order_id=str(order_id))

    async def _release(self, claim_ids: list[UUID]) -> None:
        try:
            await self._claims.release(claim_ids)
            logger.info("orders_released", count=len(claim_ids))
        except Unavailable as error:  # the leases run out by themselves
            logger.warning("orders_not_released", count=len(claim_ids), error=error.message)
