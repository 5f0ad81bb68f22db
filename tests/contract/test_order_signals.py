"""What every OrderSignals keeps to. Over Redis, publisher and watcher are two processes' worth of adapters."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from order_engine.adapters.memory.order_signals import MemoryOrderSignals
from order_engine.adapters.redis.order_signals import RedisOrderSignals
from order_engine.domain.order import OrderId
from order_engine.usecases.ports import OrderSignals, Subscription
from tests.due_orders import new_order_id

LONG = timedelta(seconds=60)
PROMPTLY_SECONDS = 5


@dataclass(frozen=True)
class Ends:
    publisher: OrderSignals
    watcher: OrderSignals


async def woken(subscription: Subscription) -> None:
    await asyncio.wait_for(subscription.wait(LONG), PROMPTLY_SECONDS)


async def no_poll(order_ids: Sequence[OrderId]) -> Mapping[OrderId, int]:
    raise AssertionError("a signal was lost and had to be polled for")


@asynccontextmanager
async def redis_ends(url: str, namespace: str) -> AsyncIterator[Ends]:
    async with AsyncExitStack() as stack:
        ends = []
        for _ in range(2):
            signals = RedisOrderSignals(url, latest_sequences=no_poll, poll_interval=LONG, namespace=namespace)
            ends.append(await stack.enter_async_context(signals))
        async with ends[1].subscribe(new_order_id()) as probe:
            await woken(probe)  # by the reader, once it knows its position
        yield Ends(*ends)


@pytest.fixture(params=["memory", "redis"])
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    if request.param == "memory":
        signals = MemoryOrderSignals()
        yield Ends(signals, signals)
        return
    url, namespace = request.getfixturevalue("redis_url"), request.getfixturevalue("redis_namespace")
    async with redis_ends(url, namespace) as ends:
        yield ends


async def test_a_signal_wakes_every_watcher_of_its_order(ends: Ends) -> None:
    order_id = new_order_id()
    async with ends.watcher.subscribe(order_id) as one, ends.watcher.subscribe(order_id) as other:
        ends.publisher.publish(order_id, 1)
        await woken(one)
        await woken(other)


async def test_a_signal_wakes_nobody_else(ends: Ends) -> None:
    signalled, other = new_order_id(), new_order_id()
    async with ends.watcher.subscribe(signalled) as watching, ends.watcher.subscribe(other) as not_concerned:
        ends.publisher.publish(signalled, 1)
        await woken(watching)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(not_concerned.wait(LONG), 0.05)


async def test_a_signal_that_comes_between_two_waits_is_kept(ends: Ends) -> None:
    order_id = new_order_id()
    async with ends.watcher.subscribe(order_id) as early, ends.watcher.subscribe(order_id) as late:
        ends.publisher.publish(order_id, 1)
        await woken(early)
        await woken(late)


async def test_the_publishing_process_wakes_its_own_watchers(ends: Ends) -> None:
    order_id = new_order_id()
    async with ends.publisher.subscribe(order_id) as subscription:
        ends.publisher.publish(order_id, 1)
        await asyncio.wait_for(subscription.wait(LONG), 0.05)


async def test_every_further_sequence_wakes_again(ends: Ends) -> None:
    order_id = new_order_id()
    async with ends.watcher.subscribe(order_id) as subscription:
        for sequence in range(1, 20):
            ends.publisher.publish(order_id, sequence)
            await woken(subscription)


async def test_a_wait_ends_without_a_signal_when_its_time_is_up(ends: Ends) -> None:
    async with ends.watcher.subscribe(new_order_id()) as subscription:
        await asyncio.wait_for(subscription.wait(timedelta(milliseconds=20)), PROMPTLY_SECONDS)


async def test_a_burst_of_signals_reaches_all_their_watchers(ends: Ends) -> None:
    order_ids = [new_order_id() for _ in range(1_000)]
    async with AsyncExitStack() as stack:
        subscriptions = [await stack.enter_async_context(ends.watcher.subscribe(order_id)) for order_id in order_ids]
        for order_id in order_ids:
            ends.publisher.publish(order_id, 1)
        await asyncio.gather(*(woken(subscription) for subscription in subscriptions))


@pytest.mark.parametrize("seed", range(3))
async def test_subscribe_then_replay_then_follow_misses_nothing(ends: Ends, seed: int) -> None:
    """Publishing and subscribing race on many orders; nobody may be left waiting for what was already stored."""
    last, chance = 20, random.Random(seed)  # noqa: S311
    stored: defaultdict[OrderId, int] = defaultdict(int)
    order_ids = [new_order_id() for _ in range(100)]

    async def write(order_id: OrderId) -> None:
        for sequence in range(1, last + 1):
            await asyncio.sleep(chance.random() / 200)
            stored[order_id] = sequence
            ends.publisher.publish(order_id, sequence)

    async def watch(order_id: OrderId) -> None:
        await asyncio.sleep(chance.random() / 5)
        async with ends.watcher.subscribe(order_id) as subscription:
            while stored[order_id] < last:
                await woken(subscription)

    await asyncio.gather(*(write(order_id) for order_id in order_ids), *(watch(order_id) for order_id in order_ids * 2))
