"""The commands that use a running engine. They speak gRPC to it and know nothing else of it."""

from __future__ import annotations  # what builds a wish is imported when a command runs

from typing import TYPE_CHECKING, Annotated

import typer

from order_engine.cli.exits import BAD_USAGE, fail

if TYPE_CHECKING:
    from order_engine.cli.wish import Wish

Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="HOST:PORT",
        help="Where the engine answers. (env GRPC_TARGET, default 127.0.0.1:GRPC_PORT)",
        rich_help_panel="Connection",
    ),
]
Timeout = Annotated[
    float,
    typer.Option(min=0.1, metavar="SECONDS", help="How long to wait for each answer.", rich_help_panel="Connection"),
]
GiveUp = Annotated[
    float,
    typer.Option(
        "--give-up",
        min=0.0,
        metavar="SECONDS",
        help="How long a broken stream looks for the engine.",
        rich_help_panel="Connection",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON in the proto mapping; streams give one document a line.")]
OrderId = Annotated[str, typer.Argument(metavar="ID", help="The order's id.", show_default=False)]
TokenIn = Annotated[str, typer.Argument(metavar="FROM", help="Token to pay: a symbol, or a mint.", show_default=False)]
TokenOut = Annotated[str, typer.Argument(metavar="TO", help="Token to get.", show_default=False)]
Amount = Annotated[
    str | None,
    typer.Argument(metavar="[AMOUNT]", help="How much to pay, in whole tokens: 1.5.", show_default=False),
]
Receive = Annotated[
    str | None,
    typer.Option(metavar="AMOUNT", help="Instead of AMOUNT: how much of TO to get, exactly. What is paid follows."),
]
BaseUnits = Annotated[bool, typer.Option("--base-units", help="The amount is an integer in base units (lamports).")]
Slippage = Annotated[str | None, typer.Option(metavar="PERCENT", help="Worst acceptable loss against the quote: 0.5%.")]
SlippageBps = Annotated[int | None, typer.Option(min=0, metavar="BPS", help="The same in basis points: 50.")]
MaxPriceImpact = Annotated[
    str | None,
    typer.Option(metavar="PERCENT", help="Refuse routes that move the price by more: 1%.", rich_help_panel="Guards"),
]
MaxFee = Annotated[
    str | None,
    typer.Option(
        metavar="FEE",
        help="Refuse routes whose network fee and rent cost more: 0.0005SOL, 500000lamports.",
        rich_help_panel="Guards",
    ),
]
MaxQuoteAge = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=2**32 - 1,
        metavar="SLOTS",
        help="Refuse quotes that are older, in slots of about 0.4 s: 5.",
        rich_help_panel="Guards",
    ),
]


def submit(
    token_in: TokenIn,
    token_out: TokenOut,
    amount: Amount = None,
    receive: Receive = None,
    base_units: BaseUnits = False,
    slippage: Slippage = None,
    slippage_bps: SlippageBps = None,
    max_price_impact: MaxPriceImpact = None,
    max_fee: MaxFee = None,
    max_quote_age: MaxQuoteAge = None,
    request_id: Annotated[
        str, typer.Option(metavar="KEY", help="Idempotency key: the same key is the same order. Default: a new UUID.")
    ] = "",
    client_order_id: Annotated[str, typer.Option(metavar="TEXT", help="Your own mark, to find the order by.")] = "",
    count: Annotated[int, typer.Option(min=1, max=10_000, help="So many orders of AMOUNT each.")] = 1,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay and show every step to the end.")] = False,
    json: Json = False,
    target: Target = None,
    timeout: Timeout = 10.0,
    give_up: GiveUp = 60.0,
) -> None:
    """Submit a swap order, and watch it if you like.

    AMOUNT is spent exactly, or --receive is got exactly; slippage bounds the other side. A guard that every route
    breaks fails the attempt and names itself.

    An order is durable once accepted. The request id is printed before it is sent: the same command with --request-id
    repeats the question, never the purchase.
    """
    from order_engine.cli.client import Output, use
    from order_engine.cli.submit import Orders
    from order_engine.cli.submit import submit as run

    bps = _bps(slippage, slippage_bps)
    guards = (max_price_impact, max_fee, max_quote_age)
    wish = _wish((token_in, token_out), (amount, receive, base_units), bps, guards)
    wanted = Orders(wish=wish, request_id=request_id, client_order_id=client_order_id, count=count)
    output = Output.to_stdout(json=json)
    use(target, timeout, lambda engine: run(engine, output, wanted, watch=watch, give_up_seconds=give_up))


def watch(
    order_id: OrderId,
    after: Annotated[int, typer.Option(min=0, metavar="N", help="Only updates after sequence N.")] = 0,
    json: Json = False,
    target: Target = None,
    timeout: Timeout = 10.0,
    give_up: GiveUp = 60.0,
) -> None:
    """Show an order's life, live, to its end.

    From the first update, or after --after; a broken connection is taken up again where it broke.
    """
    from order_engine.cli.client import Output, use
    from order_engine.cli.watch import watch as run

    output = Output.to_stdout(json=json)
    use(target, timeout, lambda engine: run(engine, output, order_id, after=after, give_up_seconds=give_up))


