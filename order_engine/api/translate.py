"""Proto ↔ domain, both ways, in this one place."""

import calendar
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from solders.pubkey import Pubkey

from order_engine.api.form import Form, token_page_token
from order_engine.domain.order import (
    AttemptFailed,
    CancelRequested,
    Failure,
    Fill,
    Order,
    OrderEvent,
    OrderFailed,
    OrderId,
    OrderStatus,
    OrderType,
    RouteChosen,
    TransactionConfirmed,
    TransactionSigned,
)
from order_engine.domain.route import Guards, Route, RouteLeg, SwapMode, SwapTerms
from order_engine.domain.tokens import Token
from order_engine.usecases.list_tokens import TokenPage
from order_engine.usecases.submit_order import OrderTerms
from protos.order_engine.v1 import order_service_pb2 as pb

STATUSES: Final[Mapping[OrderStatus, pb.OrderStatus.ValueType]] = MappingProxyType(
    {status: pb.OrderStatus.Value(f"ORDER_STATUS_{status.name}") for status in OrderStatus}
)
ORDER_TYPES: Final[Mapping[OrderType, pb.OrderType.ValueType]] = MappingProxyType(
    {order_type: pb.OrderType.Value(f"ORDER_TYPE_{order_type.name}") for order_type in OrderType}
)
_ORDER_TYPES_READ: Final[Mapping[pb.OrderType.ValueType, OrderType]] = MappingProxyType(
    {pb.ORDER_TYPE_UNSPECIFIED: OrderType.MARKET} | {number: order_type for order_type, number in ORDER_TYPES.items()}
)

SWAP_MODES: Final[Mapping[SwapMode, pb.SwapMode.ValueType]] = MappingProxyType(
    {swap_mode: pb.SwapMode.Value(f"SWAP_MODE_{swap_mode.name}") for swap_mode in SwapMode}
)
_SWAP_MODES_READ: Final[Mapping[pb.SwapMode.ValueType, SwapMode]] = MappingProxyType(
    {pb.SWAP_MODE_UNSPECIFIED: SwapMode.EXACT_IN} | {number: swap_mode for swap_mode, number in SWAP_MODES.items()}
)

_SwapAsked = pb.SubmitOrderRequest | pb.GetQuoteRequest


def order_terms(request: pb.SubmitOrderRequest, owner: str) -> OrderTerms:
    """Return what is asked for.

    Raises:
        InvalidOrder: with one violation for each bad field.
    """
    form = Form()
    swap_mode, _ = _exact_amount(form, request)
    terms = OrderTerms(
        owner=owner,
        request_id=form.identifier("request_id", request.request_id),
        client_order_id=form.identifier("client_order_id", request.client_order_id),
        order_type=_order_type(form, request.order_type),
        token_in=form.token("token_in", request.token_in),
        token_out=form.token("token_out", request.token_out),
        swap_mode=swap_mode,
        amount_in=request.amount_in,
        amount_out=request.amount_out,
        slippage_bps=_slippage_bps(form, request),
        guards=_guards(form, request),
    )
    _check_pair(form, terms.token_in, terms.token_out)
    form.check()
    return terms


def quote_terms(request: pb.GetQuoteRequest, default_slippage_bps: int) -> SwapTerms:
    """Return what is asked for.

    Raises:
        InvalidOrder: with one violation for each bad field.
    """
    form = Form()
    swap_mode, amount = _exact_amount(form, request)
    slippage_bps = _slippage_bps(form, request)
    swap = SwapTerms(
        token_in=form.token("token_in", request.token_in),
        token_out=form.token("token_out", request.token_out),
        swap_mode=swap_mode,
        amount=amount,
        slippage_bps=default_slippage_bps if slippage_bps is None else slippage_bps,
        guards=_guards(form, request),
    )
    _check_pair(form, swap.token_in, swap.token_out)
    form.check()
    return swap


def order_id(text: str) -> OrderId:
    form = Form()
    value = form.order_id(text)
    form.check()
    return value


def order_message(order: Order) -> pb.Order:
    shows_failure = order.status in (OrderStatus.PENDING, OrderStatus.FAILED)
    return pb.Order(
        order_id=str(order.order_id),
        client_order_id=order.client_order_id,
        order_type=ORDER_TYPES[order.order_type],
        token_in=str(order.token_in),
        token_out=str(order.token_out),
        amount_in=order.amount_in,
        slippage_bps=order.slippage_bps,
        status=STATUSES[order.status],
        attempt=order.attempt,
        max_attempts=order.max_attempts,
        route=route_message(order.route) if order.route else None,
        fill=fill_message(order.fill) if order.fill else None,
        failure=failure_message(order.failure) if order.failure and shows_failure else None,
        signature=str(order.signature) if order.signature else "",
        cancel_requested=order.cancel_requested,
        next_attempt_time=timestamp(order.next_attempt_at) if order.next_attempt_at else None,
        create_time=timestamp(order.create_time),
        update_time=timestamp(order.update_time),
        sequence=order.sequence,
        swap_mode=SWAP_MODES[order.swap_mode],
        amount_out=order.amount_out,
        max_price_impact_bps=order.guards.max_price_impact_bps,
        max_total_fee_lamports=order.guards.max_total_fee_lamports,
        max_quote_age_slots=order.guards.max_quote_age_slots,
    )


def update_message(event: OrderEvent) -> pb.OrderStatusUpdate:
    update = pb.OrderStatusUpdate(
        order_id=str(event.order_id),
        sequence=event.sequence,
        status=STATUSES[event.status],
        event_time=timestamp(event.event_time),
        attempt=event.attempt,
    )
    _set_detail(update, event)
    return update


