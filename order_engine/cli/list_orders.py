"""`orders`: the newest first, filtered, page by page."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from rich import box
from rich.table import Table
from rich.text import Text

from order_engine.cli import route_words
from order_engine.cli.client import BadUsage, Output
from order_engine.cli.engine import Engine
from order_engine.cli.exits import DONE
from order_engine.cli.life_view import STATUS_STYLES
from order_engine.cli.order_life import moment, status_name
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb

_PAGE_AT_MOST = 1000
_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


async def list_orders(engine: Engine, output: Output, request: pb.ListOrdersRequest, limit: int) -> int:
    """Show at most `limit` orders."""
    reply = await _read(engine, request, limit)
    if output.json:
        output.message(reply)
        return DONE
    if not reply.orders:
        output.say("no orders")
        return DONE
    tokens = TokenBook(engine)
    mints = {mint for order in reply.orders for mint in (order.token_in, order.token_out)}
    await tokens.learn(*mints, *route_words.mints(*(order.route for order in reply.orders)))
    output.show(_table(reply.orders, tokens, datetime.now(UTC)))
    if reply.next_page_token:
        output.show(f"\n[dim]more with[/] --page-token {reply.next_page_token}", soft_wrap=True)
    return DONE


async def _read(engine: Engine, request: pb.ListOrdersRequest, limit: int) -> pb.ListOrdersResponse:
    """Read pages until there are `limit` orders or no more."""
    found = pb.ListOrdersResponse(next_page_token=request.page_token)
    while True:
        request.page_size = min(limit - len(found.orders), _PAGE_AT_MOST)
        request.page_token = found.next_page_token
        page = await engine.orders.ListOrders(request, timeout=engine.timeout)
        found.orders.extend(page.orders)
        found.next_page_token = page.next_page_token
        if not page.next_page_token or len(found.orders) >= limit:
            return found


def _table(orders: Sequence[pb.Order], tokens: TokenBook, now: datetime) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), header_style="dim", show_edge=False, pad_edge=False)
    table.add_column("order", no_wrap=True)
    table.add_column("age", justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("swap", overflow="fold")
    for order in orders:
        name = status_name(order.status)
        table.add_row(
            order.order_id,
            age(now - moment(order.create_time)),
            Text(name, style=STATUS_STYLES.get(name, "")),
            _swap(order, tokens),
        )
    return table


def _swap(order: pb.Order, tokens: TokenBook) -> str:
    if order.HasField("fill"):
        paid, got = order.fill.amount_in or order.amount_in, order.fill.amount_out
        way = f" {route_words.short_name(order.route, tokens)}" if len(route_words.hops(order.route)) > 1 else ""
        return f"{tokens.amount(paid, order.token_in)} → {tokens.amount(got, order.token_out)}{way}"
    why = f", {order.failure.reason}" if order.HasField("failure") else ""
    return f"{route_words.swap(order, tokens, '→')}{why}"


def age(elapsed: timedelta) -> str:
    """Return the largest whole unit: 12s, 5m, 3h, 40d."""
    seconds = max(0, int(elapsed.total_seconds()))
    for name, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{name}"
    return f"{seconds}s"


def point_in_time(option: str, text: str, now: datetime) -> Timestamp:
    """Read "90m" as so long ago, or an ISO date or time; without an offset it is local time.

    Raises:
        BadUsage: it is neither.
    """
    at = Timestamp()
    ago = _AGO.fullmatch(text)
    try:
        when = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}) if ago else datetime.fromisoformat(text)
        at.FromDatetime(when.astimezone(UTC))
    except (ValueError, OverflowError):
        raise BadUsage(f"{option} {text}: must be like 90m, 12h, 7d, or like 2026-11-22T14:30") from None
    return at


def status_filter(text: str) -> pb.OrderStatus.ValueType:
    """Return the status of a name in any case.

    Raises:
        BadUsage: there is none; the message lists them.
    """
    names = {status_name(number): number for number in pb.OrderStatus.values() if number}
    if text.lower() not in names:
        raise BadUsage(f"--status {text}: must be one of {', '.join(names)}")
    return names[text.lower()]
