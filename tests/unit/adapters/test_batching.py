import asyncio
from collections.abc import Sequence

import pytest

from order_engine.adapters.batching import Batcher
from order_engine.domain.errors import Unavailable


class Recorder:
    """A flush that doubles numbers, refuses negative ones, and breaks as a whole on a number over 100."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def flush(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.called.set()
        await self.gate.wait()
        if any(item > 1000 for item in items):
            raise Unavailable("away")
        if any(item > 100 for item in items):
            raise ArithmeticError("too big")
        return [ValueError(f"negative {item}") if item < 0 else item * 2 for item in items]


async def test_concurrent_callers_share_a_flush_and_get_their_own_results() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush)
    assert await asyncio.gather(*(batcher.submit(n) for n in range(5))) == [0, 2, 4, 6, 8]
    assert recorder.batches == [[0, 1, 2, 3, 4]]


async def test_what_arrives_during_a_flush_goes_into_the_next_one() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    batcher = Batcher(recorder.flush)
    first = asyncio.create_task(batcher.submit(1))
    await recorder.called.wait()
    others = [asyncio.create_task(batcher.submit(n)) for n in (2, 3)]
    await asyncio.sleep(0)
    recorder.gate.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6]
    assert recorder.batches == [[1], [2, 3]]


async def test_a_batch_has_a_largest_size() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush, max_batch=2)
    await asyncio.gather(*(batcher.submit(n) for n in range(5)))
    assert recorder.batches == [[0, 1], [2, 3], [4]]


async def test_an_exception_in_the_results_reaches_only_its_caller() -> None:
    batcher = Batcher(Recorder().flush)
    results = await asyncio.gather(*(batcher.submit(n) for n in (1, -2, 3)), return_exceptions=True)
    assert results[0] == 2
    assert results[2] == 6
    assert isinstance(results[1], ValueError)


async def test_a_batch_that_fails_is_flushed_item_by_item_so_that_one_bad_item_fails_alone() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush)
    results = await asyncio.gather(*(batcher.submit(n) for n in (1, 101, 3)), return_exceptions=True)
    assert results[0] == 2
    assert results[2] == 6
    assert isinstance(results[1], ArithmeticError)
    assert recorder.batches == [[1, 101, 3], [1], [101], [3]]


async def test_a_shared_failure_reaches_every_caller_without_flushing_again() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush)
    results = await asyncio.gather(*(batcher.submit(n) for n in (1, 1001, 3)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    assert len(recorder.batches) == 1


async def test_a_shared_failure_while_flushing_item_by_item_ends_it() -> None:
    batches: list[list[int]] = []

    async def flush(items: Sequence[int]) -> list[int | Exception]:
        batches.append(list(items))
        raise ArithmeticError if len(batches) < 3 else Unavailable("away")

    batcher = Batcher(flush)
    results = await asyncio.gather(*(batcher.submit(n) for n in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [ArithmeticError, *[Unavailable] * 4]
    assert len(batches) == 3


async def test_cancelling_one_caller_leaves_the_others_alone() -> None:
    recorder = Recorder()
    recorder.gate.clear()
    batcher = Batcher(recorder.flush)
    tasks = [asyncio.create_task(batcher.submit(n)) for n in range(3)]
    await recorder.called.wait()
    tasks[0].cancel()
    queued = asyncio.create_task(batcher.submit(7))
    await asyncio.sleep(0)
    queued.cancel()
    await asyncio.sleep(0)
    recorder.gate.set()
    assert await asyncio.gather(*tasks[1:]) == [2, 4]
    assert await batcher.submit(9) == 18
    assert recorder.batches == [[0, 1, 2], [9]]


async def test_it_goes_on_after_failures() -> None:
    batcher = Batcher(Recorder().flush)
    with pytest.raises(Unavailable):
        await batcher.submit(1001)
    with pytest.raises(ArithmeticError):
        await batcher.submit(101)
    assert await batcher.submit(2) == 4


async def test_a_flush_that_loses_results_is_an_error_and_not_a_hang() -> None:
    async def flush(items: Sequence[int]) -> list[int | Exception]:
        return []

    with pytest.raises(ValueError, match="0 results for 1 items"):
        await Batcher(flush).submit(1)