def _set_detail(update: pb.OrderStatusUpdate, event: OrderEvent) -> None:
    match event.fact:
        case RouteChosen(route=route):
            update.route.CopyFrom(route_message(route))
        case TransactionSigned(signature=signature, last_valid_block_height=height):
            update.transaction.CopyFrom(
                pb.SubmittedTransaction(signature=str(signature), last_valid_block_height=height)
            )
        case TransactionConfirmed(fill=fill):
            update.fill.CopyFrom(fill_message(fill))
        case OrderFailed(failure=failure):
            update.failure.CopyFrom(failure_message(failure))
        case AttemptFailed(failure=failure, retry_after=retry_after):
            again = timestamp(event.event_time + retry_after)
            update.retry.CopyFrom(pb.Retry(cause=failure_message(failure), next_attempt_time=again))
        case CancelRequested(decided_by_block_height=height):
            update.cancel_requested.CopyFrom(pb.CancelRequested(decided_by_block_height=height))
        case _:  # the others say nothing beyond the status
            return


def route_message(route: Route) -> pb.Route:
    return pb.Route(
        legs=[_leg_message(leg) for leg in route.legs],
        amount_in=route.amount_in,
        amount_out=route.amount_out,
        min_amount_out=route.min_amount_out,
        price_impact_bps=route.price_impact_bps,
        slot=route.slot,
        swap_mode=SWAP_MODES[route.swap_mode],
        max_amount_in=route.max_amount_in,
        quote_age_slots=route.quote_age_slots,
        network_fee_lamports=route.network_fee_lamports,
        rent_lamports=route.rent_lamports,
    )


def _leg_message(leg: RouteLeg) -> pb.RouteLeg:
    return pb.RouteLeg(
        venue=leg.venue,
        pool=str(leg.pool),
        token_in=str(leg.token_in),
        token_out=str(leg.token_out),
        amount_in=leg.amount_in,
        amount_out=leg.amount_out,
        fee_amount=leg.fee_amount,
        fee_token=str(leg.fee_token),
        share_bps=leg.share_bps,
        price_impact_bps=leg.price_impact_bps,
        min_amount_out=leg.min_amount_out,
        max_amount_in=leg.max_amount_in,
    )


def fill_message(fill: Fill) -> pb.Fill:
    return pb.Fill(
        signature=str(fill.signature),
        slot=fill.slot,
        amount_in=fill.amount_in,
        amount_out=fill.amount_out,
        fee_lamports=fill.fee_lamports,
    )


def failure_message(failure: Failure) -> pb.Failure:
    return pb.Failure(reason=failure.reason, message=failure.message, metadata=dict(failure.metadata))


def token_message(token: Token) -> pb.Token:
    return pb.Token(
        mint=str(token.mint), symbol=token.symbol, decimals=token.decimals, token_program=str(token.token_program)
    )


def token_page_message(page: TokenPage) -> pb.ListTokensResponse:
    return pb.ListTokensResponse(
        tokens=[token_message(token) for token in page.tokens], next_page_token=token_page_token(page.next_after)
    )


def timestamp(at: datetime) -> Timestamp:
    """Return the same instant, exact to the microsecond. `at` must be aware."""
    return Timestamp(seconds=calendar.timegm(at.utctimetuple()), nanos=at.microsecond * 1_000)


def _order_type(form: Form, number: pb.OrderType.ValueType) -> OrderType:
    order_type = _ORDER_TYPES_READ.get(number)
    if order_type is None:
        form.refuse("order_type", f"unknown order type {number}")
        return OrderType.MARKET
    return order_type


def _exact_amount(form: Form, request: _SwapAsked) -> tuple[SwapMode, int]:
    """Read the one amount that is exact; the other one is the engine's to find."""
    swap_mode = _SWAP_MODES_READ.get(request.swap_mode)
    if swap_mode is None:
        form.refuse("swap_mode", f"unknown swap mode {request.swap_mode}")
        return SwapMode.EXACT_IN, 0
    if swap_mode is SwapMode.EXACT_IN:
        form.left_out("amount_out", request.amount_out, "SWAP_MODE_EXACT_IN takes amount_in alone")
        return swap_mode, form.amount("amount_in", request.amount_in)
    form.left_out("amount_in", request.amount_in, "SWAP_MODE_EXACT_OUT takes amount_out alone")
    return swap_mode, form.amount("amount_out", request.amount_out)


def _guards(form: Form, request: _SwapAsked) -> Guards:
    """Read the bounds that are set: 0 is a bound."""
    impact_bps = request.max_price_impact_bps if request.HasField("max_price_impact_bps") else None
    if impact_bps is not None:
        form.price_impact_bps("max_price_impact_bps", impact_bps)
    return Guards(
        max_price_impact_bps=impact_bps,
        max_total_fee_lamports=request.max_total_fee_lamports if request.HasField("max_total_fee_lamports") else None,
        max_quote_age_slots=request.max_quote_age_slots if request.HasField("max_quote_age_slots") else None,
    )


def _slippage_bps(form: Form, request: _SwapAsked) -> int | None:
    return form.slippage_bps(request.slippage_bps) if request.HasField("slippage_bps") else None


def _check_pair(form: Form, token_in: Pubkey, token_out: Pubkey) -> None:
    if token_in == token_out and form.is_good("token_in", "token_out"):
        form.refuse("token_out", "must be another token than token_in")
