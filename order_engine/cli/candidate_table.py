"""Every candidate of a routing decision, as a person compares them."""

from collections.abc import Iterator, Sequence
from itertools import chain

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from order_engine.cli import route_words
from order_engine.cli.amounts import percent_apart
from order_engine.cli.route_words import Asked, is_exact_out
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb

_SHORT_POOL = 8
_WIDE = 120  # columns from which on pools are shown whole
_INDENT = 4
_ALL = (0, 1, 2, 3, 4, 5)  # way, amount, impact, costs, net, verdict
_WITHOUT_COSTS = (0, 1, 2, 4, 5)
_THE_LEAST = (0, 1, 4, 5)

Cells = list[str]


def candidate_table(
    candidates: Sequence[pb.Candidate], asked: Asked, tokens: TokenBook, width: int, *, brief: bool = False
) -> RenderableType:
    """Return a row for each that could be quoted, with its pools below it, then why the others could not.

    Those with several pools only name their venues when they were refused; brief, also when they were not chosen.
    """
    parts: list[RenderableType] = []
    quoted = [one for one in candidates if one.route.amount_out]
    if quoted:
        heads = _fitting([_titles(asked, tokens), *(_head(one, candidates, asked, tokens) for one in quoted)], width)
        parts += [Text(heads[0], style="dim"), Text("─" * min(width, max(map(cell_len, heads))), style="dim")]
        parts += chain.from_iterable(
            _block(one, head, _below(one, asked, tokens, width, brief))
            for one, head in zip(quoted, heads[1:], strict=True)
        )
    unquoted = [one for one in candidates if not one.route.amount_out]
    return Group(*parts, *([_unquoted(unquoted, tokens, width)] if unquoted else []))


def candidate_lines(candidates: Sequence[pb.Candidate], asked: Asked, tokens: TokenBook) -> Iterator[str]:
    """Yield one line for each candidate; of those with several pools also the venues, of the chosen one the pools."""
    for one in candidates:
        legs = list(one.route.legs)
        name = route_words.name(one.route, tokens)
        way = f"{name:<16} pool {_pool(legs[0], 0) or '-'}" if len(legs) == 1 else name
        net = _net_text(one, asked, tokens) if one.route.amount_out and not one.reject_reason else "-"
        yield f"{way:<30}  net {net:>16}  {verdict(one, candidates, asked)}"
        if _is_named_only(one, brief=True):
            yield f"    {route_words.pools(one.route)}"
        elif len(legs) > 1:
            yield from (f"    {'  '.join(filter(None, cells))}" for cells in _legs(one.route, asked, tokens, 0))


def verdict(one: pb.Candidate, candidates: Sequence[pb.Candidate], asked: Asked) -> str:
    """Say why the candidate was taken, or why not."""
    if one.reject_reason:
        return one.reject_reason
    best = next(other for other in candidates if not other.reject_reason)
    apart = percent_apart(_net(one, asked), _net(best, asked))
    return "chosen" if one.chosen else f"{apart} {'more' if is_exact_out(asked) else 'less'}"


def _titles(asked: Asked, tokens: TokenBook) -> Cells:
    symbol = tokens.symbol(route_words.found_mint(asked))
    amount, net = ("in", "in all") if is_exact_out(asked) else ("out", "net")
    return ["  way", f"{symbol} {amount}", "impact", "costs", f"{symbol} {net}", ""]


def _head(one: pb.Candidate, candidates: Sequence[pb.Candidate], asked: Asked, tokens: TokenBook) -> Cells:
    route = one.route
    mark = "✗" if one.reject_reason else "✓" if one.chosen else " "
    lamports = route.network_fee_lamports + route.rent_lamports
    return [
        f"{mark} {route_words.name(route, tokens)}",
        tokens.number(route_words.found(asked, route), route_words.found_mint(asked)),
        route_words.impact(route.price_impact_bps),
        route_words.sol(lamports) if lamports else "-",
        _net_text(one, asked, tokens),
        "" if one.reject_reason else verdict(one, candidates, asked),
    ]


