"""Many orders at once: a table that lives on a terminal, one line for each update elsewhere."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from order_engine.cli import route_words
from order_engine.cli.client import Output, ending
from order_engine.cli.engine import Engine
from order_engine.cli.exits import DONE, FAILED
from order_engine.cli.life_view import STATUS_STYLES, plain
from order_engine.cli.order_life import TERMINAL, describe, follow
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb

_REFRESH_PER_SECOND = 8
_LINES_AROUND = 5  # header, rule, summary, and a line to spare
_WITH_TIME = 88  # columns that it takes to show the time as well


@dataclass(slots=True)
class Row:
    """The newest that is known of one order."""

    order: pb.Order
    status: pb.OrderStatus.ValueType = pb.ORDER_STATUS_PENDING
    attempt: int = 0
    way: str = ""
    outcome: str = ""
    seconds: float = 0.0

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL


async def watch_many(
    engine: Engine, output: Output, orders: Sequence[pb.Order], tokens: TokenBook, *, give_up_seconds: float
) -> int:
    """Show every order until all have ended; return 0 when all were executed."""
    rows = [Row(order) for order in orders]
    screen = Screen(rows, output.console)
    with screen.live() if output.live else nullcontext():
        follows = (_follow(engine, output, row, tokens, give_up_seconds) for row in rows)
        await asyncio.gather(*follows)
    if output.live:
        output.show(screen.whole())
    elif not output.json:
        output.say(summary(rows).plain)
    return DONE if all(ending(row.status) == DONE for row in rows) else FAILED


async def _follow(engine: Engine, output: Output, row: Row, tokens: TokenBook, give_up_seconds: float) -> None:
    async for update in follow(engine.orders, row.order.order_id, after=0, give_up_seconds=give_up_seconds):
        await tokens.learn(*route_words.mints(update.route))
        step = describe(update, row.order, tokens)
        row.status, row.attempt, row.seconds = update.status, update.attempt, step.seconds
        _note(row, update, tokens)
        if output.json:
            output.message(update)
        elif not output.live:
            output.say(f"{row.order.order_id}{plain(step)}")


def _note(row: Row, update: pb.OrderStatusUpdate, tokens: TokenBook) -> None:
    match update.WhichOneof("detail"):
        case "route":
            row.way, row.outcome = route_words.short_name(update.route, tokens), ""
        case "fill":
            row.outcome = _result(update.fill, row.order, tokens)
        case "failure":
            row.outcome = update.failure.reason
        case "retry":
            row.outcome = update.retry.cause.reason


def _result(fill: pb.Fill, order: pb.Order, tokens: TokenBook) -> str:
    """Return what was got; for an exact amount out, what was paid for it."""
    if route_words.is_exact_out(order):
        return tokens.number(fill.amount_in, order.token_in)
    return tokens.number(fill.amount_out, order.token_out)


class Screen:
    """The rows as a table that fits the terminal: what still moves comes first when there are too many."""

    def __init__(self, rows: Sequence[Row], console: Console) -> None:
        self._rows, self._console = rows, console

    @contextmanager
    def live(self) -> Iterator[None]:
        with Live(
            console=self._console,
            transient=True,
            refresh_per_second=_REFRESH_PER_SECOND,
            get_renderable=self._fitting,
        ):
            yield

    def whole(self) -> RenderableType:
        return Group(self._table(self._rows), Text(), summary(self._rows))

    def _fitting(self) -> RenderableType:
        room = max(1, self._console.height - _LINES_AROUND)
        shown = self._rows if len(self._rows) <= room else sorted(self._rows, key=lambda row: row.is_over)[:room]
        return Group(self._table(shown), Text(), summary(self._rows))

    def _table(self, rows: Sequence[Row]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), header_style="dim", show_edge=False, pad_edge=False)
        for title in ("order", "status", "way"):
            table.add_column(title, no_wrap=True)
        paid = any(route_words.is_exact_out(row.order) for row in rows)
        table.add_column("paid" if paid else "got", justify="right", no_wrap=True, min_width=10)
        timed = self._console.width >= _WITH_TIME
        if timed:
            table.add_column("after", justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*_cells(row), *([f"{row.seconds:.1f} s"] if timed else []))
        return table


def _cells(row: Row) -> Sequence[RenderableType]:
    name = pb.OrderStatus.Name(row.status).removeprefix("ORDER_STATUS_").lower()
    tries = f" {row.attempt}" if row.attempt > 1 and not row.is_over else ""
    return (
        row.order.order_id,
        Text(f"{name}{tries}", style=STATUS_STYLES.get(name, "")),
        row.way,
        Text(row.outcome, style="" if row.status == pb.ORDER_STATUS_CONFIRMED else "yellow"),
    )


def summary(rows: Sequence[Row]) -> Text:
    """Return "18 confirmed, 2 failed, 7.1 s"."""
    counts = Counter(pb.OrderStatus.Name(row.status).removeprefix("ORDER_STATUS_").lower() for row in rows)
    text = Text(", ").join(
        Text(f"{counts[name]} {name}", style=style) for name, style in STATUS_STYLES.items() if counts[name]
    )
    return text + Text(f", {max((row.seconds for row in rows), default=0.0):.1f} s", style="dim")
