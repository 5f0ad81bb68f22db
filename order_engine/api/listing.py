"""ListOrders: proto ↔ domain."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from order_engine.api.form import Form, order_page_token
from order_engine.api.translate import STATUSES, order_message
from order_engine.domain.order import OrderStatus
from order_engine.usecases.list_orders import OrderPage
from order_engine.usecases.ports import OrderFilter, PageKey
from protos.order_engine.v1 import order_service_pb2 as pb

_STATUSES_READ: Final[Mapping[pb.OrderStatus.ValueType, OrderStatus]] = MappingProxyType(
    {number: status for status, number in STATUSES.items()}
)


def list_terms(request: pb.ListOrdersRequest, owner: str) -> tuple[OrderFilter, int, PageKey | None]:
    """Return the filter, the page size, and where the page starts.

    Raises:
        InvalidOrder: with one violation for each bad field.
    """
    form = Form()
    since, until = request.create_time_after, request.create_time_before
    wanted = OrderFilter(
        owner=owner,
        status=_status(form, request.status),
        token_in=form.token("token_in", request.token_in) if request.token_in else None,
        token_out=form.token("token_out", request.token_out) if request.token_out else None,
        venue=form.identifier("venue", request.venue) or None,
        client_order_id=form.identifier("client_order_id", request.client_order_id) or None,
        create_time_after=form.moment("create_time_after", since) if request.HasField("create_time_after") else None,
        create_time_before=form.moment("create_time_before", until) if request.HasField("create_time_before") else None,
    )
    page_size, after = form.page_size(request.page_size), form.order_page(request.page_token)
    form.check()
    return wanted, page_size, after


def page_message(page: OrderPage) -> pb.ListOrdersResponse:
    return pb.ListOrdersResponse(
        orders=[order_message(order) for order in page.orders], next_page_token=order_page_token(page.next_after)
    )


def _status(form: Form, number: pb.OrderStatus.ValueType) -> OrderStatus | None:
    if number == pb.ORDER_STATUS_UNSPECIFIED:
        return None
    status = _STATUSES_READ.get(number)
    if status is None:
        form.refuse("status", f"unknown order status {number}")
    return status
