"""What every TaskQueue keeps to, seen from where its hints arrive."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker

from order_engine.adapters.memory.task_queue import MemoryTaskQueue
from order_engine.adapters.redis.broker import HintBroker
from order_engine.adapters.redis.task_queue import RedisTaskQueue
from order_engine.domain.order import OrderId
from order_engine.usecases.ports import TaskQueue
from order_engine.worker.actors import declare_execute_order
from tests.due_orders import new_order_id
from tests.eventually import eventually


@dataclass
class Ends:
    queue: TaskQueue
    arrived: list[OrderId] = field(default_factory=list)


@contextmanager
def consuming(broker: dramatiq.Broker, hand_over: Callable[[OrderId], None]) -> Iterator[dramatiq.Worker]:
    declare_execute_order(broker, hand_over)
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=100)
    worker.start()
    yield worker
    worker.stop(5_000)
    broker.close()


@pytest.fixture(params=["memory", "redis"])
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    arrived: list[OrderId] = []
    if request.param == "memory":
        yield Ends(MemoryTaskQueue(arrived.append), arrived)
        return
    url, namespace = request.getfixturevalue("redis_url"), request.getfixturevalue("redis_namespace")
    with consuming(HintBroker(url, namespace=namespace), arrived.append):
        async with RedisTaskQueue(url, namespace=namespace) as queue:
            yield Ends(queue, arrived)


async def test_a_hint_arrives(ends: Ends) -> None:
    order_id = new_order_id()
    ends.queue.hint(order_id)
    await eventually(lambda: ends.arrived == [order_id])


async def test_hints_given_one_by_one_arrive_in_order(ends: Ends) -> None:
    hinted = [new_order_id() for _ in range(20)]
    for order_id in hinted:
        ends.queue.hint(order_id)
        await asyncio.sleep(0.002)
    await eventually(lambda: ends.arrived == hinted)


async def test_a_burst_of_two_thousand_arrives_completely(ends: Ends) -> None:
    hinted = [new_order_id() for _ in range(2_000)]
    for order_id in hinted:
        ends.queue.hint(order_id)
    await eventually(lambda: len(ends.arrived) >= 2_000, within_seconds=30)
    assert Counter(ends.arrived) == Counter(hinted)


async def test_a_repeated_hint_arrives_each_time(ends: Ends) -> None:
    order_id = new_order_id()
    for _ in range(10):
        ends.queue.hint(order_id)
    await eventually(lambda: ends.arrived == [order_id] * 10)


async def test_unmodified_dramatiq_reads_the_hints(redis_url: str, redis_namespace: str) -> None:
    arrived: list[OrderId] = []
    hinted = [new_order_id() for _ in range(50)]
    with consuming(RedisBroker(url=redis_url, namespace=redis_namespace), arrived.append):
        async with RedisTaskQueue(redis_url, namespace=redis_namespace) as queue:
            for order_id in hinted:
                queue.hint(order_id)
        await eventually(lambda: len(arrived) == 50)
    assert arrived == hinted


async def test_hints_of_unmodified_dramatiq_are_read(redis_url: str, redis_namespace: str) -> None:
    arrived: list[OrderId] = []
    order_id = new_order_id()
    sender = RedisBroker(url=redis_url, namespace=redis_namespace)
    declare_execute_order(sender, lambda _: None)
    with consuming(HintBroker(redis_url, namespace=redis_namespace), arrived.append):
        await asyncio.to_thread(sender.get_actor("execute_order").send, str(order_id))
        await eventually(lambda: arrived == [order_id])
    sender.client.close()


async def test_nothing_is_left_in_redis_once_hints_were_handed_over(redis_url: str, redis_namespace: str) -> None:
    arrived: list[OrderId] = []
    broker = HintBroker(redis_url, namespace=redis_namespace)
    with consuming(broker, arrived.append):
        async with RedisTaskQueue(redis_url, namespace=redis_namespace) as queue:
            for _ in range(300):
                queue.hint(new_order_id())
        await eventually(lambda: len(arrived) == 300)
        await eventually(lambda: broker.do_qsize("execute_order") == 0)


async def test_an_unreadable_hint_is_dropped_and_the_next_one_arrives(
    redis_url: str, redis_namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    arrived: list[OrderId] = []
    order_id = new_order_id()
    broker = HintBroker(redis_url, namespace=redis_namespace)
    queue_key = f"{redis_namespace}:execute_order"
    with consuming(broker, arrived.append), caplog.at_level(logging.CRITICAL):
        broker.client.hset(f"{queue_key}.msgs", mapping={"noise": b"\xff{", "gone": b"[]"})
        broker.client.rpush(queue_key, "noise", "gone", "never-there")
        await asyncio.to_thread(broker.get_actor("execute_order").send, "not-an-order-id")
        async with RedisTaskQueue(redis_url, namespace=redis_namespace) as queue:
            queue.hint(order_id)
        await eventually(lambda: arrived == [order_id])
    assert caplog.records == []


async def test_what_a_stopping_worker_fetched_but_did_not_hand_over_goes_back(
    redis_url: str, redis_namespace: str
) -> None:
    hinted = [new_order_id() for _ in range(40)]
    first: list[OrderId] = []
    second: list[OrderId] = []

    def slowly(order_id: OrderId) -> None:
        first.append(order_id)
        time.sleep(0.2)

    async with RedisTaskQueue(redis_url, namespace=redis_namespace) as queue:
        for order_id in hinted:
            queue.hint(order_id)
    with consuming(HintBroker(redis_url, namespace=redis_namespace), slowly):
        await eventually(lambda: first)
    assert 1 <= len(first) < 16
    with consuming(HintBroker(redis_url, namespace=redis_namespace), second.append):
        await eventually(lambda: len(first) + len(second) >= 40)
    assert Counter(first + second) == Counter(hinted)
