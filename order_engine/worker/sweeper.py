"""Runs the sweep in every worker process: when an order falls due, when one leaves this worker, and every second.

Due orders go straight into this process's own executor, not through Redis: they progress with Redis away, a busy queue
cannot fill up with repetitions, and as every worker sweeps, each gets the same chance. Starting is conditional in the
store, so that several workers with the same idea do no harm.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

from order_engine.domain.errors import Unavailable
from order_engine.usecases.sweep_orders import SweepOrders

BATCH: Final = 100
LONGEST_SLEEP: Final = timedelta(seconds=1)
SHORTEST_SLEEP: Final = timedelta(milliseconds=20)  # at most fifty sweeps a second, however fast orders end

logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class Sweeper:
    def __init__(self, sweep_orders: SweepOrders, *, room: Callable[[], int], woken: asyncio.Event) -> None:
        self._sweep_orders = sweep_orders
        self._room = room
        self._woken = woken
        self._failing = False

    async def run(self) -> None:
        while True:
            self._woken.clear()
            next_at = await self._sweep()
            await asyncio.sleep(SHORTEST_SLEEP.total_seconds())
            with suppress(TimeoutError):
                async with asyncio.timeout(_rest(next_at).total_seconds()):
                    await self._woken.wait()

    async def _sweep(self) -> timedelta:
        """Sweep as far as there is room, and survive whatever goes wrong: a lost sweeper would lose orders."""
        at_most = min(BATCH, self._room())
        if at_most <= 0:
            return LONGEST_SLEEP
        try:
            next_at = await self._sweep_orders(at_most)
        except Unavailable as error:
            if not self._failing:
                logger.warning("sweep_failed", error=error.message)
            self._failing = True
            return LONGEST_SLEEP
        except Exception:
            logger.exception("sweep_failed")
            return LONGEST_SLEEP
        self._failing = False
        return LONGEST_SLEEP if next_at is None else next_at


def _rest(next_at: timedelta) -> timedelta:
    """Return what is left to sleep of `next_at` after the shortest sleep, and never more than the longest."""
    return min(max(next_at - SHORTEST_SLEEP, timedelta(0)), LONGEST_SLEEP - SHORTEST_SLEEP)
