import asyncio
import time
from datetime import timedelta

import pytest

from order_engine.adapters.subscriptions import TICK_SECONDS, Subscriptions
from tests.due_orders import new_order_id

LONG = timedelta(seconds=30)


async def test_a_wait_ends_when_its_time_is_up_and_not_before() -> None:
    with Subscriptions().subscribe(new_order_id()) as subscription:
        began = time.monotonic()
        await subscription.wait(timedelta(milliseconds=150))
        assert 0.15 <= time.monotonic() - began < 0.15 + TICK_SECONDS + 0.5


async def test_a_repeated_sequence_wakes_once() -> None:
    subscriptions, order_id = Subscriptions(), new_order_id()
    with subscriptions.subscribe(order_id) as subscription:
        subscriptions.wake(order_id, 2)
        await asyncio.wait_for(subscription.wait(LONG), 1)
        subscriptions.wake(order_id, 2)
        subscriptions.wake(order_id, 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(subscription.wait(LONG), 0.05)


async def test_a_wake_up_between_the_first_one_and_its_delivery_is_kept() -> None:
    subscriptions, order_id = Subscriptions(), new_order_id()
    with subscriptions.subscribe(order_id) as subscription:
        waiting = asyncio.create_task(subscription.wait(LONG))
        await asyncio.sleep(0)
        subscriptions.wake(order_id, 1)
        subscriptions.wake(order_id, 2)
        await waiting
        await asyncio.wait_for(subscription.wait(LONG), 1)


async def test_a_cancelled_wait_leaves_the_subscription_usable() -> None:
    subscriptions, order_id = Subscriptions(), new_order_id()
    with subscriptions.subscribe(order_id) as subscription:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(subscription.wait(LONG), 0.01)
        subscriptions.wake(order_id, 1)
        await asyncio.wait_for(subscription.wait(LONG), 1)


async def test_an_order_nobody_watches_any_more_is_forgotten() -> None:
    subscriptions, order_id = Subscriptions(), new_order_id()
    with subscriptions.subscribe(order_id), subscriptions.subscribe(order_id):
        assert subscriptions.watched == [order_id]
    assert subscriptions.watched == []


async def test_ten_thousand_waits_share_a_few_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    timers = []
    monkeypatch.setattr(loop, "call_at", lambda *scheduled, **_: timers.append(scheduled))
    subscriptions = Subscriptions()

    async def watch() -> None:
        with subscriptions.subscribe(new_order_id()) as subscription:
            await subscription.wait(LONG)

    watchers = [asyncio.create_task(watch()) for _ in range(10_000)]
    await asyncio.sleep(0)
    assert len(subscriptions.watched) == 10_000
    monkeypatch.undo()
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)
    assert 1 <= len(timers) <= 50
