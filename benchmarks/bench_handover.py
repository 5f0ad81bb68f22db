"""How long a hint takes to its start in an idle worker process, and what that worker costs while nothing happens.

    python benchmarks/bench_handover.py redis://127.0.0.1:6379/0

The worker is a process of its own with a store that has nothing to do. A hint's order id carries the time it was
given, so that sender and worker need no other channel (both read the same monotonic clock).
"""

import asyncio
import json
import secrets
import statistics
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import psutil
import structlog

from order_engine.adapters.redis.broker import HintBroker
from order_engine.adapters.redis.task_queue import RedisTaskQueue
from order_engine.adapters.system import RandomIdentifiers
from order_engine.domain.order import EventId, OrderEvent, OrderId
from order_engine.usecases.ports import Claim, DueOrders
from order_engine.worker.run import WorkerPolicy, run_worker

IDLE_SECONDS = 10.0
IDLE_HINTS = 60
BURST_HINTS = 2_000


class NothingToDo:
    """OrderClaims of a store without orders."""

    async def start(self, order_id: OrderId, claim_id: UUID, event_id: EventId) -> tuple[Claim, OrderEvent] | None:
        return None

    async def take_over(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        return None

    async def reload(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        return None

    async def renew(self, claim_ids: Sequence[UUID]) -> set[UUID]:
        return set(claim_ids)

    async def release(self, claim_ids: Sequence[UUID]) -> None:
        return None

    async def due(self, at_most: int) -> DueOrders:
        return DueOrders(order_ids=(), next_at=None)


async def work(url: str, namespace: str) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout carries the figures
    delays: list[float] = []

    async def execute_order(order_id: OrderId, claim_id: UUID) -> None:
        delays.append((time.monotonic_ns() - order_id.int) / 1e6)
        if len(delays) in (IDLE_HINTS, IDLE_HINTS + BURST_HINTS):
            print(json.dumps(delays), flush=True)

    await run_worker(
        execute_order=execute_order,
        claims=NothingToDo(),
        identifiers=RandomIdentifiers(),
        broker=HintBroker(url, namespace=namespace),
        policy=WorkerPolicy(orders_at_once=256, lease=timedelta(seconds=6), grace=timedelta(0)),
    )


async def measure(url: str) -> None:
    namespace = f"bench-{secrets.token_hex(4)}"
    worker = await asyncio.create_subprocess_exec(
        sys.executable, __file__, url, namespace, stdout=PIPE, stderr=DEVNULL, limit=1_000_000
    )
    try:
        await asyncio.sleep(2)
        print(f"idle worker: {100 * await idle_share(worker.pid):.2f} % of a core")
        async with RedisTaskQueue(url, namespace=namespace) as queue:
            print(f"hint to start, idle: {await one_by_one(worker, queue)}")
            print(f"burst of {BURST_HINTS}: {await all_at_once(worker, queue)}")
    finally:
        worker.terminate()
        await worker.wait()


async def one_by_one(worker: Process, queue: RedisTaskQueue) -> str:
    for number in range(IDLE_HINTS):
        await asyncio.sleep(0.06 + 0.1 * (number * 7 % IDLE_HINTS) / IDLE_HINTS)
        queue.hint(OrderId(UUID(int=time.monotonic_ns())))
    return percentiles(await delays_from(worker))


async def all_at_once(worker: Process, queue: RedisTaskQueue) -> str:
    before, began = cpu_seconds(worker.pid), time.monotonic()
    for _ in range(BURST_HINTS):
        queue.hint(OrderId(UUID(int=time.monotonic_ns())))
    await delays_from(worker)
    took, used = time.monotonic() - began, cpu_seconds(worker.pid) - before
    return f"{BURST_HINTS / took:.0f} hints/s, worker {1e6 * used / BURST_HINTS:.0f} µs/hint"


async def delays_from(worker: Process) -> list[float]:
    """Return the milliseconds from hint to start that the worker reports after each part."""
    if worker.stdout is None:
        raise ValueError("the worker's output is not piped")
    delays: list[float] = json.loads(await worker.stdout.readline())
    return delays


async def idle_share(pid: int) -> float:
    before = cpu_seconds(pid)
    await asyncio.sleep(IDLE_SECONDS)
    return (cpu_seconds(pid) - before) / IDLE_SECONDS


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def percentiles(delays: Sequence[float]) -> str:
    cuts = statistics.quantiles(delays, n=100)
    return f"p50 {cuts[49]:.1f} ms, p90 {cuts[89]:.1f} ms, p99 {cuts[98]:.1f} ms of {len(delays)}"


if __name__ == "__main__":
    import uvloop

    uvloop.run(measure(sys.argv[1]) if len(sys.argv) == 2 else work(sys.argv[1], sys.argv[2]))
