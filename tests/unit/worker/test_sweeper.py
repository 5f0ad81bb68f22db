import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from order_engine.domain.order import OrderId
from order_engine.usecases.sweep_orders import SweepOrders
from order_engine.worker import sweeper as module
from order_engine.worker.sweeper import Sweeper
from tests.due_orders import DueOrderClaims, new_order_id
from tests.eventually import eventually


class Hinted:
    """A TaskQueue that keeps what it is given."""

    def __init__(self) -> None:
        self.order_ids: list[OrderId] = []

    def hint(self, order_id: OrderId) -> None:
        self.order_ids.append(order_id)


class Sweeping:
    def __init__(self) -> None:
        self.claims = DueOrderClaims()
        self.hinted = Hinted()
        self.woken = asyncio.Event()
        self.room = 1_000
        sweep = SweepOrders(claims=self.claims, queue=self.hinted)
        self.sweeper = Sweeper(sweep, room=lambda: self.room, woken=self.woken)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.sweeper.run())
        await asyncio.sleep(0)
        yield
        assert not task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def sweeping() -> Sweeping:
    return Sweeping()


@pytest.fixture
def hourly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_SLEEP", timedelta(hours=1))


def most_sweeps(in_seconds: float) -> int:
    return 1 + int(in_seconds / module.SHORTEST_SLEEP.total_seconds())


async def test_every_due_order_is_hinted_in_order(sweeping: Sweeping) -> None:
    sweeping.claims.waiting = [new_order_id() for _ in range(5)]
    async with sweeping.running():
        assert sweeping.hinted.order_ids == sweeping.claims.waiting


async def test_it_sweeps_again_when_the_next_order_falls_due(sweeping: Sweeping, hourly: None) -> None:
    sweeping.claims.next_at = timedelta(milliseconds=200)
    began = time.monotonic()
    async with sweeping.running():
        await eventually(lambda: len(sweeping.claims.sweeps) == 2)
    assert 0.2 <= time.monotonic() - began < 2


async def test_it_never_sleeps_longer_than_a_second(sweeping: Sweeping) -> None:
    sweeping.claims.next_at = timedelta(hours=1)
    async with sweeping.running():
        await eventually(lambda: len(sweeping.claims.sweeps) == 2, within_seconds=1.5)


async def test_waking_it_sweeps_at_once(sweeping: Sweeping, hourly: None) -> None:
    async with sweeping.running():
        await asyncio.sleep(0.1)
        assert len(sweeping.claims.sweeps) == 1
        sweeping.woken.set()
        await eventually(lambda: len(sweeping.claims.sweeps) == 2, within_seconds=1)


async def test_a_storm_of_wake_ups_is_a_few_sweeps(sweeping: Sweeping, hourly: None) -> None:
    began = time.monotonic()
    async with sweeping.running():
        for _ in range(200):
            sweeping.woken.set()
            await asyncio.sleep(0.001)
    assert 2 <= len(sweeping.claims.sweeps) <= most_sweeps(time.monotonic() - began)


@pytest.mark.parametrize("next_at", [timedelta(0), timedelta(seconds=-5)])
async def test_orders_already_due_do_not_make_it_spin(sweeping: Sweeping, next_at: timedelta) -> None:
    sweeping.claims.next_at = next_at
    began = time.monotonic()
    async with sweeping.running():
        await asyncio.sleep(0.2)
    assert 2 <= len(sweeping.claims.sweeps) <= most_sweeps(time.monotonic() - began)


async def test_it_goes_on_after_the_store_was_away(sweeping: Sweeping) -> None:
    sweeping.claims.down = True
    order_id = new_order_id()
    async with sweeping.running():
        await eventually(lambda: len(sweeping.claims.sweeps) >= 1)
        sweeping.claims.waiting = [order_id]
        sweeping.claims.down = False
        await eventually(lambda: sweeping.hinted.order_ids == [order_id])


async def test_it_survives_a_bug_in_the_sweep(sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch) -> None:
    good = sweeping.claims.due
    answers = iter([None])

    async def due(at_most: int) -> object:
        return next(answers, await good(at_most))

    monkeypatch.setattr(sweeping.claims, "due", due)
    order_id = new_order_id()
    sweeping.claims.waiting = [order_id]
    async with sweeping.running():
        assert sweeping.hinted.order_ids == []
        await eventually(lambda: sweeping.hinted.order_ids == [order_id])


async def test_it_asks_for_no_more_than_there_is_room_for(sweeping: Sweeping) -> None:
    sweeping.room = 3
    async with sweeping.running():
        assert sweeping.claims.sweeps == [3]


async def test_without_room_it_waits_for_an_order_to_end(sweeping: Sweeping, hourly: None) -> None:
    sweeping.room = 0
    async with sweeping.running():
        await asyncio.sleep(0.05)
        assert sweeping.claims.sweeps == []
        sweeping.room = 1
        sweeping.woken.set()
        await eventually(lambda: sweeping.claims.sweeps == [1])
