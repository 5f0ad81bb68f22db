"""One worker as a whole, on a Redis of its own that is killed, flushed, starved and left out."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from order_engine.adapters.redis.broker import HintBroker
from order_engine.adapters.redis.task_queue import RedisTaskQueue
from order_engine.adapters.system import RandomIdentifiers
from order_engine.domain.order import OrderId
from order_engine.worker.run import WorkerPolicy, run_worker
from tests.due_orders import DueOrderClaims, new_order_id
from tests.eventually import eventually
from tests.own_redis import OwnRedis

POLICY = WorkerPolicy(orders_at_once=64, lease=timedelta(milliseconds=300), grace=timedelta(0))


@dataclass
class Workplace:
    """What the workers of a test share. An execution takes `takes_seconds` and then the order is done."""

    claims: DueOrderClaims = field(default_factory=DueOrderClaims)
    takes_seconds: float = 0.0
    began: list[OrderId] = field(default_factory=list)
    began_at: dict[OrderId, float] = field(default_factory=dict)
    ended: list[OrderId] = field(default_factory=list)
    in_hand: Counter[OrderId] = field(default_factory=Counter)
    overlaps: int = 0

    async def execute(self, order_id: OrderId, claim_id: UUID) -> None:
        self.began.append(order_id)
        self.began_at[order_id] = time.monotonic()
        self.in_hand[order_id] += 1
        self.overlaps += self.in_hand[order_id] > 1
        try:
            await asyncio.sleep(self.takes_seconds)
            self.claims.done(order_id)
            self.ended.append(order_id)
        finally:
            self.in_hand[order_id] -= 1

    @asynccontextmanager
    async def worker(self, url: str, policy: WorkerPolicy = POLICY) -> AsyncIterator[asyncio.Event]:
        stop = asyncio.Event()
        running = asyncio.create_task(
            run_worker(
                execute_order=self.execute,
                claims=self.claims,
                identifiers=RandomIdentifiers(),
                broker=HintBroker(url),
                policy=policy,
                stop=stop,
            )
        )
        yield stop
        stop.set()
        await asyncio.wait_for(running, 10)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def queue(own_redis: OwnRedis) -> AsyncIterator[RedisTaskQueue]:
    async with RedisTaskQueue(own_redis.url) as queue:
        yield queue


@pytest.fixture
def workplace() -> Workplace:
    return Workplace()


async def hint_until_executed(queue: RedisTaskQueue, workplace: Workplace) -> None:
    """Give hints until one arrives, then require that the next ones all do."""
    for _ in range(200):
        order_id = new_order_id()
        queue.hint(order_id)
        await asyncio.sleep(0.05)
        if order_id in workplace.ended:
            break
    hinted = [new_order_id() for _ in range(20)]
    for order_id in hinted:
        queue.hint(order_id)
    await eventually(lambda: set(hinted) <= set(workplace.ended))


async def test_a_hint_is_executed_promptly_by_an_idle_worker(
    own_redis: OwnRedis, queue: RedisTaskQueue, workplace: Workplace
) -> None:
    async with workplace.worker(own_redis.url):
        await hint_until_executed(queue, workplace)
        hinted_at = {}
        for _ in range(21):
            await asyncio.sleep(0.05)
            order_id = new_order_id()
            hinted_at[order_id] = time.monotonic()
            queue.hint(order_id)
        await eventually(lambda: hinted_at.keys() <= workplace.began_at.keys())
    delays = sorted(workplace.began_at[order_id] - at for order_id, at in hinted_at.items())
    assert delays[10] < 0.1  # far above the goal, far below any polling


async def test_ten_hints_for_one_order_never_work_on_it_twice_at_once(
    own_redis: OwnRedis, queue: RedisTaskQueue, workplace: Workplace
) -> None:
    workplace.takes_seconds = 0.3
    async with workplace.worker(own_redis.url):
        order_id = new_order_id()
        workplace.claims.waiting = [order_id]
        for _ in range(10):
            queue.hint(order_id)
        await eventually(lambda: order_id in workplace.ended)
    assert workplace.overlaps == 0
    assert workplace.began == [order_id]


async def test_a_burst_of_two_thousand_hints_is_worked_off(
    own_redis: OwnRedis, queue: RedisTaskQueue, workplace: Workplace
) -> None:
    workplace.takes_seconds = 0.02
    hinted = [new_order_id() for _ in range(2_000)]
    async with workplace.worker(own_redis.url):
        for order_id in hinted:
            queue.hint(order_id)
        await eventually(lambda: len(workplace.ended) >= 2_000, within_seconds=30)
    assert Counter(workplace.ended) == Counter(hinted)


async def test_a_full_worker_leaves_hints_to_one_with_room(
    own_redis: OwnRedis, queue: RedisTaskQueue, workplace: Workplace
) -> None:
    workplace.takes_seconds = 30
    small = WorkerPolicy(orders_at_once=2, lease=timedelta(seconds=6), grace=timedelta(0))
    async with workplace.worker(own_redis.url, small):
        busy = [new_order_id(), new_order_id()]
        for order_id in busy:
            queue.hint(order_id)
        await eventually(lambda: sorted(workplace.began) == sorted(busy))
        async with workplace.worker(own_redis.url, small):
            await asyncio.sleep(0.6)
            workplace.claims.waiting = [new_order_id()]
            await eventually(lambda: workplace.claims.waiting[0] in workplace.began)
        assert workplace.began.count(workplace.claims.waiting[0]) == 1


async def test_hints_work_again_after_redis_was_killed(
    own_redis: OwnRedis, queue: RedisTaskQueue, workplace: Workplace
) -> None:
    async with workplace.worker(own_redis.url):
        await hint_until_executed(queue, workplace)
        own_redis.kill()
        queue.hint(new_order_id())
        await asyncio.sleep(0.2)
        await asyncio.to_thread(own_redis.start)
        await hint_until_executed(queue, workplace)


async def test_hints_work_on_after_a_flush(own_redis: OwnRedis, queue: RedisTaskQueue, workplace: Workplace) -> None:
    async with workplace.worker(own_redis.url):
        await hint_until_executed(queue, workplace)
        own_redis.command("FLUSHALL")
        own_redis.command("SCRIPT", "FLUSH")
        await hint_until_executed(queue, workplace)


@pytest.mark.parametrize(
    ("break_it", "mend_it"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    ],
    ids=["full", "read-only"],
)
async def test_orders_progress_while_redis_refuses_writes_and_hints_work_afterwards(
    own_redis: OwnRedis,
    queue: RedisTaskQueue,
    workplace: Workplace,
    break_it: tuple[str, ...],
    mend_it: tuple[str, ...],
) -> None:
    async with workplace.worker(own_redis.url):
        await hint_until_executed(queue, workplace)
        own_redis.command(*break_it)
        order_id = new_order_id()
        workplace.claims.waiting = [order_id]
        queue.hint(order_id)
        await eventually(lambda: order_id in workplace.ended)
        own_redis.command(*mend_it)
        await hint_until_executed(queue, workplace)


async def test_orders_progress_while_redis_hangs_and_hints_work_afterwards(
    own_redis: OwnRedis, queue: RedisTaskQueue, workplace: Workplace
) -> None:
    async with workplace.worker(own_redis.url):
        await hint_until_executed(queue, workplace)
        own_redis.freeze()
        order_id, began = new_order_id(), time.monotonic()
        workplace.claims.waiting = [order_id]
        for _ in range(1_000):
            queue.hint(order_id)
        assert time.monotonic() - began < 0.5
        await eventually(lambda: order_id in workplace.ended, within_seconds=3)
        own_redis.thaw()
        await hint_until_executed(queue, workplace)


async def test_a_worker_stops_in_time_while_redis_hangs(own_redis: OwnRedis, workplace: Workplace) -> None:
    async with workplace.worker(own_redis.url):
        await eventually(lambda: workplace.claims.sweeps)
        own_redis.freeze()
        began = time.monotonic()
    assert time.monotonic() - began < 9


async def test_with_every_hint_lost_the_sweeper_brings_the_orders(own_redis: OwnRedis, workplace: Workplace) -> None:
    workplace.claims.waiting = [new_order_id() for _ in range(500)]
    expected = list(workplace.claims.waiting)
    async with workplace.worker(own_redis.url):
        await eventually(lambda: len(workplace.ended) >= 500, within_seconds=20)
    assert sorted(workplace.ended) == sorted(expected)


async def test_without_redis_orders_progress_one_after_another(tmp_path: Path, workplace: Workplace) -> None:
    absent = OwnRedis(tmp_path)
    async with workplace.worker(absent.url), RedisTaskQueue(absent.url) as queue:
        for _ in range(3):
            order_id = new_order_id()
            workplace.claims.waiting.append(order_id)
            queue.hint(order_id)
            await eventually(lambda order_id=order_id: order_id in workplace.ended, within_seconds=3)


async def test_a_freed_place_starts_the_next_order_at_once(tmp_path: Path, workplace: Workplace) -> None:
    workplace.takes_seconds = 0.01
    workplace.claims.waiting = [new_order_id() for _ in range(20)]
    began = time.monotonic()
    one_by_one = WorkerPolicy(orders_at_once=1, lease=timedelta(seconds=6), grace=timedelta(0))
    async with workplace.worker(OwnRedis(tmp_path).url, one_by_one):
        await eventually(lambda: len(workplace.ended) == 20)
        assert time.monotonic() - began < 5  # sweeping once a second would take twenty


async def test_a_running_order_keeps_its_claim_alive(own_redis: OwnRedis, workplace: Workplace) -> None:
    workplace.takes_seconds = 30
    workplace.claims.waiting = [new_order_id()]
    async with workplace.worker(own_redis.url):
        await eventually(lambda: len(workplace.claims.renewed) >= 3)
    assert len({claim_ids for claim_ids in workplace.claims.renewed}) == 1


async def test_an_order_whose_claim_is_gone_is_dropped(own_redis: OwnRedis, workplace: Workplace) -> None:
    workplace.takes_seconds = 30
    order_id = new_order_id()
    workplace.claims.waiting = [order_id]
    async with workplace.worker(own_redis.url):
        await eventually(lambda: workplace.claims.renewed)
        workplace.claims.waiting = []
        workplace.claims.taken = set(workplace.claims.renewed[0])
        await eventually(lambda: workplace.in_hand[order_id] == 0)
    assert workplace.ended == []


async def test_a_stopping_worker_releases_its_orders(own_redis: OwnRedis, workplace: Workplace) -> None:
    workplace.takes_seconds = 30
    workplace.claims.waiting = [new_order_id()]
    async with workplace.worker(own_redis.url):
        await eventually(lambda: workplace.claims.renewed)
    assert tuple(workplace.claims.released) == workplace.claims.renewed[0]
    assert workplace.in_hand.total() == 0


async def test_a_worker_stops_on_sigterm(own_redis: OwnRedis, workplace: Workplace) -> None:
    running = asyncio.create_task(
        run_worker(
            execute_order=workplace.execute,
            claims=workplace.claims,
            identifiers=RandomIdentifiers(),
            broker=HintBroker(own_redis.url),
            policy=POLICY,
        )
    )
    workplace.claims.waiting = [new_order_id()]
    await eventually(lambda: workplace.ended)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 10)


async def test_a_worker_stops_quickly_without_redis(tmp_path: Path, workplace: Workplace) -> None:
    async with workplace.worker(OwnRedis(tmp_path).url):
        await eventually(lambda: workplace.claims.sweeps)
        began = time.monotonic()
    assert time.monotonic() - began < 4
