"""ListOrders over gRPC: pages, filters, and precise refusals."""

import base64

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from protos.order_engine.v1 import order_service_pb2 as pb
from tests.integration.grpc_harness import refusal, running

Code = grpc.StatusCode


@pytest.fixture
async def api():
    async with running() as harness:
        yield harness


async def test_orders_come_newest_first_in_pages(api):
    ids = [await api.submitted() for _ in range(5)]
    seen, token = [], ""
    while True:
        page = await api.orders.ListOrders(pb.ListOrdersRequest(page_size=2, page_token=token))
        seen += [order.order_id for order in page.orders]
        token = page.next_page_token
        if not token:
            break
    assert seen == ids[::-1]


async def test_filters_are_taken_together(api):
    await api.submitted(client_order_id="a")
    wanted = await api.submitted(client_order_id="b")
    await api.orders.CancelOrder(pb.CancelOrderRequest(order_id=wanted))
    request = pb.ListOrdersRequest(
        client_order_id="b", status=pb.ORDER_STATUS_CANCELLED, token_in="SOL", create_time_after=Timestamp(seconds=1)
    )
    assert [order.order_id for order in (await api.orders.ListOrders(request)).orders] == [wanted]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("page_size", -1),
        ("page_token", "?"),
        ("page_token", base64.urlsafe_b64encode(b"\xff" * 24).decode()),
        ("page_token", base64.urlsafe_b64encode(bytes(23)).decode()),
        ("status", 99),
        ("token_in", "no such"),
        ("venue", "a b"),
        ("client_order_id", "\n"),
        ("create_time_after", Timestamp(seconds=-1)),
        ("create_time_before", Timestamp(seconds=2**62)),
        ("create_time_before", Timestamp(nanos=-1)),
    ],
)
async def test_a_bad_field_is_named(api, field, value):
    refused = await refusal(api.orders.ListOrders(pb.ListOrdersRequest(**{field: value})))
    assert (refused.code, refused.fields) == (Code.INVALID_ARGUMENT, (field,))


async def test_a_page_is_at_most_a_thousand_orders(api):
    await api.submitted()
    page = await api.orders.ListOrders(pb.ListOrdersRequest(page_size=2**31 - 1))
    assert len(page.orders) == 1
