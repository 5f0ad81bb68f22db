"""A client may ping as often as we allow; the library's own limit would cut it off after three pings."""

import asyncio

import grpc
import pytest

from order_engine.api import server
from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as pb_grpc
from tests.integration.grpc_harness import running

ALLOWED = "grpc.http2.min_ping_interval_without_data_ms"


async def test_pings_within_the_allowance_do_not_end_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dict(server.OPTIONS)[ALLOWED] == 5_000
    quick = tuple((name, 100 if name == ALLOWED else value) for name, value in server.OPTIONS)
    monkeypatch.setattr(server, "OPTIONS", quick)  # a client pings once a second at most
    pinging = [("grpc.keepalive_time_ms", 1_000), ("grpc.http2.max_pings_without_data", 0)]
    async with running() as api, grpc.aio.insecure_channel(api.target, options=pinging) as channel:
        order_id = await api.submitted()
        call = pb_grpc.OrderServiceStub(channel).StreamOrderStatus(pb.StreamOrderStatusRequest(order_id=order_id))
        await call.read()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4.5):
                await call.read()
        call.cancel()
