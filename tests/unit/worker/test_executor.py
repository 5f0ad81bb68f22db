import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from order_engine.adapters.system import RandomIdentifiers
from order_engine.domain.errors import Unavailable
from order_engine.domain.order import OrderId
from order_engine.worker.executor import Executor
from tests.due_orders import DueOrderClaims, new_order_id
from tests.eventually import eventually


class Work:
    """An execution that lasts until it is let go."""

    def __init__(self) -> None:
        self.began: list[tuple[OrderId, UUID]] = []
        self.cancelled: list[OrderId] = []
        self.let_go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, order_id: OrderId, claim_id: UUID) -> None:
        self.began.append((order_id, claim_id))
        if self.error is not None:
            raise self.error
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.append(order_id)
            raise

    @property
    def orders(self) -> list[OrderId]:
        return [order_id for order_id, _ in self.began]


@pytest.fixture
async def work() -> AsyncIterator[Work]:
    work = Work()
    yield work
    work.let_go.set()


@pytest.fixture
def claims() -> DueOrderClaims:
    return DueOrderClaims()


def make(work: Work, claims: DueOrderClaims, orders_at_once: int = 4, freed: asyncio.Event | None = None) -> Executor:
    freed = freed or asyncio.Event()
    return Executor(work, claims, RandomIdentifiers(), orders_at_once=orders_at_once, freed=freed)


async def test_ten_hints_for_an_order_in_hand_execute_it_once(work: Work, claims: DueOrderClaims) -> None:
    executor, order_id = make(work, claims), new_order_id()
    for _ in range(10):
        executor.hint(order_id)
        await asyncio.sleep(0)
    assert work.orders == [order_id]


async def test_an_order_that_ended_can_be_hinted_again_under_a_new_claim(work: Work, claims: DueOrderClaims) -> None:
    executor, order_id = make(work, claims), new_order_id()
    work.let_go.set()
    executor.hint(order_id)
    await eventually(lambda: executor.room == 4)
    executor.hint(order_id)
    await eventually(lambda: len(work.began) == 2)
    assert work.orders == [order_id, order_id]
    assert work.began[0][1] != work.began[1][1]


async def test_there_are_never_more_orders_in_hand_than_allowed(work: Work, claims: DueOrderClaims) -> None:
    executor = make(work, claims, orders_at_once=3)
    hinted = [new_order_id() for _ in range(5)]
    for order_id in hinted:
        executor.hint(order_id)
    await asyncio.sleep(0)
    assert work.orders == hinted[:3]
    assert executor.room == 0


async def test_a_thread_waits_for_room_and_gets_it(work: Work, claims: DueOrderClaims) -> None:
    executor = make(work, claims, orders_at_once=1)
    first, second = new_order_id(), new_order_id()
    executor.hint(first)
    handing_over = asyncio.create_task(asyncio.to_thread(executor.hand_over, second))
    await asyncio.sleep(0.05)
    assert not handing_over.done()
    work.let_go.set()
    await handing_over
    await eventually(lambda: work.orders == [first, second])


async def test_a_thread_gives_up_waiting_for_room(work: Work, claims: DueOrderClaims) -> None:
    executor = make(work, claims, orders_at_once=1)
    executor.hint(new_order_id())
    await asyncio.wait_for(asyncio.to_thread(executor.hand_over, new_order_id()), 5)
    await asyncio.sleep(0)
    assert len(work.began) == 1


async def test_many_threads_handing_over_the_same_orders_execute_each_once(work: Work, claims: DueOrderClaims) -> None:
    executor = make(work, claims, orders_at_once=64)
    hinted = [new_order_id() for _ in range(50)]

    def hand_all_over() -> None:
        for order_id in hinted:
            executor.hand_over(order_id)

    await asyncio.gather(*(asyncio.to_thread(hand_all_over) for _ in range(4)))
    await eventually(lambda: len(work.began) >= 50)
    await asyncio.sleep(0)
    assert sorted(work.orders) == sorted(hinted)
    assert executor.room == 14


@pytest.mark.parametrize("error", [Unavailable("away"), ZeroDivisionError("a bug")])
async def test_an_execution_that_raises_frees_its_place(work: Work, claims: DueOrderClaims, error: Exception) -> None:
    freed = asyncio.Event()
    executor = make(work, claims, orders_at_once=1, freed=freed)
    work.error = error
    executor.hint(new_order_id())
    await asyncio.wait_for(freed.wait(), 1)
    work.error = None
    executor.hint(new_order_id())
    await eventually(lambda: len(work.began) == 2)
    assert claims.released == []


async def test_a_lost_claim_stops_its_order_and_no_other(work: Work, claims: DueOrderClaims) -> None:
    executor = make(work, claims)
    kept, lost = new_order_id(), new_order_id()
    executor.hint(kept)
    executor.hint(lost)
    await asyncio.sleep(0)
    executor.drop(work.began[1][1])
    await eventually(lambda: executor.room == 3)
    assert work.cancelled == [lost]


async def test_draining_waits_for_orders_that_end_in_time(work: Work, claims: DueOrderClaims) -> None:
    executor = make(work, claims)
    executor.hint(new_order_id())
    draining = asyncio.create_task(executor.drain(timedelta(seconds=30)))
    await asyncio.sleep(0.01)
    work.let_go.set()
    await asyncio.wait_for(draining, 5)
    assert work.cancelled == []
    assert claims.released == []


async def test_draining_stops_and_releases_what_does_not_end_in_time(work: Work, claims: DueOrderClaims) -> None:
    executor, order_id = make(work, claims), new_order_id()
    executor.hint(order_id)
    await executor.drain(timedelta(milliseconds=10))
    assert work.cancelled == [order_id]
    assert claims.released == [work.began[0][1]]


async def test_draining_survives_a_store_that_is_away(work: Work, claims: DueOrderClaims) -> None:
    executor = make(work, claims)
    executor.hint(new_order_id())
    claims.down = True
    await executor.drain(timedelta(0))
    assert len(work.cancelled) == 1


async def test_a_draining_executor_takes_nothing(work: Work, claims: DueOrderClaims) -> None:
    executor = make(work, claims)
    await executor.drain(timedelta(0))
    executor.hint(new_order_id())
    await asyncio.to_thread(executor.hand_over, new_order_id())
    await asyncio.sleep(0.01)
    assert work.began == []
    assert executor.room == 0
