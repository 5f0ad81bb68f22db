"""Find the orders that are due and hint them: whatever was lost on the way to a worker is found here.

This is the one retry mechanism. Retry waits, rate limits, lost hints and dead workers all end with a row that is due.
"""

from dataclasses import dataclass
from datetime import timedelta

from order_engine.usecases.ports import OrderClaims, TaskQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOrders:
    claims: OrderClaims
    queue: TaskQueue

    async def __call__(self, at_most: int) -> timedelta | None:
        """Hint the oldest due orders. Return how long until the next one falls due, None when none is known."""
        due = await self.claims.due(at_most)
        for order_id in due.order_ids:
            self.queue.hint(order_id)
        return due.next_at
