"""Every candidate of a routing decision, as a person compares them."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from order_engine.cli.amounts import percent, percent_less
from order_engine.cli.order_life import venues
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb

_SHORT_POOL = 8
_WIDE = 120


def candidate_table(
    candidates: Sequence[pb.Candidate], token_out: str, tokens: TokenBook, width: int
) -> RenderableType:
    """Return the usable ones as rows, best first, and below them why the others could not be used."""
    usable = [one for one in candidates if not one.reject_reason]
    parts: list[RenderableType] = []
    if usable:
        parts.append(_table(usable, token_out, tokens, width))
    rejected = Table.grid(padding=(0, 2))
    rejected.add_column(no_wrap=True)
    rejected.add_column(overflow="fold", style="yellow")
    for one in candidates:
        if one.reject_reason:
            rejected.add_row(_name(one, "[red]✗[/]", width), Text(one.reject_reason))
    return Group(*parts, *([rejected] if rejected.row_count else []))


def _table(usable: Sequence[pb.Candidate], token_out: str, tokens: TokenBook, width: int) -> Table:
    out = tokens.symbol(token_out)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), header_style="dim", show_edge=False, pad_edge=False)
    table.add_column("venue, pool", no_wrap=True)
    for title in (f"{out} out", "pool fee", "impact", f"{out} net"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for one in usable:
        table.add_row(
            *_cells(one, usable[0].net_amount_out, token_out, tokens, width), style="" if one.chosen else "dim"
        )
    return table


def candidate_lines(candidates: Sequence[pb.Candidate], token_out: str, tokens: TokenBook) -> Iterator[str]:
    """Yield one line for each candidate."""
    best = candidates[0].net_amount_out if candidates else 0
    for one in candidates:
        pool = next((leg.pool for leg in one.route.legs), "")[:_SHORT_POOL] or "-"
        net = "-" if one.reject_reason else tokens.number(one.net_amount_out, token_out)
        yield f"{venues(one.route):<16} pool {pool:<8}  net {net:>16}  {verdict(one, best)}"


def verdict(candidate: pb.Candidate, best: int) -> str:
    """Say why the candidate was taken, or why not."""
    if candidate.reject_reason:
        return candidate.reject_reason
    return "chosen" if candidate.chosen else f"{percent_less(candidate.net_amount_out, best)} less"


def _cells(one: pb.Candidate, best: int, token_out: str, tokens: TokenBook, width: int) -> Sequence[str]:
    route, why = one.route, verdict(one, best)
    return (
        _name(one, "[green]✓[/]" if one.chosen else " ", width),
        tokens.number(route.amount_out, token_out),
        "\n".join(tokens.amount(leg.fee_amount, leg.fee_token) for leg in route.legs),
        percent(route.price_impact_bps) if route.price_impact_bps else "<0.01%",
        tokens.number(one.net_amount_out, token_out),
        f"[green]{why}[/]" if one.chosen else why,
    )


def _name(one: pb.Candidate, mark: str, width: int) -> str:
    pools = [leg.pool if width >= _WIDE else f"{leg.pool[:_SHORT_POOL]}…" for leg in one.route.legs if leg.pool]
    return "\n".join((f"{mark} {venues(one.route)}", *(f"  [dim]{pool}[/]" for pool in pools)))
