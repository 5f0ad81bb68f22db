"""Status streams over real gRPC: whole, resumable, and gone when their reader is."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import grpc
import pytest

from order_engine.api.interceptors.limits import Limits
from order_engine.domain.order import (
    AttemptStarted,
    CancelRequested,
    Failure,
    OrderEvent,
    OrderFailed,
    OrderId,
    OrderStatus,
)
from protos.order_engine.v1 import order_service_pb2 as pb
from tests.integration.grpc_harness import LIFE, Harness, eventually, refused, running

Code = grpc.StatusCode
WHOLE_LIFE = [
    (1, pb.ORDER_STATUS_PENDING),
    (2, pb.ORDER_STATUS_ROUTING),
    (3, pb.ORDER_STATUS_BUILDING),
    (4, pb.ORDER_STATUS_SUBMITTED),
    (5, pb.ORDER_STATUS_CONFIRMED),
]


@pytest.fixture
async def api() -> AsyncGenerator[Harness]:
    async with running() as harness:
        yield harness


async def seen(call: "grpc.aio.UnaryStreamCall[object, pb.OrderStatusUpdate]") -> list[tuple[int, int]]:
    updates = []
    while (update := await call.read()) is not grpc.aio.EOF:
        updates.append((update.sequence, update.status))
    return updates


async def test_an_order_is_followed_live_to_its_end(api):
    order_id = await api.submitted()
    call = api.follow(order_id)
    updates = [await call.read()]
    for fact in LIFE:
        await api.record(order_id, fact)
        updates.append(await call.read())
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is Code.OK
    assert [(update.sequence, update.status) for update in updates] == WHOLE_LIFE
    details = [update.WhichOneof("detail") for update in updates]
    assert details == [None, None, "route", "transaction", "fill"]
    assert {update.order_id for update in updates} == {order_id}


async def test_fifty_watchers_of_one_order_each_see_all_of_it(api):
    order_id = await api.submitted()
    watchers = [asyncio.create_task(seen(api.follow(order_id))) for _ in range(50)]
    await eventually(lambda: api.watched == 1)
    for fact in LIFE:
        await api.record(order_id, fact)
        await asyncio.sleep(0)
    assert await asyncio.gather(*watchers) == [WHOLE_LIFE] * 50
    await eventually(lambda: api.watched == 0)


@pytest.mark.parametrize("after_sequence", range(6))
async def test_a_stream_resumes_after_any_sequence(api, after_sequence):
    order_id = await api.submitted()
    await api.record(order_id, *LIFE)
    assert await seen(api.follow(order_id, after_sequence)) == WHOLE_LIFE[after_sequence:]


@pytest.mark.parametrize("after_sequence", [6, 2**63, 2**64 - 1])
async def test_a_cursor_beyond_the_last_event_is_out_of_range(api, after_sequence):
    order_id = await api.submitted()
    await api.record(order_id, *LIFE)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await seen(api.follow(order_id, after_sequence))
    answer = refused(error.value)
    assert (answer.code, answer.reason) == (Code.OUT_OF_RANGE, "SEQUENCE_OUT_OF_RANGE")
    assert answer.metadata == {"last_sequence": "5"}


async def test_an_unknown_order_has_no_stream(api):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await seen(api.follow("00000000-0000-7000-8000-000000000000"))
    assert refused(error.value).reason == "ORDER_NOT_FOUND"


async def test_a_cancelled_order_ends_its_stream(api):
    order_id = await api.submitted()
    call = api.follow(order_id)
    await call.read()
    await api.record(order_id, AttemptStarted(), CancelRequested())
    assert (await seen(call))[-1] == (3, pb.ORDER_STATUS_CANCELLED)


async def test_a_watcher_that_leaves_leaves_nothing_behind(api):
    order_id = await api.submitted()
    tasks_before = len(asyncio.all_tasks())
    calls = [api.follow(order_id) for _ in range(20)]
    for call in calls:
        await call.read()
    assert api.watched == 1
    for call in calls:
        call.cancel()
    await eventually(lambda: api.watched == 0)
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks_before)


async def test_a_watcher_whose_connection_dies_leaves_nothing_behind(api):
    order_id = await api.submitted()
    async with grpc.aio.insecure_channel(api.target) as channel:
        raw = channel.unary_stream("/order_engine.v1.OrderService/StreamOrderStatus")
        call = raw(pb.StreamOrderStatusRequest(order_id=order_id).SerializeToString())
        await call.read()
        assert api.watched == 1
    await eventually(lambda: api.watched == 0)


async def test_streams_survive_a_database_that_is_away_for_a_moment(api):
    order_id = await api.submitted()
    call = api.follow(order_id)
    await call.read()
    api.store.down = True
    await api.record(order_id, LIFE[0])
    await asyncio.sleep(0.05)
    api.store.down = False
    await api.record(order_id, *LIFE[1:])
    assert await seen(call) == WHOLE_LIFE[1:]


async def test_a_reader_that_stops_reading_is_cut_off():
    """Its handler ends in time, and once it reads again it learns why."""
    large = OrderEvent(
        order_id=OrderId(UUID(int=1)),
        sequence=1,
        status=OrderStatus.FAILED,
        attempt=1,
        event_time=datetime.now(UTC),
        fact=OrderFailed(failure=Failure("NO_ROUTE", "x" * 50_000)),
    )
    ended = asyncio.Event()
    yielded = 0

    async def endless(order_id: OrderId, owner: str, after_sequence: int = 0) -> AsyncGenerator[OrderEvent, None]:
        nonlocal yielded
        try:
            while True:
                yielded += 1
                yield replace(large, sequence=yielded)
        finally:
            ended.set()

    limits = Limits(blocked_write=timedelta(milliseconds=200))
    async with running(limits, lambda services: replace(services, stream_order_status=endless)) as api:
        call = api.follow(str(large.order_id))
        async with asyncio.timeout(10):
            await ended.wait()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await seen(call)
    answer = refused(error.value)
    assert (answer.code, answer.reason) == (Code.RESOURCE_EXHAUSTED, "SLOW_READER")