def orders(
    status: Annotated[str | None, typer.Option(help="pending, submitted, confirmed, failed, …")] = None,
    token_in: Annotated[str, typer.Option("--from", metavar="TOKEN", help="Token paid: a symbol, or a mint.")] = "",
    token_out: Annotated[str, typer.Option("--to", metavar="TOKEN", help="Token bought.")] = "",
    venue: Annotated[str, typer.Option(help="raydium_cpmm, meteora_damm_v2, …")] = "",
    client_order_id: Annotated[str, typer.Option(metavar="TEXT", help="Your own mark.")] = "",
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Made after: 90m, 7d, 2026-11-22T14:30.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Made before.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 20,
    page_token: Annotated[str, typer.Option(metavar="TOKEN", help="Go on where an earlier page ended.")] = "",
    json: Json = False,
    target: Target = None,
    timeout: Timeout = 10.0,
) -> None:
    """List orders, the newest first."""
    from datetime import UTC, datetime

    from order_engine.cli.client import BadUsage, Output, use
    from order_engine.cli.list_orders import list_orders, point_in_time, status_filter
    from protos.order_engine.v1 import order_service_pb2 as pb

    now = datetime.now(UTC)
    request = pb.ListOrdersRequest(
        token_in=token_in, token_out=token_out, venue=venue, client_order_id=client_order_id, page_token=page_token
    )
    try:
        if status:
            request.status = status_filter(status)
        if since:
            request.create_time_after.CopyFrom(point_in_time("--since", since, now))
        if until:
            request.create_time_before.CopyFrom(point_in_time("--until", until, now))
    except BadUsage as error:
        fail(str(error), BAD_USAGE)
    output = Output.to_stdout(json=json)
    use(target, timeout, lambda engine: list_orders(engine, output, request, limit))


def explain(order_id: OrderId, json: Json = False, target: Target = None, timeout: Timeout = 10.0) -> None:
    """Say why an order went the way it went.

    Every attempt with every candidate and why it was not taken, then the timeline.
    """
    from order_engine.cli.client import Output, use
    from order_engine.cli.explain import explain as run

    output = Output.to_stdout(json=json)
    use(target, timeout, lambda engine: run(engine, output, order_id))


def quote(
    token_in: TokenIn,
    token_out: TokenOut,
    amount: Amount = None,
    receive: Receive = None,
    base_units: BaseUnits = False,
    slippage: Slippage = None,
    slippage_bps: SlippageBps = None,
    max_price_impact: MaxPriceImpact = None,
    max_fee: MaxFee = None,
    max_quote_age: MaxQuoteAge = None,
    json: Json = False,
    target: Target = None,
    timeout: Timeout = 10.0,
) -> None:
    """Show every way to swap now: what it gets or costs, and why not. Buys nothing."""
    from order_engine.cli.client import Output, use
    from order_engine.cli.quote import quote as run

    bps = _bps(slippage, slippage_bps)
    guards = (max_price_impact, max_fee, max_quote_age)
    wish = _wish((token_in, token_out), (amount, receive, base_units), bps, guards)
    output = Output.to_stdout(json=json)
    use(target, timeout, lambda engine: run(engine, output, wish))


def cancel(order_id: OrderId, json: Json = False, target: Target = None, timeout: Timeout = 10.0) -> None:
    """Cancel an order, and say truthfully what that achieved.

    What was sent cannot be called back: then the verdict says by when it is decided.
    """
    from order_engine.cli.cancel import cancel as run
    from order_engine.cli.client import Output, use

    output = Output.to_stdout(json=json)
    use(target, timeout, lambda engine: run(engine, output, order_id))


def _bps(slippage: str | None, bps: int | None) -> int | None:
    from order_engine.cli.amounts import BadAmount, basis_points

    if slippage is None:
        return bps
    if bps is not None:
        fail("give --slippage or --slippage-bps, not both", BAD_USAGE)
    try:
        return basis_points(slippage, "--slippage 0.5%, or --slippage-bps 50")
    except BadAmount as error:
        fail(str(error), BAD_USAGE)


def _wish(
    pair: tuple[str, str],
    amount: tuple[str | None, str | None, bool],
    slippage_bps: int | None,
    guards: tuple[str | None, str | None, int | None],
) -> Wish:
    """Read what is asked for, or leave with what is wrong about it."""
    from order_engine.cli.amounts import BadAmount, basis_points, fee_lamports
    from order_engine.cli.client import BadUsage
    from order_engine.cli.wish import Wish

    impact, fee, age = guards
    try:
        return Wish(
            token_in=pair[0],
            token_out=pair[1],
            pay=amount[0],
            receive=amount[1],
            in_base_units=amount[2],
            slippage_bps=slippage_bps,
            max_price_impact_bps=None if impact is None else basis_points(impact, "--max-price-impact 1%"),
            max_total_fee_lamports=None if fee is None else fee_lamports(fee),
            max_quote_age_slots=age,
        )
    except (BadAmount, BadUsage) as error:
        fail(str(error), BAD_USAGE)
