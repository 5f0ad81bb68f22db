"""One worker process: an event loop that works on orders, and Dramatiq's threads that only bring it hints."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import dramatiq
import structlog

from order_engine.domain.order import OrderId
from order_engine.usecases.ports import Identifiers, OrderClaims
from order_engine.usecases.sweep_orders import SweepOrders
from order_engine.worker.actors import declare_execute_order
from order_engine.worker.executor import Executor
from order_engine.worker.leases import LeaseKeeper
from order_engine.worker.sweeper import Sweeper

HAND_OVER_THREADS: Final = 1  # handing over takes microseconds
THREAD_WAKE_MS: Final = 250  # how soon Dramatiq's threads notice that they should stop
THREADS_STOP_MS: Final = 2_500

logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPolicy:
    orders_at_once: int
    lease: timedelta  # must be the store's
    grace: timedelta  # for orders in hand when the worker stops


async def run_worker(
    *,
    execute_order: Callable[[OrderId, UUID], Awaitable[None]],
    claims: OrderClaims,
    identifiers: Identifiers,
    broker: dramatiq.Broker,
    policy: WorkerPolicy,
    stop: asyncio.Event | None = None,
) -> None:
    """Work until `stop` is set; without one, until SIGTERM or SIGINT. The broker is this worker's alone."""
    stop = stop or _stop_on_signals()
    freed = asyncio.Event()
    executor = Executor(execute_order, claims, identifiers, orders_at_once=policy.orders_at_once, freed=freed)
    keeper = LeaseKeeper(claims, policy.lease, in_hand=executor.claim_ids, lost=executor.drop)
    sweeper = Sweeper(SweepOrders(claims=claims, queue=executor), room=lambda: executor.room, woken=freed)
    declare_execute_order(broker, executor.hand_over)
    consumer = dramatiq.Worker(broker, worker_threads=HAND_OVER_THREADS, worker_timeout=THREAD_WAKE_MS)
    consumer.start()
    sweeping, keeping = asyncio.create_task(sweeper.run()), asyncio.create_task(keeper.run())
    logger.info("worker_started", orders_at_once=policy.orders_at_once)
    try:
        await stop.wait()
    finally:
        await _cancelled(sweeping)
        await asyncio.gather(asyncio.to_thread(consumer.stop, THREADS_STOP_MS), executor.drain(policy.grace))
        await _cancelled(keeping)
        broker.close()
        logger.info("worker_stopped")


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
