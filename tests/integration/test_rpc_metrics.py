"""Every RPC is counted with the code its caller saw, and streams while they are open."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from prometheus_client import CollectorRegistry

from order_engine.adapters.metrics.rpc import RpcMetrics
from protos.order_engine.v1 import order_service_pb2 as pb
from tests.integration.grpc_harness import Harness, eventually, order_request, refusal, running

ORDERS = "order_engine.v1.OrderService"


class Counted:
    def __init__(self, harness: Harness, registry: CollectorRegistry) -> None:
        self.harness, self.registry = harness, registry

    def calls(self, method: str, code: str) -> float:
        labels = {"method": f"{ORDERS}/{method}" if method != "unknown" else method, "code": code}
        return self.registry.get_sample_value("order_engine_rpcs_total", labels) or 0

    @property
    def streams(self) -> float | None:
        labels = {"method": f"{ORDERS}/StreamOrderStatus"}
        return self.registry.get_sample_value("order_engine_streams_open", labels)


@pytest.fixture
async def counted() -> AsyncIterator[Counted]:
    registry = CollectorRegistry()
    async with running(outermost=[RpcMetrics(registry)]) as harness:
        yield Counted(harness, registry)


async def test_answered_calls_are_ok_and_timed(counted: Counted) -> None:
    order_id = await counted.harness.submitted()
    await counted.harness.orders.GetOrder(pb.GetOrderRequest(order_id=order_id))
    await counted.harness.orders.GetOrder(pb.GetOrderRequest(order_id=order_id))
    assert counted.calls("SubmitOrder", "OK") == 1
    assert counted.calls("GetOrder", "OK") == 2
    labels = {"method": f"{ORDERS}/GetOrder"}
    assert counted.registry.get_sample_value("order_engine_rpc_seconds_count", labels) == 2


async def test_refusals_are_counted_by_their_code(counted: Counted) -> None:
    await refusal(counted.harness.orders.SubmitOrder(order_request(amount_in=0)))
    await refusal(counted.harness.orders.GetOrder(pb.GetOrderRequest(order_id="0" * 8 + "-0000" * 3 + "-" + "0" * 12)))
    assert counted.calls("SubmitOrder", "INVALID_ARGUMENT") == 1
    assert counted.calls("SubmitOrder", "OK") == 0
    assert counted.calls("GetOrder", "NOT_FOUND") == 1


async def test_a_bug_is_internal(counted: Counted) -> None:
    counted.harness.store.failure = ZeroDivisionError("a bug")
    await refusal(counted.harness.orders.SubmitOrder(order_request()))
    assert counted.calls("SubmitOrder", "INTERNAL") == 1


async def test_unknown_methods_share_one_label(counted: Counted) -> None:
    for name in ("A", "B"):
        call = counted.harness.channel.unary_unary(f"/order_engine.v1.OrderService/{name}")
        with pytest.raises(grpc.aio.AioRpcError):
            await call(b"")
    assert counted.calls("unknown", "UNIMPLEMENTED") == 2


async def test_a_stream_is_open_until_its_watcher_leaves(counted: Counted) -> None:
    call = counted.harness.follow(await counted.harness.submitted())
    await call.read()
    assert counted.streams == 1
    call.cancel()
    await eventually(lambda: counted.streams == 0)
    assert counted.calls("StreamOrderStatus", "CANCELLED") == 1


async def test_a_call_past_its_deadline_is_counted_so(counted: Counted) -> None:
    counted.harness.store.stall = asyncio.Event()
    with pytest.raises(grpc.aio.AioRpcError):
        await counted.harness.orders.SubmitOrder(order_request(), timeout=0.2)
    await eventually(lambda: counted.calls("SubmitOrder", "DEADLINE_EXCEEDED") == 1)
