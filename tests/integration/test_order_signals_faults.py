"""Signals while Redis is killed, emptied, full, read-only or not there at all."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from order_engine.adapters.redis.order_signals import RedisOrderSignals
from order_engine.adapters.redis.signal_stream import READ_SECONDS
from order_engine.domain.errors import Unavailable
from order_engine.domain.order import OrderId
from order_engine.usecases.ports import Subscription
from tests.due_orders import new_order_id
from tests.eventually import eventually
from tests.own_redis import OwnRedis

LONG = timedelta(seconds=60)
STREAM = "order_engine:signals"


class Stored:
    """The newest stored sequences, as the poll asks for them."""

    def __init__(self) -> None:
        self.sequences: dict[OrderId, int] = {}
        self.asked: list[Sequence[OrderId]] = []
        self.error: Exception | None = None

    async def latest(self, order_ids: Sequence[OrderId]) -> Mapping[OrderId, int]:
        self.asked.append(tuple(order_ids))
        if self.error is not None:
            raise self.error
        return {order_id: self.sequences[order_id] for order_id in order_ids if order_id in self.sequences}


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def no_redis(tmp_path: Path) -> OwnRedis:
    return OwnRedis(tmp_path)


@pytest.fixture
async def publisher(own_redis: OwnRedis) -> AsyncIterator[RedisOrderSignals]:
    async with RedisOrderSignals(own_redis.url, latest_sequences=Stored().latest, poll_interval=LONG) as signals:
        yield signals


@pytest.fixture
async def watcher(own_redis: OwnRedis) -> AsyncIterator[RedisOrderSignals]:
    async with RedisOrderSignals(own_redis.url, latest_sequences=Stored().latest, poll_interval=LONG) as signals:
        async with signals.subscribe(new_order_id()) as probe:
            await woken(probe)
        yield signals


async def woken(subscription: Subscription, within_seconds: float = 10) -> None:
    await asyncio.wait_for(subscription.wait(LONG), within_seconds)


async def assert_signals_pass(publisher: RedisOrderSignals, watcher: RedisOrderSignals) -> None:
    """Publish one order after another until the reader brings one across, then require that the next ones pass."""
    for attempt in range(100):
        order_id = new_order_id()
        async with watcher.subscribe(order_id) as subscription:
            publisher.publish(order_id, 1)
            try:
                await woken(subscription, 0.1 if attempt < 99 else 5)
            except TimeoutError:
                continue
        break
    for _ in range(3):
        order_id = new_order_id()
        async with watcher.subscribe(order_id) as subscription:
            publisher.publish(order_id, 1)
            await woken(subscription, 5)


async def test_everybody_is_woken_when_redis_is_back_after_a_kill(
    own_redis: OwnRedis, publisher: RedisOrderSignals, watcher: RedisOrderSignals
) -> None:
    order_id = new_order_id()
    async with watcher.subscribe(order_id) as subscription:
        own_redis.kill()
        publisher.publish(order_id, 1)
        with pytest.raises(TimeoutError):
            await woken(subscription, 0.3)
        await asyncio.to_thread(own_redis.start)
        await woken(subscription)
    await assert_signals_pass(publisher, watcher)


async def test_signals_pass_after_a_flush(
    own_redis: OwnRedis, publisher: RedisOrderSignals, watcher: RedisOrderSignals
) -> None:
    await assert_signals_pass(publisher, watcher)
    own_redis.command("FLUSHALL")
    await assert_signals_pass(publisher, watcher)


async def test_a_stream_that_starts_again_from_lower_ids_is_noticed(
    own_redis: OwnRedis, publisher: RedisOrderSignals, watcher: RedisOrderSignals
) -> None:
    await assert_signals_pass(publisher, watcher)
    order_id = new_order_id()
    async with watcher.subscribe(order_id) as subscription:
        own_redis.command("FLUSHALL")
        own_redis.command("XADD", STREAM, "5-1", "p", "")
        await woken(subscription, READ_SECONDS * 2 + 3)


async def test_a_server_that_came_back_empty_with_its_clock_behind_is_followed(
    own_redis: OwnRedis, watcher: RedisOrderSignals
) -> None:
    order_id = new_order_id()
    packed = order_id.bytes + (7).to_bytes(8, "big")
    with own_redis.client() as client:
        client.xadd(STREAM, {"p": b""}, id="99999999999999-0")
        async with watcher.subscribe(order_id) as subscription:
            client.flushall()
            client.xadd(STREAM, {"p": b""}, id="5-1")
            await woken(subscription, READ_SECONDS * 2 + 3)  # noticed
            client.xadd(STREAM, {"p": packed}, id="5-2")
            await woken(subscription, 5)


@pytest.mark.parametrize(
    ("break_it", "mend_it"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    ],
    ids=["full", "read-only"],
)
async def test_a_server_that_refuses_writes_does_no_harm(
    own_redis: OwnRedis,
    publisher: RedisOrderSignals,
    watcher: RedisOrderSignals,
    break_it: tuple[str, ...],
    mend_it: tuple[str, ...],
) -> None:
    own_redis.command(*break_it)
    for sequence in range(1, 50):
        publisher.publish(new_order_id(), sequence)
        await asyncio.sleep(0.001)
    own_redis.command(*mend_it)
    await assert_signals_pass(publisher, watcher)


async def test_without_redis_the_poll_wakes_whose_order_moved(no_redis: OwnRedis) -> None:
    stored, moved, still = Stored(), new_order_id(), new_order_id()
    interval = timedelta(milliseconds=100)
    async with (
        RedisOrderSignals(no_redis.url, latest_sequences=stored.latest, poll_interval=interval) as signals,
        signals.subscribe(moved) as mover,
        signals.subscribe(still) as other,
    ):
        stored.sequences = {moved: 1, still: 1}
        await woken(mover, 5)
        await woken(other, 5)
        stored.sequences[moved] = 2
        await woken(mover, 5)
        with pytest.raises(TimeoutError):
            await woken(other, 0.3)


async def test_without_redis_signals_stay_within_the_process(no_redis: OwnRedis) -> None:
    order_id = new_order_id()
    async with (
        RedisOrderSignals(no_redis.url, latest_sequences=Stored().latest, poll_interval=LONG) as signals,
        signals.subscribe(order_id) as subscription,
    ):
        signals.publish(order_id, 1)
        await woken(subscription, 0.1)


async def test_one_poll_asks_for_all_watched_orders_at_once(no_redis: OwnRedis) -> None:
    stored = Stored()
    order_ids = {new_order_id() for _ in range(50)}
    interval = timedelta(milliseconds=50)
    async with RedisOrderSignals(no_redis.url, latest_sequences=stored.latest, poll_interval=interval) as signals:
        await asyncio.sleep(0.12)
        assert stored.asked == []
        async with AsyncExitStack() as stack:
            for order_id in order_ids:
                await stack.enter_async_context(signals.subscribe(order_id))
            await eventually(lambda: stored.asked)
    assert set(stored.asked[0]) == order_ids


@pytest.mark.parametrize("error", [Unavailable("away"), ZeroDivisionError("a bug")])
async def test_the_poll_goes_on_after_the_store_failed(no_redis: OwnRedis, error: Exception) -> None:
    stored, order_id = Stored(), new_order_id()
    stored.error = error
    interval = timedelta(milliseconds=20)
    async with (
        RedisOrderSignals(no_redis.url, latest_sequences=stored.latest, poll_interval=interval) as signals,
        signals.subscribe(order_id) as subscription,
    ):
        await eventually(lambda: len(stored.asked) >= 2)
        stored.sequences, stored.error = {order_id: 1}, None
        await woken(subscription, 5)


async def test_stopping_does_not_wait_for_a_server_that_is_away(no_redis: OwnRedis) -> None:
    signals = RedisOrderSignals(no_redis.url, latest_sequences=Stored().latest, poll_interval=LONG)
    async with asyncio.timeout(3):
        async with signals:
            signals.publish(new_order_id(), 1)