def _fitting(rows: Sequence[Cells], width: int) -> list[str]:
    """Align the rows; without room for all columns the costs go first, then the impact: the net holds both."""
    shapes = ((_ALL, 2), (_ALL, 1), (_WITHOUT_COSTS, 2), (_WITHOUT_COSTS, 1), (_THE_LEAST, 1))
    for columns, gap in shapes:
        sides = "".join("lrrrrl"[column] for column in columns)
        lines = _aligned([[row[column] for column in columns] for row in rows], sides, gap)
        if max(map(cell_len, lines)) <= width:
            break
    return lines


def _aligned(rows: Sequence[Cells], sides: str, gap: int) -> list[str]:
    """Return each row as one line. `sides` has l or r for each column; columns that are empty take no room."""
    columns = [_column(cells, side) for cells, side in zip(zip(*rows, strict=True), sides, strict=True) if any(cells)]
    return [(" " * gap).join(cells).rstrip() for cells in zip(*columns, strict=True)]


def _column(cells: Sequence[str], side: str) -> list[str]:
    room = max(map(cell_len, cells))
    blanks = [" " * (room - cell_len(cell)) for cell in cells]
    return [blank + cell if side == "r" else cell + blank for blank, cell in zip(blanks, cells, strict=True)]


def _block(one: pb.Candidate, head: str, below: Sequence[str]) -> Iterator[RenderableType]:
    """Yield the row, the pools below it, and why it was refused."""
    title = Text(head, style="" if one.chosen else "dim")
    title.stylize("green" if one.chosen else "red" if one.reject_reason else "", 0, 1)
    if one.chosen:
        title.stylize("green", len(head) - len("chosen"))
    yield title
    yield from (_indented(line, "dim") for line in below)
    if one.reject_reason:
        yield _indented(one.reject_reason, "yellow")


def _indented(line: str, style: str) -> Padding:
    return Padding(Text(line, style=style), (0, 0, 0, _INDENT), expand=False)


def _below(one: pb.Candidate, asked: Asked, tokens: TokenBook, width: int, brief: bool) -> list[str]:
    if _is_named_only(one, brief):
        return [route_words.pools(one.route)]
    legs = _legs(one.route, asked, tokens, width)
    lines = _aligned(legs, "lrllrl", 2)
    if max(map(cell_len, lines)) + _INDENT > width:
        lines = _aligned([[*cells[:4], *cells[5:]] for cells in legs], "lrlll", 1)
    return lines


def _is_named_only(one: pb.Candidate, brief: bool) -> bool:
    return len(one.route.legs) > 1 and not one.chosen and (brief or bool(one.reject_reason))


def _legs(route: pb.Route, asked: Asked, tokens: TokenBook, width: int) -> list[Cells]:
    """Return token on the way, share, venue, pool, amount and fee of each leg; one pool alone is its row's own."""
    way = route_words.hops(route)
    alone = len(route.legs) == 1
    rows = []
    for legs in way:
        for place, (leg, share) in enumerate(zip(legs, route_words.shares(legs), strict=True)):
            mint, amount = (leg.token_in, leg.amount_in) if is_exact_out(asked) else (leg.token_out, leg.amount_out)
            rows.append(
                [
                    f"→ {tokens.symbol(leg.token_out)}" if len(way) > 1 and place == 0 else "",
                    share if len(legs) > 1 else "",
                    "" if alone else leg.venue,
                    _pool(leg, width),
                    "" if alone else tokens.amount(amount, mint),
                    f"pool fee {tokens.amount(leg.fee_amount, leg.fee_token)}",
                ]
            )
    return rows


def _unquoted(candidates: Sequence[pb.Candidate], tokens: TokenBook, width: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold", style="yellow")
    for one in candidates:
        pools = "\n".join(_pool(leg, width) for leg in one.route.legs)
        table.add_row(f"[red]✗[/] {route_words.name(one.route, tokens)}", pools, Text(one.reject_reason))
    return table


def _pool(leg: pb.RouteLeg, width: int) -> str:
    if width >= _WIDE or not leg.pool:
        return leg.pool
    return f"{leg.pool[:_SHORT_POOL]}…" if width else leg.pool[:_SHORT_POOL]


def _net(one: pb.Candidate, asked: Asked) -> int:
    return one.net_amount_in if is_exact_out(asked) else one.net_amount_out


def _net_text(one: pb.Candidate, asked: Asked, tokens: TokenBook) -> str:
    net = _net(one, asked)
    return tokens.number(net, route_words.found_mint(asked)) if net else "-"
