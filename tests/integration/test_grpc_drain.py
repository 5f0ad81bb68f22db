"""Stopping: nothing in progress is lost, nothing open holds the process, and every caller is told to come back."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from time import monotonic

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from order_engine.api.server import ApiServer, serve
from protos.order_engine.v1 import order_service_pb2 as pb
from tests.integration.grpc_harness import LIFE, eventually, order_request, refusal, refused, running

Code = grpc.StatusCode
Health = health_pb2.HealthCheckResponse


async def elapsed(awaitable: Awaitable[object]) -> float:
    started = monotonic()
    await awaitable
    return monotonic() - started


async def test_a_stream_ends_itself_with_its_last_sequence():
    async with running() as api:
        order_id, waiting_order_id = await api.submitted(), await api.submitted()
        await api.record(order_id, *LIFE[:2])
        call, resumed = api.follow(order_id), api.follow(waiting_order_id, 1)
        for _ in range(3):
            await call.read()
        await eventually(lambda: api.watched == 2)
        stopping = asyncio.create_task(elapsed(api.server.stop(10)))
        for stream, last_sequence in [(call, "3"), (resumed, "1")]:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await stream.read()
            answer = refused(error.value)
            assert (answer.code, answer.reason) == (Code.UNAVAILABLE, "DRAINING")
            assert answer.metadata == {"last_sequence": last_sequence}
        assert await stopping < 2
        assert api.watched == 0


async def test_a_call_in_progress_finishes_and_a_new_one_is_refused():
    async with running() as api:
        api.store.stall = asyncio.Event()
        in_progress = asyncio.ensure_future(api.orders.SubmitOrder(order_request()))
        await api.store.entered.wait()
        stopping = asyncio.create_task(api.server.stop(10))
        await asyncio.sleep(0.05)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await api.orders.GetOrder(pb.GetOrderRequest(order_id="00000000-0000-7000-8000-000000000000"))
        assert error.value.code() is Code.UNAVAILABLE
        api.store.stall.set()
        assert (await in_progress).order_id
        await stopping


async def test_while_draining_a_late_call_is_told_to_go_elsewhere_and_health_still_answers():
    async with running() as api:
        api.server._health.drain()
        api.server._drain.begin()
        refused = await refusal(api.orders.SubmitOrder(order_request()))
        assert (refused.code, refused.reason) == (Code.UNAVAILABLE, "DRAINING")
        assert api.store.orders == []
        reply = await health_pb2_grpc.HealthStub(api.channel).Check(health_pb2.HealthCheckRequest(service=""))
        assert reply.status == Health.NOT_SERVING


async def test_a_call_that_hangs_is_given_up_after_the_drain_time():
    async with running() as api:
        api.store.stall = asyncio.Event()
        hanging = asyncio.ensure_future(api.orders.SubmitOrder(order_request()))
        await api.store.entered.wait()
        assert 0.2 <= await elapsed(api.server.stop(0.3)) < 2
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await hanging
        assert error.value.code() in (Code.UNAVAILABLE, Code.CANCELLED)


async def test_with_nothing_open_it_stops_at_once():
    async with running() as api:
        await api.submitted()
        assert await elapsed(api.server.stop(10)) < 1


async def test_health_says_not_serving_first_and_its_watch_holds_nothing_up():
    async with running() as api:
        watch = health_pb2_grpc.HealthStub(api.channel).Watch(health_pb2.HealthCheckRequest(service=""))
        assert (await watch.read()).status == Health.SERVING
        stopping = asyncio.create_task(elapsed(api.server.stop(10)))
        assert (await watch.read()).status == Health.NOT_SERVING
        assert await watch.read() is grpc.aio.EOF
        assert await stopping < 2


async def test_an_open_reflection_stream_holds_nothing_up():
    async with running() as api:
        call = reflection_pb2_grpc.ServerReflectionStub(api.channel).ServerReflectionInfo()
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        await call.read()
        assert await elapsed(api.server.stop(10)) < 2
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call.read()
        assert refused(error.value).reason == "DRAINING"


async def run_served(end: Callable[[asyncio.Event], None]) -> tuple[int, float]:
    stop, ports = asyncio.Event(), []

    async def check_ready() -> bool:
        return True

    async with running() as api:
        listening = asyncio.Event()

        def on_ready(port: int) -> None:
            ports.append(port)
            listening.set()

        serving = asyncio.create_task(
            serve(
                api.services,
                host="127.0.0.1",
                port=0,
                drain_seconds=10,
                check_ready=check_ready,
                on_ready=on_ready,
                stop=stop,
            )
        )
        await asyncio.wait_for(listening.wait(), 5)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
            reply = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=""))
            assert reply.status == Health.SERVING
        end(stop)
        return ports[0], await elapsed(serving)


@pytest.mark.parametrize(
    "end",
    [lambda stop: stop.set(), lambda stop: os.kill(os.getpid(), signal.SIGTERM)],
    ids=["stop event", "SIGTERM"],
)
async def test_serving_ends_when_told_to(end):
    port, seconds = await run_served(end)
    assert seconds < 2
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_a_port_in_use_is_a_clear_error():
    async with running() as api:

        async def check_ready() -> bool:
            return True

        second = ApiServer(api.services, check_ready)
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{api.port}"):
            await second.start("127.0.0.1", api.port)
