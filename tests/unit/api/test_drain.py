"""A drain interrupts who waits, and takes nothing from who works."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from order_engine.api.drain import Drain
from order_engine.api.refusals import Draining


async def counting(released: asyncio.Event, closed: list[bool]) -> AsyncGenerator[int, None]:
    try:
        yield 1
        await released.wait()
        yield 2
    finally:
        closed.append(True)


async def test_items_pass_until_they_end():
    released, closed = asyncio.Event(), []
    released.set()
    assert [item async for item in Drain().interrupting(counting(released, closed))] == [1, 2]
    assert closed == [True]


async def test_a_waiting_stream_is_interrupted_and_cleaned_up():
    drain, closed = Drain(), []
    items = drain.interrupting(counting(asyncio.Event(), closed))
    assert await anext(items) == 1
    waiting = asyncio.ensure_future(anext(items))
    await asyncio.sleep(0)
    drain.begin()
    drain.begin()
    with pytest.raises(Draining):
        await waiting
    assert closed == [True]


async def test_nothing_starts_once_it_has_begun():
    drain = Drain()
    drain.begin()
    with pytest.raises(Draining):
        await anext(drain.interrupting(counting(asyncio.Event(), [])))
    with pytest.raises(Draining):
        drain.check()


async def test_a_cancelled_stream_stays_cancelled():
    drain = Drain()
    items = drain.interrupting(counting(asyncio.Event(), []))
    await anext(items)
    waiting = asyncio.ensure_future(anext(items))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_timeout_of_the_items_own_is_not_mistaken_for_a_drain():
    async def failing() -> AsyncGenerator[int, None]:
        raise TimeoutError("its own")
        yield 1

    with pytest.raises(TimeoutError, match="its own"):
        await anext(Drain().interrupting(failing()))
