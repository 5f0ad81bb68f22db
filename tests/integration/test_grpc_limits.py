"""No client has more than its share, and none that stopped reading keeps the server from stopping."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import UUID

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from order_engine.api.interceptors.limits import Limits
from order_engine.api.interceptors.quotas import QuotaLimits, Quotas
from order_engine.domain.order import Failure, OrderEvent, OrderFailed, OrderId, OrderStatus
from protos.order_engine.v1 import order_service_pb2 as pb
from tests.integration.grpc_harness import eventually, order_request, refusal, refused, running

Code = grpc.StatusCode
SLOW = QuotaLimits(requests_per_second=1, burst=3)


def retry_seconds(error: grpc.aio.AioRpcError) -> float:
    retry = error_details_pb2.RetryInfo()
    found = [detail for detail in rpc_status.from_call(error).details if detail.Unpack(retry)]
    assert len(found) == 1
    return retry.retry_delay.ToTimedelta().total_seconds()


async def test_calls_over_the_rate_are_told_when_to_come_again():
    async with running(quotas=Quotas(SLOW)) as api:
        for _ in range(3):
            await api.submitted()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await api.orders.SubmitOrder(order_request())
        answer = refused(error.value)
        assert (answer.code, answer.reason) == (Code.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED")
        assert 0 < retry_seconds(error.value) <= 1
        assert len(api.store.orders) == 3


async def test_another_client_behind_the_bridge_is_served_meanwhile():
    async with running(quotas=Quotas(SLOW)) as api:
        for _ in range(3):
            await api.orders.SubmitOrder(order_request(), metadata=[("x-forwarded-for", "198.51.100.1")])
        greedy = api.orders.SubmitOrder(order_request(), metadata=[("x-forwarded-for", "198.51.100.1")])
        assert (await refusal(greedy)).reason == "RATE_LIMIT_EXCEEDED"
        await api.orders.SubmitOrder(order_request(), metadata=[("x-forwarded-for", "198.51.100.2")])


async def test_health_and_reflection_are_answered_however_often():
    async with running(quotas=Quotas(SLOW)) as api:
        health = health_pb2_grpc.HealthStub(api.channel)
        for _ in range(10):
            await health.Check(health_pb2.HealthCheckRequest())
        for _ in range(10):
            call = reflection_pb2_grpc.ServerReflectionStub(api.channel).ServerReflectionInfo()
            await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            await call.read()
            await call.done_writing()
        assert await api.submitted()


async def test_streams_over_the_cap_are_refused_and_a_place_is_free_again_when_one_ends():
    async with running(quotas=Quotas(QuotaLimits(max_streams=3))) as api:
        order_id = await api.submitted()
        calls = [api.follow(order_id) for _ in range(3)]
        for call in calls:
            await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await api.follow(order_id).read()
        answer = refused(error.value)
        assert (answer.code, answer.reason) == (Code.RESOURCE_EXHAUSTED, "STREAM_LIMIT_EXCEEDED")
        assert retry_seconds(error.value) == 1
        assert (await api.orders.GetOrder(pb.GetOrderRequest(order_id=order_id))).order_id == order_id
        calls[0].cancel()
        async with asyncio.timeout(5):
            while not await opens(api.follow(order_id)):  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.005)


async def opens(call: "grpc.aio.UnaryStreamCall[object, object]") -> bool:
    try:
        return await call.read() is not grpc.aio.EOF
    except grpc.aio.AioRpcError:
        return False


async def test_a_hundred_streams_on_one_channel_starve_no_call_on_it():
    async with running() as api:
        order_id = await api.submitted()
        for call in [api.follow(order_id) for _ in range(300)]:
            await call.read()
        await api.orders.GetOrder(pb.GetOrderRequest(order_id=order_id), timeout=5)


async def test_connections_over_the_cap_are_refused():
    async with running(max_connections=1) as api:
        assert await api.submitted()
        async with grpc.aio.insecure_channel(api.target, [("grpc.use_local_subchannel_pool", 1)]) as second:
            answer = second.unary_unary("/grpc.health.v1.Health/Check")
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await answer(b"", timeout=5)
            assert error.value.code() is Code.UNAVAILABLE
        assert await api.submitted()


@pytest.mark.parametrize("blocked", [0.1, 60], ids=["cut off", "still blocked"])
async def test_a_reader_that_does_not_read_does_not_hold_the_stop(blocked):
    yielded = 0

    async def endless(order_id: OrderId, owner: str, after_sequence: int = 0) -> AsyncGenerator[OrderEvent, None]:
        nonlocal yielded
        while True:
            yielded += 1
            yield large(order_id, yielded)

    limits = Limits(blocked_write=timedelta(seconds=blocked))
    async with running(limits, lambda services: replace(services, stream_order_status=endless)) as api:
        call = api.follow(str(UUID(int=1)))
        await eventually(lambda: yielded > 2)
        before = -1
        while before != yielded:  # until the write is blocked
            before = yielded
            await asyncio.sleep(0.3)
        assert not call.done()
        started = monotonic()
        await api.server.stop(30)
        assert monotonic() - started < 10
        call.cancel()


def large(order_id: OrderId, sequence: int) -> OrderEvent:
    return OrderEvent(
        order_id=order_id,
        sequence=sequence,
        status=OrderStatus.FAILED,
        attempt=1,
        event_time=datetime.now(UTC),
        fact=OrderFailed(failure=Failure("NO_ROUTE", "x" * 50_000)),
    )
