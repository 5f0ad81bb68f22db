"""The body of GET /api/orders/{orderId}."""

from gateway.classic.frames import CANCELLED, EXPIRED, dex_family, failure_text, iso_time
from gateway.classic.numbers import BPS, fixed_text, price_text
from gateway.classic.order_facts import OrderFacts
from protos.order_engine.v1.order_service_pb2 import (
    ORDER_STATUS_CANCELLED,
    ORDER_STATUS_CONFIRMED,
    ORDER_STATUS_EXPIRED,
    SWAP_MODE_EXACT_OUT,
    Order,
    OrderStatus,
    Token,
)

_ENDED_AS_FAILED = {ORDER_STATUS_CANCELLED: CANCELLED, ORDER_STATUS_EXPIRED: EXPIRED}


def order_view(order: Order, facts: OrderFacts) -> dict[str, str | None]:
    """Return the order as the classic API shows it: decimals as strings, what is not set as None."""
    sold, bought = facts.token_in, facts.token_out
    price = amount_out = None
    if order.HasField("fill") and sold and bought:
        price = price_text(order.fill.amount_in, sold.decimals, order.fill.amount_out, bought.decimals)
        amount_out = fixed_text(order.fill.amount_out, bought.decimals)
    return {
        "order_id": order.order_id,
        "order_type": "market",
        "token_in": _name(sold, order.token_in),
        "token_out": _name(bought, order.token_out),
        "amount_in": _amount_in(order, sold),
        "slippage": fixed_text(order.slippage_bps, len(str(BPS)) - 1),
        "status": _status(order),
        "dex_used": dex_family(order.route),
        "executed_price": price,
        "amount_out": amount_out,
        "tx_hash": order.signature or None,
        "error": _error(order),
        "created_at": iso_time(order.create_time),
        "updated_at": iso_time(order.update_time),
    }


def _amount_in(order: Order, sold: Token | None) -> str | None:
    """Return what is paid; an order for an exact amount out knows it only when it is filled."""
    if sold is None or (order.swap_mode == SWAP_MODE_EXACT_OUT and not order.HasField("fill")):
        return None
    paid = order.fill.amount_in if order.swap_mode == SWAP_MODE_EXACT_OUT else order.amount_in
    return fixed_text(paid, sold.decimals)


def _name(token: Token | None, mint: str) -> str:
    return (token.symbol if token else "") or mint


def _status(order: Order) -> str:
    """Return one of the six classic statuses: a client that waits for an end must see one it knows."""
    if order.status in _ENDED_AS_FAILED:
        return "failed"
    return OrderStatus.Name(order.status).removeprefix("ORDER_STATUS_").lower()


def _error(order: Order) -> str | None:
    if order.status in _ENDED_AS_FAILED:
        return _ENDED_AS_FAILED[order.status]
    shown = order.HasField("failure") and order.status != ORDER_STATUS_CONFIRMED
    return failure_text(order.failure) if shown else None
